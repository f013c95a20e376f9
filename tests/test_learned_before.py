"""Other data that holds what a run was trained on is recognised, in whatever order and file it comes."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from dlcli import console, fingerprint
from dlcli.cli import app
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.images import ArrayImages
from dlcli.rundir import Run


def said(*arguments) -> tuple[dict, str]:
    """The command's JSON document, and what it says beside it."""
    console.results.quiet = False
    answer = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout), " ".join(answer.stderr.split())


def test_a_copy_of_the_training_table_is_no_test(tmp_path, rng):
    head, rows = "a,b,kind", [f"{a:.3f},{b:.3f},{'xy'[int(a + b > 0)]}" for a, b in rng.normal(size=(200, 2))]
    fresh = [f"{a:.3f},{b:.3f},{'xy'[int(a + b > 0)]}" for a, b in rng.normal(size=(150, 2))]
    files = {"data": rows, "copy": rng.permutation(rows), "half": [*rows[:100], *fresh], "fresh": fresh}
    for name, lines in files.items():
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *lines]))
    out = tmp_path / "run"
    said("train", tmp_path / "data.csv", "--target", "kind", "--epochs", 1, "--set", "fit.steps=2", "--out", out)
    learned = json.loads((out / "origin.json").read_text())["data"]["train"]["examples"]
    document, told = said("evaluate", out, tmp_path / "copy.csv")
    assert document["verdict"].startswith("These scores are of training examples")
    assert f"{learned} of 200 examples are equal to some that this run was trained on" in told
    document, told = said("evaluate", out, tmp_path / "half.csv")
    assert "of 250 examples are equal to some" in told
    assert not document["verdict"].startswith("These scores")
    assert "are equal" not in said("evaluate", out, tmp_path / "fresh.csv")[1]


def test_rows_are_known_again_in_a_file_with_more_columns_in_another_order(tmp_path, rng):
    rows = [(f"{a:.3f}", f"{b:.3f}", "xy"[int(a + b > 0)]) for a, b in rng.normal(size=(60, 2))]
    frame = pl.DataFrame(rows, schema=["a", "b", "kind"], orient="row")
    frame.write_csv(tmp_path / "data.csv")
    frame.with_columns(more=pl.Series(range(60)))[["kind", "more", "b", "a"]].write_csv(tmp_path / "other.csv")
    out = tmp_path / "run"
    said("train", tmp_path / "data.csv", "--target", "kind", "--epochs", 1, "--set", "fit.steps=2", "--out", out)
    learned = json.loads((out / "origin.json").read_text())["data"]["train"]["examples"]
    assert f"{learned} of 60 examples are equal to some" in said("evaluate", out, tmp_path / "other.csv")[1]


def test_a_file_that_lacks_a_column_is_refused_in_a_sentence(tmp_path, rng):
    rows = [(f"{a:.3f}", f"{b:.3f}", "xy"[int(a + b > 0)]) for a, b in rng.normal(size=(60, 2))]
    frame = pl.DataFrame(rows, schema=["a", "b", "kind"], orient="row")
    frame.write_csv(tmp_path / "data.csv")
    frame[["a", "kind"]].write_csv(tmp_path / "other.csv")
    out = tmp_path / "run"
    said("train", tmp_path / "data.csv", "--target", "kind", "--epochs", 1, "--set", "fit.steps=2", "--out", out)
    with pytest.raises(DataError, match="trained on are missing: b"):
        said("evaluate", out, tmp_path / "other.csv")


def test_a_table_is_asked_for_no_target_that_the_run_knows(tmp_path):
    """A built-in sample, and the same rows in a file."""
    from dlcli.formats import builtin

    out = tmp_path / "run"
    said("train", "people:200", "--epochs", 1, "--set", "fit.steps=2", "--out", out)
    people = builtin.open("people:200").splits["all"]
    people.x.with_columns(pl.Series("renews", people.y)).write_csv(tmp_path / "other.csv")
    document, told = said("evaluate", out, tmp_path / "other.csv")
    assert document["metrics"]["all"]["accuracy"]["n"] == 200
    assert "of 200 examples are equal to some" in told


def _examples(kind: str, rng, n: int = 30):
    if kind == "images":
        return ArrayImages(rng.integers(0, 255, (n, 8, 8, 1), dtype=np.uint8))
    if kind == "table":
        return pl.DataFrame({"a": rng.normal(size=n), "b": [f"word {i}" for i in range(n)], "c": ["y"] * n})
    if kind == "sequences":
        return [rng.normal(size=(5 + i % 3, 2)).astype(np.float32) for i in range(n)]
    return [f"text {i} of many" for i in range(n)]


@pytest.mark.parametrize("kind", ["images", "table", "sequences", "texts", "corpus"])
def test_examples_of_every_kind_are_known_again(kind, tmp_path, rng):
    whole = Examples(x=_examples(kind, rng))
    data = Data(
        kind=kind, splits={"train": whole.take(np.arange(20))}, about={"columns": ["a", "b"]} if kind == "table" else {}
    )
    fingerprint.keep(Run(tmp_path), data)
    for chosen, known in (([5, 29, 3], 2), (range(20, 30), 0), (range(30), 20)):
        assert fingerprint.learned(Run(tmp_path), data, whole.take(np.array(chosen))) == known


def test_a_picture_file_is_known_again_under_another_name(tmp_path, rng):
    from dlcli.formats import image_folder

    for i, pixels in enumerate(rng.integers(0, 255, (6, 8, 8), dtype=np.uint8)):
        for folder, name in (("one", i), ("two", 9 - i)):
            target = tmp_path / folder / "ab"[i % 2] / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(target)
    one, two = (image_folder.open(tmp_path / folder) for folder in ("one", "two"))
    fingerprint.keep(Run(tmp_path), Data(kind="images", splits={"train": one.splits["all"]}))
    assert fingerprint.learned(Run(tmp_path), two, two.splits["all"]) == 6


def test_a_run_without_the_file_or_with_half_of_it_knows_less(tmp_path):
    data = Data(kind="texts", splits={"train": Examples(x=["one", "two", "three"])})
    assert fingerprint.learned(Run(tmp_path), data, data.splits["train"]) == 0
    fingerprint.keep(Run(tmp_path), data)
    file = tmp_path / fingerprint.MARKS
    file.write_bytes(file.read_bytes()[:20])
    assert fingerprint.learned(Run(tmp_path), data, data.splits["train"]) == 2
