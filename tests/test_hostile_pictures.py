"""Folders of pictures that nobody should have to look through by hand, given to the command as a user would."""

import io
import os
import re
import shutil
import socket
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from dlcli import file_bytes, images
from dlcli.classification import Classification
from dlcli.config import RunConfig
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.formats import flat_images, image_folder
from dlcli.splits import split
from tests.opening import bound_by_rights, opened

# Resident memory of a whole command until Keras starts, on any of the folders below.
BOUND = 1 << 30


def picture(seed=0, height=16, width=16):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype("uint8"))


def encoded(kind="PNG", **size) -> bytes:
    file = io.BytesIO()
    picture(**size).save(file, kind)
    return file.getvalue()


def classes(folder, count=20, names=("a", "b")):
    """Class folders of small PNGs, no two alike."""
    for k, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            picture(seed=1000 * k + i).save(folder / name / f"{i}.png")
    return folder


def png(width: int, height: int, *, depth=8, colour=2, rows=b"") -> bytes:
    """A PNG written by hand: its header may say anything."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """So many zero bytes, deflated: a thousandth of them."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(count >> 20)]
    return b"".join([*parts, packer.compress(bytes(count % (1 << 20))), packer.flush()])


def broken(folder) -> dict[str, str]:
    """Files that are no pictures, as NAME: what must be said of it."""
    jpeg, plain = encoded("JPEG", height=64, width=64), encoded()
    flipped = bytearray(plain)
    flipped[len(plain) // 2] ^= 1
    contents = {
        "half.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "last2.jpg": (jpeg[:-2], "truncated"),
        "empty.png": (b"", "empty file"),
        "text.png": (b"hello", "not a picture"),
        "page.jpg": (b"<html><body>404</body></html>", "not a picture"),
        "half.png": (plain[: len(plain) // 2], ""),
        "flipped.png": (bytes(flipped), ""),
        "bomb.png": (png(100_000, 100_000), "pixels, above the limit"),
        "zeros.png": (png(12_000, 12_000, rows=zeros(12_000 * 36_001)), "pixels, above the limit"),
        "array.tiff": (None, "range is unknown"),
    }
    for name, (data, _) in contents.items():
        if data is not None:
            (folder / name).write_bytes(data)
    Image.fromarray(np.arange(64, dtype="int32").reshape(8, 8)).save(folder / "array.tiff")
    reasons = {name: reason for name, (_, reason) in contents.items()}
    (folder / "link.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.png"))
    return reasons | {"link.png": "a link to nothing", "pipe.png": "no regular file", "socket.png": "No such device"}


def test_every_broken_file_is_named_with_its_class_and_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes(tmp_path / "data")
    reasons = broken(tmp_path / "data" / "a")
    answer = opened("train", "data", cwd=tmp_path)
    assert answer.code == 3
    assert "Traceback" not in answer.said
    assert answer.said.startswith(f"Error: {len(reasons)} of {40 + len(reasons)} images could not be read")
    for name, reason in reasons.items():
        assert f"a/{name} (" in answer.said
        assert reason in answer.said.partition(f"a/{name} (")[2].partition(")")[0]
    assert answer.peak < BOUND
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_may_be_left_out_is_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes(tmp_path / "data")
    reasons = broken(tmp_path / "data" / "a")
    data = image_folder.open(tmp_path / "data", unreadable=0.3)
    assert data.about["counts"] == {"a": 20, "b": 20}
    assert all(f"a/{name} (" in data.warnings[0] for name in reasons)
    with pytest.raises(DataError, match="13 of 53"):
        image_folder.open(tmp_path / "data", unreadable=0.2)


def test_skip_bad_leaves_out_one_in_a_hundred(tmp_path):
    """And no more, so that a broken disk is not taken for a few bad files."""
    classes(tmp_path / "data", count=50)
    (tmp_path / "data" / "a" / "7.png").write_bytes(b"")
    refused = opened("train", "data", cwd=tmp_path)
    assert refused.code == 3
    assert "a/7.png (empty file)" in refused.said
    assert "--skip-bad" in refused.said
    allowed = opened("train", "data", "--skip-bad", cwd=tmp_path)
    assert allowed.code == 0
    assert "1 of 100 images could not be read: a/7.png (empty file); they were left out." in allowed.said
    (tmp_path / "data" / "a" / "8.png").write_bytes(b"")
    more = opened("train", "data", "--skip-bad", cwd=tmp_path)
    assert more.code == 3
    assert "--set data.unreadable=0.02" in more.said


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["rgb", "rgba", "grey16"])
def test_pictures_just_below_the_limit_are_held_one_at_a_time(tmp_path, colour):
    """9 400 x 9 400 zeros in some hundred kilobytes, twice, on as many threads as there are."""
    classes(tmp_path / "data", count=6)
    bits, kind, bytes_ = {"rgb": (8, 2, 3), "rgba": (8, 6, 4), "grey16": (16, 0, 2)}[colour]
    data = png(9400, 9400, depth=bits, colour=kind, rows=zeros(9400 * (9400 * bytes_ + 1)))
    for i in range(2):
        (tmp_path / "data" / "a" / f"big{i}.png").write_bytes(data)
    answer = opened("train", "data", cwd=tmp_path)
    assert answer.code == 0
    assert answer.peak < BOUND


def test_links_are_followed_once_and_those_that_lead_out_are_told(tmp_path):
    classes(tmp_path / "data")
    classes(tmp_path / "elsewhere", count=3, names=("x",))
    (tmp_path / "data" / "a" / "self").symlink_to(tmp_path / "data" / "a")
    (tmp_path / "data" / "a" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "a" / "away").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "b" / "file.png").symlink_to(tmp_path / "elsewhere" / "x" / "0.png")
    (tmp_path / "data" / "b" / "again.png").symlink_to(tmp_path / "data" / "b" / "1.png")
    data = image_folder.open(tmp_path / "data")
    assert data.about["counts"] == {"a": 23, "b": 22}
    assert any("2 links lead out of" in warning and "a/away, b/file.png" in warning for warning in data.warnings)


@pytest.mark.skipif(bound_by_rights() is None, reason="root may read every file")
def test_what_may_not_be_read_is_named(tmp_path):
    classes(tmp_path / "data", count=6)
    (tmp_path / "data" / "a" / "2.png").chmod(0)
    answer = opened("train", "data", cwd=tmp_path, before=bound_by_rights())
    assert answer.code == 3
    assert "1 of 12 images could not be read: a/2.png (Permission denied)" in answer.said
    (tmp_path / "data" / "a" / "2.png").chmod(0o600)
    (tmp_path / "data" / "b").chmod(0)
    answer = opened("train", "data", cwd=tmp_path, before=bound_by_rights())
    (tmp_path / "data" / "b").chmod(0o700)
    assert answer.code == 5
    assert "Permission denied: data/b" in answer.said


@pytest.mark.parametrize("name", ["lone.png", "lone.csv", "lone.npz", "lone.txt", "lone.parquet"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    answer = opened("train", name, cwd=tmp_path, timeout=20)
    assert answer.code == 3
    assert "neither a file nor a folder" in answer.said


@pytest.mark.parametrize("name", ["data.zip", "data.tar.gz"])
def test_archives_are_not_unpacked(tmp_path, name):
    """So no ../ in one of them is ever followed."""
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    answer = opened("train", name, cwd=tmp_path)
    assert answer.code == 3
    assert "is an archive" in answer.said
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_names_that_steer_a_terminal_are_shown_and_not_obeyed(tmp_path):
    classes(tmp_path / "data")
    shutil.move(tmp_path / "data" / "a" / "0.png", os.fsencode(tmp_path) + b"/data/a/\xff\xfe.png")
    shutil.move(tmp_path / "data" / "a" / "1.png", tmp_path / "data" / "a" / ("x" * 251 + ".png"))
    shutil.move(tmp_path / "data" / "a" / "2.png", tmp_path / "data" / "a" / "🙂 \"quoted'.png")
    (tmp_path / "data" / "b" / "red\x1b[31m\n.png").write_bytes(b"")
    answer = opened("train", "data", cwd=tmp_path)
    assert answer.code == 3
    assert r"b/red\x1b[31m\x0a.png (empty file)" in answer.said
    assert "\x1b" not in answer.said
    (tmp_path / "data" / "b" / "red\x1b[31m\n.png").unlink()
    names = image_folder.open(tmp_path / "data").splits["all"].names
    assert {r"a/\xff\xfe.png", "a/" + "x" * 251 + ".png", "a/🙂 \"quoted'.png"} <= set(names)


def test_one_picture_in_two_classes_is_told(tmp_path):
    classes(tmp_path / "data")
    shutil.copy(tmp_path / "data" / "a" / "1.png", tmp_path / "data" / "b" / "same.png")
    answer = opened("train", "data", cwd=tmp_path)
    assert answer.code == 0
    assert "1 example with more than one label" in answer.said
    assert "'a' (a/1.png) and 'b' (b/same.png)" in answer.said


def test_a_class_whose_only_picture_is_one_of_another_class_can_be_learned():
    """Duplicates are kept together; no class may lose its last training example by that."""
    same = ["copy", "copy", *(f"text {i}" for i in range(30))]
    labels = np.array(["rare", "a", *("ab"[i % 2] for i in range(30))])
    for seed in range(20):
        done, _ = split(Data(kind="texts", splits={"all": Examples(x=same, y=labels)}), seed=seed)
        assert "rare" in done.splits["train"].y


def test_a_picture_of_training_that_stands_in_the_test_split_is_named(tmp_path):
    classes(tmp_path / "data" / "train")
    classes(tmp_path / "data" / "test", count=3)
    for i, label in enumerate("ab"):
        picture(seed=9000 + i).save(tmp_path / "data" / "test" / label / "new.png")
    shutil.copy(tmp_path / "data" / "train" / "a" / "5.png", tmp_path / "data" / "test" / "a" / "leak.png")
    done, _ = split(image_folder.open(tmp_path / "data"))
    told = [text for text in done.warnings if re.search("test examples also stand in (train|val)", text)]
    assert sum(int(text.split()[0]) for text in told) == 7  # the three of each class that are alike, and the leak
    assert any("test/a/" in text for text in told)


def test_classes_keep_the_order_of_training_whatever_a_test_folder_holds():
    class Named(Classification):
        def __init__(self):
            self.classes = ["cat", "dog", "owl"]

    assert Named().targets(Examples(x=[0, 0, 0], y=["owl", "cat", "owl"])).tolist() == [2, 0, 2]
    with pytest.raises(DataError, match="no training example has: emu"):
        Named().targets(Examples(x=[0], y=["emu"]))


def test_a_file_that_is_away_for_a_moment_is_tried_again(tmp_path):
    """As on a network file system; what stays away is named."""
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for i, file in enumerate(files):
        picture(seed=i).save(file)
    found = images.FileImages(files).prepare(16, 16, 3)
    data = files[1].read_bytes()
    files[1].unlink()
    back = threading.Thread(target=lambda: (time.sleep(0.2), files[1].write_bytes(data)))
    back.start()
    assert found.read(np.array([0, 1])).shape == (2, 16, 16, 3)
    back.join()
    files[2].unlink()
    with pytest.raises(DataError, match=r"2\.png could not be read: No such file"):
        found.read(np.array([2]))


def test_training_and_prediction_see_the_same_pixels(tmp_path):
    """Kept by the scan, streamed, and read one by one for predict: turned, transparent and deep ones too."""
    from dlcli import inputs

    classes(tmp_path / "data", count=3)
    turned = Image.Exif()
    turned[0x112] = 6
    picture(seed=50, height=40, width=30).save(tmp_path / "data" / "a" / "turned.jpg", exif=turned)
    picture(seed=51).convert("RGBA").save(tmp_path / "data" / "b" / "clear.webp", lossless=True)
    Image.fromarray(np.arange(256, dtype="uint16").reshape(16, 16) * 257).save(tmp_path / "data" / "b" / "deep.png")
    trained = image_folder.open(tmp_path / "data").splits["all"]
    expected = trained.x.prepare(12, 14, 3).read(np.arange(len(trained)))
    spec = {"kind": "images", "format": "image-folder"}
    config = RunConfig(data=str(tmp_path / "data"), format="image-folder")
    for name, pixels in zip(trained.names, expected, strict=True):
        asked = inputs.read(spec, config, [str(tmp_path / "data" / name)])
        assert np.array_equal(asked.x.prepare(12, 14, 3).read(np.array([0]))[0], pixels)


def test_a_picture_beside_a_pipe_can_be_predicted(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    picture().save(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"pipe\.png \(no regular file\)"):
        flat_images.open(tmp_path)
    assert len(flat_images.open(tmp_path, unreadable=0.5).splits["all"]) == 1


def test_a_file_larger_than_a_picture_can_be_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(file_bytes, "MAX_BYTES", 100)
    (tmp_path / "a.png").write_bytes(bytes(101))
    with pytest.raises(file_bytes.Unreadable, match="larger than"):
        file_bytes.read(str(tmp_path / "a.png"))


@pytest.mark.slow
def test_a_hundred_thousand_pictures_in_one_folder(tmp_path):
    """All are read, within the bound and in minutes."""
    (tmp_path / "data" / "a").mkdir(parents=True)
    classes(tmp_path / "data", count=100, names=("b",))
    data = encoded()
    for i in range(100_000):
        text = b"tEXt" + struct.pack(">I", i)
        extra = struct.pack(">I", 4) + text + struct.pack(">I", zlib.crc32(text))
        (tmp_path / "data" / "a" / f"{i}.png").write_bytes(data[:-12] + extra + data[-12:])
    answer = opened("train", "data", cwd=tmp_path, timeout=600)
    assert answer.code == 0
    assert answer.peak < BOUND


@pytest.mark.slow
def test_ten_thousand_classes(tmp_path):
    for k in range(10_000):
        (tmp_path / "data" / f"c{k}").mkdir(parents=True)
        for i in range(2):
            picture(seed=2 * k + i, height=8, width=8).save(tmp_path / "data" / f"c{k}" / f"{i}.png")
    answer = opened("train", "data", "--task", "image-classification", cwd=tmp_path, timeout=600)
    assert "Traceback" not in answer.said
    assert answer.code == 0
    assert answer.peak < BOUND
