"""Arrays in files of their own: which belong together, what they hold, what is refused."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dlcli import plan, splits
from dlcli.cli import app
from dlcli.config import RunConfig
from dlcli.errors import DataError
from dlcli.formats import array_files, npz

GREY = np.arange(12 * 8 * 8, dtype=np.uint8).reshape(12, 8, 8)


def folder(path, **arrays):
    path.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def test_a_folder_of_arrays_is_read_by_the_names_of_its_files(tmp_path):
    folder(tmp_path, x_train=GREY[:8], y_train=np.arange(8) % 2, X_test=GREY[8:], y_test=[0, 1, 0, 1], weights=GREY)
    assert array_files.matches(tmp_path)
    data = array_files.open(tmp_path)
    assert data.kind == "images"
    assert list(data.splits) == ["train", "test"]
    assert data.splits["test"].y.tolist() == ["0", "1", "0", "1"]
    assert (data.splits["test"].x.prepare(8, 8, 1).read(np.arange(4))[..., 0] == GREY[8:]).all()
    assert data.warnings == ["arrays that were not used: weights.npy."]


@pytest.mark.parametrize(
    ("y", "kind", "task"),
    [
        (np.arange(200) % 3, "classes", "tabular-classification"),
        (np.arange(200) % 3 * 1.0, "classes", "tabular-classification"),
        (np.arange(200) % 26 + 1, "classes", "tabular-classification"),
        (np.arange(200) % 90 * 7 + 25, "numbers", "tabular-regression"),
        (np.arange(200) * 0.25, "numbers", "tabular-regression"),
        (None, "none", None),
    ],
)
def test_rows_of_an_array_are_a_table_with_its_labels(tmp_path, rng, y, kind, task):
    """As a table in a file has them: boston_housing.npz, or X_train.npy beside y_train.npy."""
    x = rng.normal(size=(260, 5))
    found = {"x_train": x[:200], "x_test": x[200:]}
    if y is not None:
        found |= {"y_train": y, "y_test": y[:60]}
    np.savez(tmp_path / "a.npz", **found)
    for path in (tmp_path / "a.npz", folder(tmp_path / "set", **found)):
        config = RunConfig(data=str(path))
        entry = plan.locate(config)
        data = plan.open_data(entry, config)
        assert (data.kind, data.about["target_kind"], plan.labels_of(data)) == ("table", kind, kind)
        assert list(data.about["columns"]) == ["x0", "x1", "x2", "x3", "x4"] == data.splits["train"].x.columns
        assert (data.splits["test"].y is None) == (y is None)
        if task:
            assert plan.choose(config, entry, data).task.name == task
            splits.split(data)
            assert not [warning for warning in data.warnings if "also stand" in warning]


def test_kuzushiji_as_it_is_published(tmp_path):
    """An archive of one nameless array for each of kmnist-{train,test}-{imgs,labels} (codh.rois.ac.jp/kmnist)."""
    for split, part in (("train", slice(0, 8)), ("test", slice(8, 12))):
        np.savez_compressed(tmp_path / f"kmnist-{split}-imgs.npz", GREY[part])
        np.savez_compressed(tmp_path / f"kmnist-{split}-labels.npz", np.arange(12)[part] % 4)
    (tmp_path / "kmnist_classmap.csv").write_text("index,codepoint,char\n0,U+304A,o\n")
    for path in (tmp_path, tmp_path / "kmnist-train-imgs.npz", tmp_path / "kmnist-train-labels.npz"):
        assert array_files.matches(path)
        assert not npz.matches(path)
        data = array_files.open(path)
        assert {split: len(examples) for split, examples in data.splits.items()} == {"train": 8, "test": 4}
        assert data.about["classes"] == ["0", "1", "2", "3"]
    alone = array_files.open(tmp_path / "kmnist-test-imgs.npz")
    assert list(alone.splits) == ["all"]
    assert len(alone.splits["all"]) == 4


def test_one_array_alone(tmp_path, rng):
    np.save(tmp_path / "waves.npy", rng.normal(size=(5, 30, 2)))
    assert array_files.matches(tmp_path / "waves.npy")
    assert not array_files.matches(tmp_path)
    data = array_files.open(tmp_path / "waves.npy")
    assert data.kind == "sequences"
    assert data.splits["all"].y is None


def test_archives_with_names_in_them_are_left_to_the_other_format(tmp_path):
    np.savez(tmp_path / "x_train.npz", x=GREY, y=np.arange(12))
    assert npz.matches(tmp_path / "x_train.npz")
    assert not array_files.matches(tmp_path / "x_train.npz")
    assert not array_files.matches(tmp_path)


def test_features_beside_pictures_are_no_set(tmp_path):
    np.save(tmp_path / "features.npy", GREY)
    assert not array_files.matches(tmp_path)
    np.save(tmp_path / "labels.npy", np.arange(12))
    assert array_files.matches(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (
            {"x_train": GREY, "y_train": np.arange(11)},
            "y of train has 11 rows, x has 12|y of all has 11 rows, x has 12",
        ),
        ({"a_train_images": GREY, "b_train_images": GREY}, "two files for x of train"),
        ({"a_train_images": GREY, "b_test_images": GREY}, "holds 2 sets: a, b"),
        ({"x_train": GREY, "y_train": np.array([{}] * 12, object)}, "y_train.npy holds object"),
        ({"x_test": GREY, "x_val": GREY}, "but no x_train"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, arrays, reason):
    with pytest.raises(DataError, match=reason):
        array_files.open(folder(tmp_path, **arrays))


@pytest.mark.parametrize("damage", ["text", "cut", "lie", "empty"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = folder(tmp_path, x=GREY, y=np.arange(12)) / "x.npy"
    whole = path.read_bytes()
    broken = {
        "text": b"hello",
        "cut": whole[:-100],
        "lie": whole.replace(b"(12, 8, 8)", b"(1200, 88)"),
        "empty": b"",
    }
    path.write_bytes(broken[damage])
    with pytest.raises(DataError, match=r"x\.npy (is no array|says its shape|could not be read)"):
        array_files.open(tmp_path)


def test_a_folder_of_arrays_is_trained_on(tmp_path, rng):
    y = np.arange(60) % 2
    x = (y[:, None, None] * 150 + rng.integers(0, 60, (60, 8, 8))).astype(np.uint8)
    folder(tmp_path / "set", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    said = f"train {tmp_path}/set --arch lenet --epochs 6 --out {tmp_path}/run --json"
    done = CliRunner().invoke(app, said.split())
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["metrics"]["test"]["accuracy"]["value"] == 1.0
