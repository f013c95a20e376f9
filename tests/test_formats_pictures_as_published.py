"""Layouts in which public pictures come: split folders, tables beside pictures, arrays, classes that only a test has."""

import gzip
import json
import struct

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dlcli import plan
from dlcli.cli import app
from dlcli.config import RunConfig
from dlcli.errors import DataError
from dlcli.formats import cifar_binary, flat_images, idx, image_folder, npz, table


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)


@pytest.mark.parametrize(
    ("train", "test", "inner"),
    [("training_set", "test_set", ""), ("seg_train", "seg_test", "same"), ("train_images", "val_images", "")],
)
def test_split_folders_are_told_by_a_word_in_their_names(tmp_path, train, test, inner):
    for part in (train, test):
        for label in ("cat", "dog"):
            picture(tmp_path / part / (part if inner else "") / label / "1.png")
    if inner:
        picture(tmp_path / "seg_pred" / "seg_pred" / "1.png")
    data = image_folder.open(tmp_path)
    assert list(data.splits) == ["train", "val" if "val" in test else "test"]
    assert sorted(data.splits["train"].y) == ["cat", "dog"]


def test_pictures_of_trains_and_masks_are_no_splits(tmp_path):
    for label in ("train", "car"):
        picture(tmp_path / "a" / label / "1.png")
    assert sorted(image_folder.open(tmp_path / "a").splits["all"].y) == ["car", "train"]
    for label in ("steam-train", "bullet-train", "car"):
        picture(tmp_path / "c" / label / "1.png")
    assert len(set(image_folder.open(tmp_path / "c").splits["all"].y)) == 3
    for part in ("train", "test", "train_masks"):
        for label in ("cat", "dog"):
            picture(tmp_path / "b" / part / label / "1.png")
    assert list(image_folder.open(tmp_path / "b").splits) == ["train", "test"]


def test_tiny_imagenet(tmp_path):
    """A folder of pictures and a text of boxes in each class; one folder, whose name is no class, in val and test."""
    for label in ("n01443537", "n01629819"):
        for i in range(4):
            picture(tmp_path / "train" / label / "images" / f"{label}_{i}.JPEG", i)
        (tmp_path / "train" / label / f"{label}_boxes.txt").write_text(f"{label}_0.JPEG\t0\t0\t9\t9\n")
    for part in ("val", "test"):
        picture(tmp_path / part / "images" / f"{part}_0.JPEG")
    (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn01443537\t0\t0\t9\t9\n")
    config = RunConfig(data=str(tmp_path))
    data = plan.open_data(plan.locate(config), config)
    assert {part: sorted(set(x.y)) for part, x in data.splits.items()} == {"train": ["n01443537", "n01629819"]}
    assert "the 1 images of val are not used: their one folder, images, is no class of training." in data.warnings


def test_a_test_with_classes_of_its_own_is_kept(tmp_path):
    """Anomalies, and classes that a classifier is told of."""
    for name in ("train/good/1.png", "test/broken/1.png"):
        picture(tmp_path / "a" / name)
    assert set(image_folder.open(tmp_path / "a").splits) == {"train", "test"}
    for name in ("train/a/1.png", "train/b/1.png", "test/c/1.png", "test/d/1.png"):
        picture(tmp_path / "b" / name)
    assert set(image_folder.open(tmp_path / "b").splits) == {"train", "test"}


def pairs(folder, rng, names, second):
    """Photographs in one folder, and in another what `second` makes of each."""
    for name in names:
        pixels = rng.integers(0, 256, (6, 8)).repeat(8, axis=0).repeat(8, axis=1)
        for label, values in (("one", pixels), ("two", second(pixels))):
            (folder / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(folder / label / f"{name}.png")
    return image_folder.open(folder).warnings


def test_views_of_the_same_pictures_are_told(tmp_path, rng):
    """By names that say something, or by pictures that are alike where names only count."""
    counted = [str(i) for i in range(12)]
    named = [f"{word}_{i}" for word in ("beagle", "Abyssinian") for i in (3, 17, 40)]
    noisy = pairs(tmp_path / "noisy", rng, counted, lambda x: x + rng.normal(0, 40, x.shape))
    masks = pairs(tmp_path / "masks", rng, named, lambda x: rng.integers(0, 2, x.shape) * 255)
    for warnings in (noisy, masks):
        assert len(warnings) == 1
        assert "one, two hold the same file names, as views of the same pictures do" in warnings[0]


def test_names_that_only_count_are_no_views(tmp_path, rng):
    counted = [f"img{i}" for i in range(12)]
    assert pairs(tmp_path / "a", rng, counted, lambda x: rng.integers(0, 256, x.shape)) == []
    assert pairs(tmp_path / "b", rng, counted, np.zeros_like) == []


@pytest.mark.parametrize("above", ["", "BSDS500/data/"])
def test_the_folder_of_the_classes_is_named_where_notes_lie_beside_it(tmp_path, above):
    """As of Caltech 101, Food 101, DTD and Stanford Dogs."""
    for label in ("banded", "blotchy"):
        picture(tmp_path / above / "images" / label / "1.png")
    (tmp_path / above / "meta").mkdir()
    (tmp_path / above / "meta" / "classes.txt").write_text("banded\nblotchy\n")
    with pytest.raises(DataError, match=r"1 class folder without an image: .*meta") as error:
        image_folder.open(tmp_path)
    assert error.value.hint == f"name the folder with the classes in it: {tmp_path / above / 'images'}."


def test_what_only_the_test_has_is_an_anomaly_and_for_a_classifier_an_error(tmp_path):
    for i in range(12):
        picture(tmp_path / "train" / "good" / f"{i}.png", 10 + i)
        picture(tmp_path / "test" / ("good" if i % 2 else "broken") / f"{i}.png", 90 + i)
    small = ["--epochs", "1", "--set", "fit.steps=1", "--out"]
    command = [
        "train",
        str(tmp_path),
        "--task",
        "anomaly-detection",
        "--set",
        "task.normal=good",
        *small,
        str(tmp_path / "a"),
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "roc_auc" in json.loads((tmp_path / "a" / "report.json").read_text())["metrics"]["test"]
    result = CliRunner().invoke(
        app, ["train", str(tmp_path), "--task", "image-classification", *small, str(tmp_path / "b")]
    )
    assert result.exit_code
    assert isinstance(result.exception, DataError)


def test_a_table_beside_its_pictures_is_the_data(tmp_path):
    names = [f"{i}.png" for i in range(24)]
    for i, name in enumerate(names):
        picture(tmp_path / "images" / name, i)
    lines = ["file,label", *(f"{name},{'ab'[i % 2]}" for i, name in enumerate(names))]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    assert table.matches(tmp_path)
    assert not image_folder.matches(tmp_path)
    assert not flat_images.matches(tmp_path)
    assert len(table.open(tmp_path).splits["all"]) == 24


def test_pictures_of_the_same_name_are_looked_for_in_the_folder_of_their_split(tmp_path):
    for part, value in (("train", 40), ("test", 230)):
        for i in range(8):
            picture(tmp_path / part / f"{i}.png", value)
        lines = ["file,label", *(f"{i}.png,{'ab'[i % 2]}" for i in range(8))]
        (tmp_path / f"{part}.csv").write_text("\n".join(lines) + "\n")
    data = table.open(tmp_path / "train.csv")
    assert {part: int(examples.x.whole(0, 1).mean()) for part, examples in data.splits.items()} == {
        "train": 40,
        "test": 230,
    }


@pytest.mark.parametrize("named", ["{}", "{}.png"])
@pytest.mark.parametrize("table_name", ["train.csv", "trainLabels.csv", "labels.csv"])
@pytest.mark.parametrize("asked", [False, True])
def test_labels_without_a_split_of_their_own_belong_to_the_pictures_for_training(tmp_path, named, table_name, asked):
    """Also where one of them is not there, and where a table without labels asks for those of the test."""
    for i in range(30):
        picture(tmp_path / "test" / f"{i}.png", 230)
        if i != 3:
            picture(tmp_path / "train" / f"{i}.png", 40)
    names = [named.format(i) for i in range(30)]
    lines = ["id,label", *(f"{name},{'ab'[i % 2]}" for i, name in enumerate(names))]
    (tmp_path / table_name).write_text("\n".join(lines) + "\n")
    if asked:
        (tmp_path / "test.csv").write_text("\n".join(["id", *names]) + "\n")
    data = table.open(tmp_path / table_name, unreadable=0.1)
    assert (data.kind, list(data.splits), len(data.splits["all"])) == ("images", ["all"], 29)
    assert max(data.splits["all"].x.whole(i, 1).max() for i in range(29)) == 40
    if asked:
        questions = table.open(tmp_path / "test.csv", kind="images", target="label", unlabelled=True).splits["all"]
        assert min(questions.x.whole(i, 1).min() for i in range(30)) == 230


@pytest.mark.parametrize(("name", "ending"), [("id{}", ".jpg"), ("{}", ".PNG")])
def test_a_table_may_name_pictures_without_their_endings(tmp_path, name, ending):
    """An id for each picture, a folder for each part: numbers too, as in competitions."""
    for part, first in (("train", 1), ("test", 1)):
        lines = ["id,breed"]
        for i in range(first, first + 24):
            picture(tmp_path / part / f"{name.format(i)}{ending}", 9 * i if part == "train" else 0)
            lines.append(f"{name.format(i)},{'cat' if i % 2 else 'dog'}")
        (tmp_path / f"{part}.csv").write_text("\n".join(lines), encoding="utf-8")
    config = RunConfig(data=str(tmp_path))
    data = plan.open_data(plan.locate(config), config)
    assert data.kind == "images"
    train, test = data.splits["train"], data.splits["test"]
    assert set(train.y) == {"cat", "dog"}
    assert train.names[0].endswith(ending)
    assert max(train.x.whole(i, 1).max() for i in range(4)) > 0
    assert max(test.x.whole(i, 1).max() for i in range(24)) == 0


@pytest.mark.parametrize("ending", ["", ".jpg"])
def test_a_picture_that_a_table_names_and_that_is_not_there_is_named(tmp_path, ending):
    for i in range(30):
        if i != 2:
            picture(tmp_path / "train" / f"id{i}.jpg", i)
    lines = ["id,breed", *(f"id{i}{ending},{'cat' if i % 2 else 'dog'}" for i in range(30))]
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    config = RunConfig(data=str(tmp_path))
    with pytest.raises(DataError, match=r"1 of 30 images in column 'id' could not be read: id2\.jpg"):
        plan.open_data(plan.locate(config), config)


def test_numbers_beside_a_few_plots_stay_numbers(tmp_path):
    lines = ["x,y", *(f"{7 * i % 40},{i * i}" for i in range(40))]
    (tmp_path / "points.csv").write_text("\n".join(lines), encoding="utf-8")
    for i in range(5):
        picture(tmp_path / f"{i}.png")
    data = table.open(tmp_path / "points.csv", kind="table", target="y")
    assert data.about["columns"] == {"x": "numeric"}


def test_many_numbered_classes_of_pictures_are_classes(tmp_path):
    for i in range(90):
        picture(tmp_path / "images" / f"{i}.png", i)
    lines = ["Path,ClassId", *(f"images/{i}.png,{i % 30}" for i in range(90))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    data = table.open(tmp_path / "a.csv", target="ClassId")
    assert (data.kind, len(set(data.splits["all"].y.tolist()))) == ("images", 30)


def test_a_named_file_of_training_images_brings_its_test_file_along(tmp_path):
    for word in ("balanced", "letters"):
        for part, count in (("train", 20), ("test", 10)):
            stem = tmp_path / f"emnist-{word}-{part}"
            images = struct.pack(">4B3I", 0, 0, 8, 3, count, 8, 8) + bytes(64 * count)
            labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(i % 2 for i in range(count))
            with gzip.open(f"{stem}-images-idx3-ubyte.gz", "wb") as file:
                file.write(images)
            with gzip.open(f"{stem}-labels-idx1-ubyte.gz", "wb") as file:
                file.write(labels)
            (tmp_path / f"emnist-{word}-{part}-labels.idx1-ubyte").mkdir()
    data = idx.open(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz")
    assert {part: len(examples) for part, examples in data.splits.items()} == {"train": 20, "test": 10}
    assert list(idx.open(tmp_path / "emnist-letters-test-images-idx3-ubyte.gz").splits) == ["all"]


def test_whole_numbers_saved_as_floats_are_classes(tmp_path):
    x = np.zeros((60, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.arange(60, dtype=np.float32) % 10)
    np.savez(tmp_path / "b.npz", x_train=x, y_train=np.arange(60, dtype=np.float32) / 7)
    assert npz.open(tmp_path / "a.npz").about["classes"] == [str(i) for i in range(10)]
    assert npz.open(tmp_path / "b.npz").about["classes"] is None


@pytest.mark.parametrize("suffix", ["ppm", "pgm", "jfif"])
def test_less_usual_endings_are_pictures(tmp_path, suffix):
    for label in ("a", "b"):
        path = tmp_path / label / f"1.{suffix}"
        path.parent.mkdir()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path, format={"jfif": "JPEG"}.get(suffix, "PPM"))
    assert len(image_folder.open(tmp_path).splits["all"]) == 2


def test_a_column_of_anomalies_makes_a_table_a_series(tmp_path):
    lines = [
        "timestamp,value,label",
        *(f"2020-01-01 {i // 60:02d}:{i % 60:02d},{i % 9}.5,{i // 290}" for i in range(300)),
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    config = RunConfig(data=str(tmp_path / "a.csv"), task="anomaly-detection", set={"task": {"label": "label"}})
    assert plan.open_data(plan.locate(config), config).kind == "series"
    plain = RunConfig(data=str(tmp_path / "a.csv"), task="anomaly-detection", set={"task": {"normal": "0"}})
    assert plan.open_data(plan.locate(plain), plain).kind == "table"


def cifar(folder, *, before, names, files):
    """Each picture with its own class byte, its red plane 10 and its blue plane 30, one green row of 99."""
    folder.mkdir()
    (folder / names[0]).write_text("\n".join(names[1:]) + "\n\n")
    for name, labels in files.items():
        rows = []
        for label in labels:
            pixels = np.zeros((3, 32, 32), np.uint8)
            pixels[0], pixels[1, 5], pixels[2] = 10, 99, 30
            rows.append(bytes([7] * (before - 1) + [label]) + pixels.tobytes())
        (folder / name).write_bytes(b"".join(rows))
    return folder


def test_cifar_as_bytes_has_the_names_of_its_classes_and_its_own_test(tmp_path):
    files = {"data_batch_1.bin": [0, 1], "data_batch_2.bin": [1], "test_batch.bin": [1, 1], "readme.html": []}
    ten = cifar(tmp_path / "ten", before=1, names=["batches.meta.txt", "airplane", "automobile"], files=files)
    assert cifar_binary.matches(ten)
    data = cifar_binary.open(ten)
    assert {split: part.y.tolist() for split, part in data.splits.items()} == {
        "train": ["airplane", "automobile", "automobile"],
        "test": ["automobile", "automobile"],
    }
    assert data.about["counts"] == {"airplane": 1, "automobile": 4}
    shown = data.splits["train"].x.whole(2, 3)
    assert shown[0, 0].tolist() == [10, 0, 30]
    assert shown[5, 9].tolist() == [10, 99, 30]
    hundred = {"train.bin": [2, 0], "test.bin": [1]}
    hundred = cifar(tmp_path / "100", before=2, names=["fine_label_names.txt", "apple", "bee", "cup"], files=hundred)
    assert cifar_binary.open(hundred).splits["train"].y.tolist() == ["cup", "apple"]


def test_a_cut_or_foreign_cifar_file_is_an_error(tmp_path):
    folder = cifar(tmp_path / "c", before=1, names=["batches.meta.txt", "a", "b"], files={"data_batch_1.bin": [0, 5]})
    with pytest.raises(DataError, match="has a class 5; 2 names"):
        cifar_binary.open(folder)
    with (folder / "data_batch_1.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match=r"6,147 bytes, no multiple of 3,073"):
        cifar_binary.open(folder)


def test_cifar_as_pickles_is_refused_with_a_way_out(tmp_path):
    for name in ("batches.meta", "data_batch_1", "test_batch"):
        (tmp_path / name).write_bytes(b"\x80\x02}q\x00.")
    assert cifar_binary.matches(tmp_path)
    with pytest.raises(DataError, match="Python pickles") as refused:
        cifar_binary.open(tmp_path)
    assert "binary version" in refused.value.hint
