"""Formats of images and arrays: what is found, what is named, what is refused."""

import gzip
import os
import struct

import numpy as np
import pytest
from conftest import shared
from PIL import Image

from dlcli.errors import DataError
from dlcli.formats import flat_images, idx, image_folder, npz
from dlcli.splits import check_labels

FORMATS = (image_folder, flat_images, idx, npz)


def picture(path, value=0, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (6, 4), value).save(path)


def tree(root, names, mode="L"):
    """Pictures of value 0, 1, 2... under these names."""
    for value, name in enumerate(names):
        picture(root / name, value if mode == "L" else (value, 0, 0), mode)
    return root


def firsts(examples):
    """The value of each picture made by `tree`."""
    pixels = examples.x.prepare(4, 6, 1).read(np.arange(len(examples)))
    return pixels[:, 0, 0, 0].tolist()


def matching(path):
    return [form.__name__.split(".")[-1] for form in FORMATS if form.matches(path)]


# ---- folders of classes ------------------------------------------------------------------------


def test_class_folders_in_natural_order(tmp_path):
    tree(tmp_path, ["b/img10.png", "b/img2.png", "a/1.PNG", "a/sub/2.png"])
    data = image_folder.open(tmp_path)
    assert matching(tmp_path) == ["image_folder"]
    examples = data.splits["all"]
    assert examples.names == ["a/1.PNG", "a/sub/2.png", "b/img2.png", "b/img10.png"]
    assert examples.y.tolist() == ["a", "a", "b", "b"]
    assert firsts(examples) == [2, 3, 1, 0]
    assert data.about == {"classes": ["a", "b"], "size": (4, 6, 1), "counts": {"a": 2, "b": 2}}
    assert data.warnings == []


def test_classes_that_are_numbers_stand_in_their_order(tmp_path):
    data = image_folder.open(tree(tmp_path, ["10/a.png", "9/a.png"]))
    assert data.about["classes"] == ["9", "10"]


@pytest.mark.parametrize(
    "names",
    [("train", "val", "test"), ("Training", "validation", "testing"), ("TRAIN", "valid", "Test")],
)
def test_folders_of_splits(tmp_path, names):
    tree(tmp_path, [f"{split}/{label}/1.png" for split in names for label in "ab"])
    data = image_folder.open(tmp_path)
    assert list(data.splits) == ["train", "val", "test"]
    assert firsts(data.splits["test"]) == [4, 5]
    assert data.about["counts"] == {"a": 3, "b": 3}


@pytest.mark.parametrize("above", ["", "archive/", "archive/train/"])
def test_wrapping_folders_are_looked_through(tmp_path, above):
    data = image_folder.open(tree(tmp_path, [f"{above}a/1.png", f"{above}b/1.png"]))
    assert list(data.splits) == ["all"]
    assert data.about["classes"] == ["a", "b"]


def test_one_class_is_left_to_the_task(tmp_path):
    data = image_folder.open(tree(tmp_path, ["a/1.png", "a/2.png"]))
    assert data.about["classes"] == ["a"]


def test_every_kind_of_file_is_read_by_content(tmp_path):
    endings = ["png", "jpg", "JPEG", "gif", "bmp", "webp", "tiff", "TIF"]
    tree(
        tmp_path,
        [f"a/{i}.{end}" for i, end in enumerate(endings)],
    )
    (tmp_path / "a/1.jpg").write_bytes((tmp_path / "a/0.png").read_bytes())  # PNG named .jpg
    data = image_folder.open(tmp_path)
    assert len(data.splits["all"]) == 8
    assert data.warnings == []


def test_what_systems_leave_behind_is_ignored(tmp_path):
    tree(tmp_path, ["a/1.png", "b/1.png"])
    for name in ["a/._1.png", "a/.DS_Store", "b/Thumbs.db", "__MACOSX/a/1.png", ".hidden/x.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"junk")
    data = image_folder.open(tmp_path)
    assert len(data.splits["all"]) == 2
    assert data.warnings == []


def test_files_that_are_not_used_are_named(tmp_path):
    tree(tmp_path, ["train/a/1.png", "train/b/1.png", "test/a/1.png", "loose.png", "more/x/1.png"])
    (tmp_path / "train/a/notes.txt").touch()
    text = "\n".join(image_folder.open(tmp_path).warnings)
    assert "1 files are not images: train/a/notes.txt" in text
    assert "1 images outside of class folders were not used: loose.png" in text
    assert "beside train that were not used: more" in text


def test_links_in_circles_are_not_followed(tmp_path):
    tree(tmp_path, ["a/1.png", "a/2.png", "b/1.png"])
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "b/self").symlink_to(tmp_path / "b")
    (tmp_path / "b/other").symlink_to(tmp_path / "a")
    data = image_folder.open(tmp_path)
    assert data.about["counts"] == {"a": 2, "b": 1}


def test_bad_files_are_left_out_where_that_is_allowed(tmp_path):
    tree(tmp_path, [f"{label}/{i}.png" for label in "ab" for i in range(10)])
    (tmp_path / "a/3.png").write_bytes(b"")
    data = image_folder.open(tmp_path, unreadable=0.05)
    assert data.warnings == ["1 of 20 images could not be read: a/3.png (empty file); they were left out."]
    assert data.about["counts"] == {"a": 9, "b": 10}
    assert firsts(data.splits["all"]) == [i for i in range(20) if i != 3]
    assert "a/3.png" not in data.splits["all"].names


def test_bad_files_are_an_error_unless_allowed(tmp_path):
    tree(tmp_path, ["a/1.png", "a/2.png", "b/1.png"])
    (tmp_path / "a/2.png").write_bytes(b"text")
    with pytest.raises(DataError, match=r"1 of 3 images could not be read: a/2.png \(not a pict") as caught:
        image_folder.open(tmp_path)
    assert "data.unreadable=0.334" in caught.value.hint
    assert len(image_folder.open(tmp_path, unreadable=0.34).splits["all"]) == 2


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_an_empty_class_is_an_error_that_names_it(tmp_path, content):
    tree(tmp_path, ["a/1.png"])
    (tmp_path / "empty").mkdir()
    if content:
        (tmp_path / "empty" / content).touch()
    with pytest.raises(DataError, match="class folder without an image: empty"):
        image_folder.open(tmp_path)


def test_a_class_without_a_readable_image_is_an_error(tmp_path):
    tree(tmp_path, [*(f"a/{i}.png" for i in range(20)), "b/1.png"])
    (tmp_path / "b/1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no image of class 'b' could be read \(empty file\)"):
        image_folder.open(tmp_path, unreadable=0.5)


def test_an_unknown_class_in_test_is_an_error(tmp_path):
    tree(tmp_path, ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"])
    with pytest.raises(DataError, match="1 of 2 test examples have labels that no training example has: c"):
        check_labels(image_folder.open(tmp_path))


def test_two_folders_for_one_split_are_an_error(tmp_path):
    tree(tmp_path, ["train/a/1.png", "val/a/1.png", "valid/a/1.png"])
    with pytest.raises(DataError, match="'val' and 'valid'"):
        image_folder.open(tmp_path)


def test_names_that_look_alike_are_pointed_out(tmp_path):
    tree(tmp_path, ["caf\u00e9/1.png", "cafe\u0301/1.png", "dog/1.png"])
    (warning,) = image_folder.open(tmp_path).warnings
    assert "almost the same name" in warning


def test_names_of_any_bytes(tmp_path):
    """What is no UTF-8, or would steer the terminal, is shown as \\xNN."""
    tree(tmp_path, ["a/1.png", "b/1.png"])
    os.rename(tmp_path / "a/1.png", os.fsencode(tmp_path) + b"/a/\xff\n'.png")
    data = image_folder.open(tmp_path)
    assert data.splits["all"].names[0] == "a/\\xff\\x0a'.png"
    assert firsts(data.splits["all"]) == [0, 1]


def test_animations_are_announced(tmp_path):
    tree(tmp_path, ["a/1.png", "b/1.png"])
    frames = [Image.new("L", (6, 4), value) for value in (3, 200)]
    frames[0].save(tmp_path / "a/2.gif", save_all=True, append_images=frames[1:])
    (warning,) = image_folder.open(tmp_path).warnings
    assert warning == "1 animated images: only the first frame: a/2.gif."


@pytest.mark.parametrize("form", [image_folder, flat_images])
def test_a_folder_without_images_is_an_error(tmp_path, form):
    assert not form.matches(tmp_path)
    with pytest.raises(DataError, match="no "):
        form.open(tmp_path)


def test_reading_changes_no_file(tmp_path):
    tree(tmp_path, ["a/1.png", "b/1.jpg"])
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*.*")}
    firsts(image_folder.open(tmp_path).splits["all"])
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*.*")}


# ---- images without classes --------------------------------------------------------------------


def test_loose_images(tmp_path):
    data = flat_images.open(tree(tmp_path, ["10.png", "9.png"]))
    assert matching(tmp_path) == ["flat_images"]
    assert data.splits["all"].names == ["9.png", "10.png"]
    assert data.splits["all"].y is None
    assert data.about == {"classes": None, "size": (4, 6, 1), "counts": None}


def test_loose_images_in_splits(tmp_path):
    data = flat_images.open(tree(tmp_path, ["train/1.png", "train/2.png", "test/1.png"]))
    assert matching(tmp_path) == ["flat_images"]
    assert {split: len(part) for split, part in data.splits.items()} == {"train": 2, "test": 1}


@pytest.mark.parametrize(
    ("pattern", "classes"),
    [
        ("{}.{}.png", ["cat", "dog"]),
        ("{}_{}.png", ["yorkshire_terrier", "Birman"]),
        ("{}-{:03d}.png", ["crêpe", "n01440764"]),
        ("{}{}.png", ["buildings", "forest"]),
        ("{} ({}).png", ["a b", "c"]),
    ],
)
def test_classes_in_the_names_of_loose_images(tmp_path, pattern, classes):
    data = flat_images.open(tree(tmp_path, [pattern.format(name, i) for name in classes for i in range(5)]))
    assert matching(tmp_path) == ["flat_images"]
    examples = data.splits["all"]
    assert [name.startswith(label) for name, label in zip(examples.names, examples.y, strict=True)] == [True] * 10
    assert data.about["counts"] == dict.fromkeys(sorted(classes), 5)
    assert data.warnings == [f"classes are read from the files' names: {', '.join(sorted(classes))}."]


@pytest.mark.parametrize(
    "names",
    [
        [f"{word}_{i}.png" for word in ("IMG", "holiday") for i in range(9)],  # a camera's
        [f"cat_{i}.png" for i in range(9)],  # of one class
        [*(f"{word}_{i}.png" for word in ("cat", "dog") for i in range(9)), "logo.png"],
        [f"{word}_{i}.png" for word in ("cat", "dog", "cow") for i in range(4)],  # too few
        [f"2024-{month}-{day}.png" for month in (1, 2) for day in range(1, 9)],
        [f"{i:08x}.png" for i in range(10**9, 10**9 + 40)],
    ],
)
def test_names_of_loose_images_that_tell_no_class(tmp_path, names):
    data = flat_images.open(tree(tmp_path, names))
    assert data.splits["all"].y is None
    assert data.warnings == []


def test_loose_images_of_splits_have_the_classes_of_training_or_are_not_used(tmp_path):
    train = [f"train/{word}.{i}.png" for word in ("cat", "dog") for i in range(6)]
    data = flat_images.open(tree(tmp_path / "a", [*train, "test/cat.1.png", "test/dog.2.png"]))
    assert data.splits["test"].y.tolist() == ["cat", "dog"]
    data = flat_images.open(tree(tmp_path / "b", [*train, "test/1.png", "test/2.png"]))
    assert list(data.splits) == ["train"]
    assert data.warnings[-1] == "the images of test are not used: not all of their names begin with a class."


def test_one_image_file(tmp_path):
    path = tree(tmp_path, ["1.png"]) / "1.png"
    assert matching(path) == ["flat_images"]
    assert len(flat_images.open(path).splits["all"]) == 1


# ---- IDX --------------------------------------------------------------------------------------


def write_idx(path, array, code=8, packed=False):
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data = header + array.tobytes()
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)


@pytest.fixture
def mnist(tmp_path, rng):
    """A folder as MNIST's, and its pixels."""
    pixels = rng.integers(0, 256, (12, 5, 4), dtype=np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", pixels[:8], packed=True)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(3, 11, dtype=np.uint8))
    write_idx(tmp_path / "t10k-images-idx3-ubyte", pixels[8:])
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(3, 7, dtype=np.uint8), packed=True)
    return tmp_path, pixels


def test_idx_folder(mnist):
    path, pixels = mnist
    assert matching(path) == ["idx"]
    data = idx.open(path)
    assert data.splits["train"].y.tolist() == ["3", "4", "5", "6", "7", "8", "9", "10"]
    assert data.about["classes"] == ["3", "4", "5", "6", "7", "8", "9", "10"]
    assert data.about["counts"]["3"] == 2
    assert data.about["size"] == (5, 4, 1)
    got = data.splits["test"].x.prepare(5, 4, 1).read(np.arange(4))
    assert np.array_equal(got[..., 0], pixels[8:])


def test_one_idx_file_is_one_split(mnist):
    data = idx.open(mnist[0] / "t10k-images-idx3-ubyte")
    assert data.splits["all"].y.tolist() == ["3", "4", "5", "6"]
    assert list(data.splits) == ["all"]


def test_idx_without_labels(mnist):
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"):
        (mnist[0] / name).unlink()
    assert idx.open(mnist[0]).splits["train"].y is None


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        (IMAGES, b"", "begins with nothing"),
        (IMAGES, b"\x89PNG", "begins with 89 50 4e 47"),
        (IMAGES, bytes([0, 0, 8, 3, 0, 0]), "ends within its header"),
        (IMAGES, bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"x", "says it holds"),
        (IMAGES + ".gz", gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12, mtime=0), "says it holds"),
        (IMAGES, bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 2, 2) + b"abc", "holds fewer"),
        (IMAGES, bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 2, 2) + b"abcde", "holds more"),
        (IMAGES, bytes([0, 0, 8, 1]) + struct.pack(">I", 4) + b"abcd", "no images of bytes"),
        (IMAGES, bytes([0, 0, 8, 3]) + struct.pack(">3I", 0, 2, 2), "holds nothing: its header"),
        (IMAGES + ".gz", gzip.compress(b"\0" * 4000, mtime=0)[:-9], "begins with|could not be read"),
        (LABELS, bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + b"abc", "3 labels for 8 images"),
        (LABELS, bytes([0, 0, 13, 1]) + struct.pack(">If", 1, 0.5), "no labels"),
    ],
)
def test_idx_headers_are_not_believed(mnist, name, data, reason):
    if name == IMAGES:
        (mnist[0] / (IMAGES + ".gz")).unlink()
    (mnist[0] / name).write_bytes(data)
    with pytest.raises(DataError, match=reason):
        idx.open(mnist[0])


def test_real_mnist():
    data = idx.open(shared("mnist"))
    assert {split: len(part) for split, part in data.splits.items()} == {
        "train": 60000,
        "test": 10000,
    }
    # Counts as LeCun's files have them.
    assert np.unique(data.splits["train"].y, return_counts=True)[1].tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip


# ---- npz --------------------------------------------------------------------------------------


def saved(path, **arrays):
    np.savez_compressed(path / "data.npz", **arrays)
    return path / "data.npz"


def test_npz_of_images_with_splits(tmp_path, rng):
    x = rng.integers(0, 256, (12, 5, 4), dtype=np.uint8)
    path = saved(tmp_path, x_train=x[:8], y_train=np.arange(3, 11), x_test=x[8:], y_test=np.full(4, 3))
    assert matching(path) == ["npz"]
    data = npz.open(path)
    assert data.kind == "images"
    assert list(data.splits) == ["train", "test"]
    assert data.splits["train"].y.tolist() == [str(i) for i in range(3, 11)]
    assert data.about["classes"][-1] == "10"
    assert data.about["counts"]["3"] == 5
    assert np.array_equal(data.splits["test"].x.prepare(5, 4, 1).read(np.arange(4))[..., 0], x[8:])


@pytest.mark.parametrize(
    ("x", "first"),
    [
        (np.array([0, 0.5, 1]), [0, 128, 255]),
        (np.array([0, 127.6, 255]), [0, 128, 255]),
        (np.array([-1, 0, 1.0]), [0, 128, 255]),
        (np.array([0, 257 * 9, 65535], np.uint16), [0, 9, 255]),
        (np.array([0, 7, 255], np.int64), [0, 7, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
    ],
)
def test_npz_pixels_of_any_type(tmp_path, x, first):
    x = np.broadcast_to(x[None, None, :, None], (2, 3, 3, 1))
    data = npz.open(saved(tmp_path, x=x))
    got = data.splits["all"].x.prepare(3, 3, 1).read(np.arange(1))
    assert got[0, 0, :, 0].tolist() == first


def test_npz_splits_are_scaled_alike(tmp_path):
    """A dark test split whose values happen to lie in 0..1 must not be made bright."""
    dark, bright = np.ones((2, 4, 4, 1)), np.full((2, 4, 4, 1), 200.0)
    data = npz.open(saved(tmp_path, x_train=bright, x_test=dark))
    assert data.splits["test"].x.prepare(4, 4, 1).read(np.arange(1)).max() == 1


def test_npz_channels_first_and_alpha(tmp_path):
    x = np.zeros((2, 3, 8, 9), np.uint8)
    x[:, 1] = 7
    data = npz.open(saved(tmp_path, x=x))
    assert data.about["size"] == (8, 9, 3)
    assert data.splits["all"].x.prepare(8, 9, 3).read(np.arange(1))[0, 0, 0].tolist() == [0, 7, 0]
    assert "channels first" in data.warnings[0]
    rgba = np.zeros((1, 8, 9, 4), np.uint8)
    assert npz.open(saved(tmp_path, x=rgba)).splits["all"].x.prepare(8, 9, 3).read(np.arange(1)).min() == 255


def test_npz_medmnist_names(tmp_path):
    x = np.zeros((2, 8, 8), np.uint8)
    names = {f"{split}_images": x for split in ("train", "val", "test")}
    names |= {f"{split}_labels": np.array([[0], [1]]) for split in ("train", "val", "test")}
    data = npz.open(saved(tmp_path, **names))
    assert list(data.splits) == ["train", "val", "test"]
    assert data.splits["val"].y.tolist() == ["0", "1"]


def test_npz_of_sequences(tmp_path, rng):
    x = rng.normal(size=(4, 10, 3))
    data = npz.open(saved(tmp_path, x=x, y=np.array(["a", "b", "a", "b"])))
    assert data.kind == "sequences"
    assert data.splits["all"].x.dtype == np.float32
    assert data.splits["all"].take([2]).x[0].shape == (10, 3)
    assert data.about["classes"] == ["a", "b"]


def test_npz_square_fractions_are_images_unless_told(tmp_path):
    path = saved(tmp_path, x=np.zeros((4, 8, 8)))
    data = npz.open(path)
    assert data.kind == "images"
    assert "data.kind=sequences" in data.warnings[0]
    assert npz.open(path, kind="sequences").kind == "sequences"


@pytest.mark.parametrize(("y", "target"), [(np.array([1, 0]), "label"), (np.array([1.5, 0]), "target")])
def test_npz_of_a_table(tmp_path, y, target):
    data = npz.open(saved(tmp_path, x=np.array([[1.0, 2], [3, 4]]), y=y))
    assert data.kind == "table"
    examples = data.splits["all"]
    assert examples.x.columns == ["x0", "x1"]
    assert data.about["target"] == target
    assert examples.x["x1"].to_list() == [2.0, 4.0]
    assert examples.y.tolist() == (["1", "0"] if target == "label" else [1.5, 0.0])


ONES = np.ones((3, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": ONES, "y": np.arange(2)}, "y of all has 2 rows, x has 3"),
        ({"x": ONES, "y": np.array([1, np.nan, 2])}, "1 values of y of all are NaN"),
        ({"x": ONES, "y": np.eye(3)}, "one label per row"),
        ({"x": ONES, "y": np.array([1j, 2, 3])}, "complex128"),
        ({"x": ONES, "y": np.array(["a", None, 3], object)}, "holds object"),
        ({"x": ONES[:0]}, "nothing in it"),
        ({"x": ONES[0, 0]}, r"x has shape \(8,\)"),
        ({"x": np.array([["a"]])}, "not numbers"),
        ({"x": np.full((3, 8, 8, 1), 300.0)}, "values from 300 to 300"),
        ({"x": np.full((3, 8, 8, 1), np.nan)}, "not finite"),
        ({"x": np.ones((3, 8, 8, 5), np.uint8)}, r"shape \(3, 8, 8, 5\)"),
        (
            {"x_train": ONES, "y_train": np.arange(3), "x_test": ONES},
            "y for train but not for test",
        ),
        ({"y": np.arange(3)}, "no x"),
        ({"weights": ONES}, "no array named x"),
        ({"x": ONES, "x_test": ONES}, "with and without a split"),
    ],
)
def test_npz_that_cannot_be_used(tmp_path, arrays, reason):
    with pytest.raises(DataError, match=reason):
        npz.open(saved(tmp_path, **arrays))


def test_npz_that_would_unpack_to_very_much_is_refused(tmp_path):
    """80 MB of zeros in 80 KB."""
    path = saved(tmp_path, x=np.zeros((80, 1000, 1000), np.uint8))
    with pytest.raises(DataError, match="would unpack to 80,0"):
        npz.open(path)


@pytest.mark.parametrize("damage", ["text", "cut", "flip", "header"])
def test_damaged_npz(tmp_path, rng, damage):
    path = tmp_path / "data.npz"
    np.savez(path, x=rng.integers(0, 256, (9, 8, 8), dtype=np.uint8))
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = b"hello"
    elif damage == "cut":
        data = data[:300]
    elif damage == "flip":
        data[400] ^= 1
    else:
        data = data.replace(b"(9, 8, 8)", b"(9999, 8)")
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"data\.npz"):
        npz.open(path)
