"""Bad data is one sentence with a hint and exit code 3, before Keras is imported, and nothing is half-written."""

import os

import numpy as np
import pytest
from PIL import Image

from tests.test_cli import dlcli


def pictures(folder, count=12, offset=0):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(offset)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype("uint8")).save(folder / f"{i}.png")


def empty_class(data):
    pictures(data / "cat")
    pictures(data / "dog", offset=1)
    (data / "bird").mkdir()
    return "bird"


def one_class(data):
    pictures(data / "train" / "cat")
    return "cat"


def mostly_corrupt(data):
    pictures(data / "cat")
    pictures(data / "dog", offset=1)
    for i in range(6):
        (data / "cat" / f"{i}.png").write_bytes(b"\x89PNG but not really")
    return "0.png"


def nothing(data):
    (data / "sub").mkdir(parents=True)
    return "sub"


def table(data, text: bytes):
    data.mkdir()
    (data / "table.csv").write_bytes(text)


def missing_targets(data):
    table(
        data,
        b"x,y,answer\n"
        + b"".join(b"%d,%d,%s\n" % (i, i * i % 7, b"" if i in (3, 5) else b"%d" % (i % 2)) for i in range(40)),
    )
    return "2"


def ragged_rows(data):
    table(data, b"x,y,answer\n" + b"".join(b"%d,%d,%d\n" % (i, i % 5, i % 2) for i in range(20)) + b"1,2,0,7\n")
    return "22"


def no_text(data):
    table(data, b"x,answer\n" + bytes(range(256)) * 3)
    return "table.csv"


def empty_file(data):
    table(data, b"")
    return "empty"


@pytest.mark.parametrize(
    "make", [empty_class, one_class, mostly_corrupt, nothing, missing_targets, ragged_rows, no_text, empty_file]
)
def test_bad_data_is_one_sentence(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    named = make(data)
    extra = ["--task", "image-classification"] if make is one_class else []
    extra = ["--target", "answer"] if make in (missing_targets, ragged_rows) else extra
    answer = dlcli("train", "data", *extra)
    assert answer.returncode == 3, answer.stderr
    assert "Error:" in answer.stderr
    assert named in answer.stderr
    assert "Traceback" not in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_rights_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "data", b"x,answer\n1,0\n")
    (tmp_path / "data" / "table.csv").chmod(0)
    answer = dlcli("train", "data", "--target", "answer")
    assert answer.returncode == 5
    assert "table.csv" in answer.stderr


def test_a_few_bad_pictures_are_counted_and_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for offset, name in enumerate(("cat", "dog")):
        pictures(tmp_path / "data" / name, count=40, offset=offset)
    (tmp_path / "data" / "cat" / "7.png").write_bytes(b"")
    answer = dlcli("train", "data", "--arch", "lenet", "--out", "run")
    assert answer.returncode == 3
    assert "1 of 80 images could not be read" in answer.stderr
    assert "7.png" in answer.stderr


def test_an_output_folder_that_cannot_be_written_is_found_before_the_data_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    answer = dlcli("train", "shapes", "--out", "file/run")
    assert answer.returncode == 5
    assert "file" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_memory_that_does_not_suffice_is_one_sentence(tmp_path, monkeypatch, capsys):
    from dlcli import cli, plan

    monkeypatch.setattr("sys.argv", ["dlcli", "train", str(tmp_path)])
    monkeypatch.setattr(plan, "locate", lambda config: bytearray(1 << 62))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 7
    assert "not enough memory" in capsys.readouterr().err
