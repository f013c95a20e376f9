"""Every check finds the fault that was planted, and all of them are quiet on clean sets."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dlcli import checking, plan, registry, splits
from dlcli.config import RunConfig
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError
from dlcli.formats import builtin
from dlcli.images import ArrayImages
from tests.conftest import shared
from tests.test_cli import dlcli


def faults(data: Data) -> dict[str, list[checking.Finding]]:
    """Findings that are faults, by check; the data may be in any splits."""
    if "all" in data.splits or "val" not in data.splits:
        data, _ = splits.split(data)
    found = {name: [f for f in findings if f.fault] for name, findings, _ in checking.checked(data)}
    return {name: findings for name, findings in found.items() if findings}


def digits() -> Data:
    data, _ = splits.split(builtin.open("digits"))
    return data


def pictures(part: Examples) -> np.ndarray:
    return part.x.source.array[part.x.positions]


def changed(data: Data, part: str, *, x=None, y=None) -> Data:
    old = data.splits[part]
    new = replace(old, x=old.x if x is None else x, y=old.y if y is None else y)
    return replace(data, splits={**data.splits, part: new})


def table(rng, n: int = 600) -> Data:
    """A clean table: two numbers and a town tell the class, with noise."""
    age, pay = rng.normal(40, 10, n).round(2), rng.normal(0, 1, n).round(4)
    town = rng.choice(["Ulm", "Bonn", "Kiel"], n)
    y = np.where((age - 40) / 10 + pay + (town == "Ulm") + rng.normal(0, 0.7, n) > 0.3, "yes", "no")
    frame = pl.DataFrame({"age": age, "pay": pay, "town": town})
    about = {
        "target": "y",
        "target_kind": "classes",
        "columns": {"age": "numeric", "pay": "numeric", "town": "category"},
    }
    return Data(kind="table", splits={"all": Examples(x=frame, y=y)}, about=about)


def with_column(data: Data, name: str, kind: str, values) -> Data:
    whole = data.splits["all"]
    frame = whole.x.with_columns(pl.Series(name, values))
    about = {**data.about, "columns": {**data.about["columns"], name: kind}}
    return replace(data, splits={"all": replace(whole, x=frame)}, about=about)


# ---- quiet on clean sets -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["digits", "shapes:1000", "people", "linear:1500", "motions", "energy", "sentences:1500"]
)
def test_clean_sets_are_quiet(name):
    assert faults(builtin.open(name)) == {}


def test_a_clean_table_is_quiet(rng):
    assert faults(table(rng)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["mnist", "tabular/adult", "tabular/titanic"])
def test_clean_real_sets_are_quiet(path):
    assert dlcli("check", str(shared(path)), blocked=()).returncode == 0


# ---- duplicates --------------------------------------------------------------------------------


def test_twenty_duplicates_across_splits_are_found_and_named():
    """Twenty training pictures put into the test split: all twenty are named, and nothing else."""
    data = digits()
    test = pictures(data.splits["test"]).copy()
    test[10:30] = pictures(data.splits["train"])[100:120]
    found = faults(changed(data, "test", x=ArrayImages(test)))
    assert found.keys() <= {"duplicates", "near-duplicates", "noise-ceiling"}
    (finding,) = found["duplicates"]
    assert finding.value == 20
    assert "20 of 270 test examples" in finding.shown
    names = data.splits["test"].names
    assert finding.examples == [f"test: {names[i]}" for i in range(10, 30)]


def test_the_same_picture_brighter_and_compressed_again_is_found(rng):
    """shapes: twenty training pictures, brighter, as JPEG, in the test split."""
    import io

    data, _ = splits.split(builtin.open("shapes:1000"))
    test = pictures(data.splits["test"]).copy()
    for place, picture in enumerate(pictures(data.splits["train"])[50:70]):
        file = io.BytesIO()
        Image.fromarray(np.clip(picture * 0.9 + 12, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
        test[place] = np.asarray(Image.open(file))
    found = faults(changed(data, "test", x=ArrayImages(test)))
    assert "duplicates" not in found
    (finding,) = found["near-duplicates"]
    assert 18 <= finding.value <= 20


def test_a_text_that_differs_by_a_number_is_nearly_the_same(rng):
    words = np.array(
        [
            "the",
            "one",
            "who",
            "came",
            "first",
            "took",
            "a",
            "red",
            "stone",
            "home",
            "and",
            "left",
            "nothing",
            "for",
            "those",
            "behind",
        ]
    )
    x = [" ".join(rng.choice(words, 12)) for _ in range(300)]
    y = ["a" if "red" in text else "b" for text in x]
    texts = Data(kind="texts", splits={"train": Examples(x=x[:200], y=y[:200]), "test": Examples(x=x[200:], y=y[200:])})
    assert "near-duplicates" not in faults(texts)
    copies = [f"{text.upper()} {i}!" for i, text in enumerate(x[:20])]
    texts.splits["test"] = Examples(x=x[200:280] + copies, y=y[200:280] + y[:20])
    assert faults(texts)["near-duplicates"][0].value >= 15


def test_equal_rows_of_a_table_are_no_fault_where_rows_are_equal_by_chance(rng):
    """Two dice have 36 outcomes: test rows stand in training, as they must."""
    frame = pl.DataFrame({"first": rng.integers(1, 7, 500), "second": rng.integers(1, 7, 500)})
    y = np.where(frame["first"].to_numpy() * frame["second"].to_numpy() + rng.normal(0, 3, 500) > 10, "high", "low")
    about = {"target_kind": "classes", "columns": {"first": "numeric", "second": "numeric"}}
    found = faults(Data(kind="table", splits={"all": Examples(x=frame, y=y)}, about=about))
    assert not {"duplicates", "near-duplicates"} & found.keys()


def test_duplicated_rows_of_a_table_are_found(rng):
    data, _ = splits.split(table(rng))
    test, train = data.splits["test"], data.splits["train"]
    data.splits["test"] = replace(test, x=pl.concat([test.x[20:], train.x[:20]]), names=None)
    assert faults(data)["duplicates"][0].value == 20


def test_equal_examples_with_different_labels_are_found():
    data = digits()
    train = pictures(data.splits["train"]).copy()
    train[5:10] = train[20:25]
    y = np.asarray(data.splits["train"].y).copy()
    y[5:10] = [str((int(label) + 1) % 10) for label in y[20:25]]
    found = faults(changed(data, "train", x=ArrayImages(train), y=y))
    assert any("another label" in finding.shown for finding in found["duplicates"])


def test_windows_cut_from_one_recording_are_found(rng):
    """Windows of 40 steps, 10 apart, split at random: neighbours are on both sides. From two recordings: none."""
    recording = rng.normal(size=(4_000, 2)).cumsum(axis=0).astype("float32")
    windows = [recording[i : i + 40] for i in range(0, 3_900, 10)]
    y = [["up", "down"][i % 2] for i in range(len(windows))]
    found = faults(Data(kind="sequences", splits={"all": Examples(x=windows, y=y)}))
    assert found["overlapping-windows"][0].value > 0.9
    apart = {"train": Examples(x=windows[:190], y=y[:190]), "test": Examples(x=windows[200:], y=y[200:])}
    data, _ = splits.split(Data(kind="sequences", splits=apart))
    data.splits["train"] = Examples(x=windows[:190], y=y[:190])
    assert "overlapping-windows" not in faults(data)


# ---- labels ------------------------------------------------------------------------------------


def flipped(y, share: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and which of them are wrong now."""
    rng = np.random.default_rng(seed)
    y, kinds = np.asarray(y).astype(str).copy(), np.unique(np.asarray(y).astype(str))
    bad = rng.random(len(y)) < share
    for i in np.flatnonzero(bad):
        y[i] = rng.choice(kinds[kinds != y[i]])
    return y, bad


def precision(data: Data, bad: np.ndarray) -> float:
    """Share of wrong labels among as many of the first suspects as there are wrong labels."""
    (finding,) = faults(data)["wrong-labels"]
    named = [name.removeprefix("train: ") for name in finding.examples[: int(bad.sum())]]
    place = {str(name): i for i, name in enumerate(data.splits["train"].names)}
    return float(np.mean([bad[place[name]] for name in named]))


def test_five_percent_of_wrong_labels_are_found_in_pictures():
    data = digits()
    y, bad = flipped(data.splits["train"].y, 0.05)
    assert precision(changed(data, "train", y=y), bad) >= 0.6


def test_five_percent_of_wrong_labels_are_found_in_texts():
    data, _ = splits.split(registry.find("formats", "table").load().open(shared("sms-spam") / "sms.tsv"))
    y, bad = flipped(data.splits["train"].y, 0.05)
    assert precision(changed(data, "train", y=y), bad) >= 0.6


def test_five_percent_of_wrong_labels_are_found_in_a_table(rng):
    n = 800
    x = rng.normal(size=(n, 4))
    y = np.where(x[:, 0] + x[:, 1] * x[:, 2] > 0, "yes", "no")
    frame = pl.DataFrame({f"x{i}": column for i, column in enumerate(x.T)})
    about = {"target_kind": "classes", "columns": {f"x{i}": "numeric" for i in range(4)}}
    names = [f"row {i}" for i in range(n)]
    keep = np.abs(x[:, 0] + x[:, 1] * x[:, 2]) > 0.3  # what is near the border nobody can tell
    data = Data(
        kind="table", splits={"all": Examples(x=frame, y=y, names=names).take(np.flatnonzero(keep))}, about=about
    )
    data, _ = splits.split(data)
    y, bad = flipped(data.splits["train"].y, 0.05)
    assert precision(changed(data, "train", y=y), bad) >= 0.6


def test_where_a_simple_model_knows_nothing_labels_are_not_doubted():
    """Objects of `shapes` are told by arrangement: neighbours in pixels have no say."""
    data, _ = splits.split(builtin.open("shapes:1000"))
    y, _ = flipped(data.splits["train"].y, 0.05)
    assert "wrong-labels" not in faults(changed(data, "train", y=y))


def test_cover_and_hart():
    """Two classes that neighbours tell no better than a coin: the best error is one half. None wrong: none."""
    check = registry.find("checks", "noise-ceiling").load()
    assert check.bounds(0.5, 2) == (pytest.approx(0.5), 0.5)
    assert check.bounds(0.0, 2) == (0.0, 0.0)
    assert check.bounds(0.18, 2)[0] == pytest.approx(0.1)  # e = 2 p (1 - p) with p = 0.1


def test_labels_that_are_noise_are_told():
    assert faults(builtin.open("shuffled"))["noise-ceiling"][0].value > 0.5


def test_imbalance_and_few_examples_are_told():
    data = digits()
    y = np.asarray(data.splits["train"].y)
    kept = np.flatnonzero((y != "7") | (np.cumsum(y == "7") <= 9))
    data.splits["train"] = data.splits["train"].take(kept)
    found = faults(data)
    assert "'7'" in found["imbalance"][0].shown
    assert found["few-examples"][0].examples == ["7"]
    assert "transfer" in found["few-examples"][0].mend
    assert any("'7'" in text for text in checking.told(data))
    assert not any("'7'" in text for text in checking.told(data, labels=False))


# ---- columns -----------------------------------------------------------------------------------


def test_a_column_that_tells_the_label_is_a_leak(rng):
    data = table(rng)
    y = data.splits["all"].y
    leak = np.where(y == "yes", rng.uniform(5, 9, len(y)), rng.uniform(1, 4, len(y))).round(2)
    (finding,) = faults(with_column(data, "refund", "numeric", leak))["leakage"]
    assert finding.examples == ["refund"]
    assert "data.drop=refund" in finding.mend


@pytest.mark.parametrize("middle", [False, True], ids=["above", "between"])
def test_a_leak_is_found_among_hundreds_of_columns(rng, middle):
    """Not all are tried; one that tells the label stays among those that are, also where it has no trend."""
    data = table(rng)
    for i in range(300):
        data = with_column(data, f"gene{i}", "numeric", rng.normal(size=len(data.splits["all"])))
    y = data.splits["all"].y
    low = np.where(rng.random(len(y)) < 0.5, rng.uniform(1, 4, len(y)), rng.uniform(9, 12, len(y)))
    leak = np.where(y == "yes", rng.uniform(5, 8, len(y)), low if middle else rng.uniform(1, 4, len(y)))
    (finding,) = faults(with_column(data, "refund", "numeric", leak))["leakage"]
    assert finding.examples == ["refund"]


def test_a_mark_in_the_corner_is_a_leak():
    """digits: one class has a white pixel in a corner, and all others have not."""
    data = digits()
    train = pictures(data.splits["train"]).copy()
    y = np.where(np.asarray(data.splits["train"].y) == "3", "three", "other")
    train[:, 0, 0] = np.where(y == "three", 255, 0)[:, None]
    marked = replace(
        data,
        splits={"train": Examples(x=ArrayImages(train), y=y), "val": Examples(x=ArrayImages(train[:50]), y=y[:50])},
    )
    assert "top left" in faults(marked)["leakage"][0].shown


def test_constant_columns_and_names_of_rows_are_told(rng):
    data = with_column(table(rng), "country", "category", ["DE"] * 600)
    data = with_column(data, "key", "category", [f"k{i}" for i in rng.permutation(600)])
    shown = [finding.shown for finding in faults(data)["columns"]]
    assert any("country" in text for text in shown)
    assert any("key" in text for text in shown)


def test_a_shifted_test_range_is_told(rng):
    data, _ = splits.split(table(rng))
    test = data.splits["test"]
    data.splits["test"] = replace(test, x=test.x.with_columns(pl.col("age") + 60))
    (first, *_) = faults(data)["extrapolation"]
    assert first.examples == ["age"]
    assert first.value > 0.9


def test_a_series_that_leaves_its_range_and_a_random_walk_are_told(rng):
    steps = rng.normal(0.05, 1, (2_000, 1)).cumsum(axis=0).astype("float32")
    walk = Data(kind="series", splits={"all": Examples(x=[Span(steps, 0, 2_000, "s")])}, about={"columns": ["a"]})
    found = faults(walk)
    assert "extrapolation" in found
    assert "random walk" in found["noise-ceiling"][0].mend
    wave = np.sin(np.arange(2_000) / 5)[:, None].astype("float32") + rng.normal(0, 0.1, (2_000, 1)).astype("float32")
    calm = Data(kind="series", splits={"all": Examples(x=[Span(wave, 0, 2_000, "s")])}, about={"columns": ["a"]})
    assert faults(calm) == {}


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [("aa", "aa", "all 20 training examples have the same label: a"), ("ab", "ac", "no training example has: c")],
)
def test_check_finds_the_labels_that_train_refuses(tmp_path, train, test, said):
    for part, labels in (("train", train), ("test", test)):
        (tmp_path / f"{part}.csv").write_text("x,y\n" + "".join(f"{i / 7},{labels[i % 2]}\n" for i in range(20)))
    (tmp_path / "val.csv").write_text("x,y\n" + "".join(f"{i / 3},{train[i % 2]}\n" for i in range(20)))
    options = [str(tmp_path), "--target", "y"]
    assert dlcli("train", *options, "--task", "tabular-classification").returncode == 3
    answer = dlcli("check", *options, "--json")
    assert answer.returncode == 10, answer.stderr
    found = [f for f in json.loads(answer.stdout)["findings"] if f["check"] == "unknown-labels"]
    assert [f["fault"] for f in found] == [True]
    assert said in found[0]["shown"]


def test_what_is_unlike_the_only_label_of_training_is_looked_for(tmp_path):
    """As MVTec AD lies: good ones to learn from, others in test. Its only label is no fault then; few of it are."""
    for folder, count in (("train/good", 12), ("test/good", 4), ("test/broken", 4), ("ground_truth/broken", 4)):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (8, 8), 20 * i).save(tmp_path / folder / f"{i:03d}.png")
    config = RunConfig(data=str(tmp_path))
    entry = plan.locate(config)
    data = plan.open_data(entry, config)
    assert plan.choose(config, entry, data).task.name == "anomaly-detection"
    found = {f["check"]: f for f in json.loads(dlcli("check", str(tmp_path), "--json").stdout)["findings"]}
    assert (found["unknown-labels"]["fault"], found["few-examples"]["value"]) == (False, 10)
    with pytest.raises(DataError, match="the same label: good"):  # a classifier was asked for
        splits.check_labels(data)
    resnet = RunConfig(data=str(tmp_path), arch="resnet")
    assert plan.choose(resnet, entry, data).task.name == "image-classification"


# ---- the command -------------------------------------------------------------------------------


def test_check_prints_a_table_with_what_mends_it_and_code_10_without_keras(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.choice(["a", "b"], 300)
    frame = pl.DataFrame({"x": rng.normal(size=300), "z": rng.normal(size=300), "same": np.ones(300), "y": y})
    frame = frame.with_columns(
        told=pl.when(pl.col("y") == "a").then(pl.col("x").abs() + 3).otherwise(-pl.col("x").abs())
    )
    frame.write_csv(tmp_path / "t.csv")
    answer = dlcli("check", str(tmp_path / "t.csv"), "--target", "y")
    assert answer.returncode == 10, answer.stderr
    assert "data.drop=told" in "".join(answer.stdout.split())
    document = json.loads(dlcli("check", str(tmp_path / "t.csv"), "--target", "y", "--json").stdout)
    assert {f["check"] for f in document["findings"] if f["fault"]} == {"leakage"}
    assert all({"value", "shown", "mend", "fault"} <= f.keys() for f in document["findings"])


@pytest.mark.parametrize("rows", [2, 4, 6])
def test_a_table_of_a_few_rows_is_checked_all_the_same(tmp_path, rows):
    """Fewer rows than folds of the model that looks for wrong labels."""
    for part, n in (("train", rows), ("val", 10), ("test", 10)):
        (tmp_path / f"{part}.csv").write_text("x,y\n" + "".join(f"{i / 7},{'ab'[i % 2]}\n" for i in range(n)))
    answer = dlcli("check", str(tmp_path), "--target", "y")
    assert answer.returncode == 10, answer.stderr
    assert "few-examples" in answer.stdout


def test_check_of_a_clean_set_ends_with_0():
    answer = dlcli("check", "digits")
    assert answer.returncode == 0
    assert "nothing found" in answer.stdout


def test_the_cheap_checks_are_those_that_train_runs(rng):
    """Warnings of training: what costs next to nothing, and only faults."""
    data, _ = splits.split(with_column(table(rng), "same", "numeric", [1.0] * 600))
    assert any("same" in text for text in checking.told(data))
    assert checking.told(splits.split(table(rng))[0]) == []


def test_classes_of_one_picture_are_told_by_their_check_alone(tmp_path, rng):
    """scikit-learn would warn of each tree and model."""
    for name in map(str, range(40)):
        (tmp_path / name).mkdir()
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / name / "1.png")
    answer = dlcli("check", str(tmp_path))
    assert "few-examples" in answer.stdout
    assert "UserWarning" not in answer.stderr
