"""The table beside published results is made from the lines of real runs, and from nothing else."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import published  # noqa: E402
import published_run  # noqa: E402
import published_table  # noqa: E402

from dlcli import config, plan  # noqa: E402

ROW = {
    "name": "a/one",
    "group": "a",
    "what": "some set",
    "train": "D/a --arch mlp",
    "score": "accuracy",
    "higher": True,
}


def line(value, *, part="", seed=0, row="a/one", baselines=None, **more):
    score = {"value": value, "low": value - 0.01, "high": value + 0.01, "n": 100}
    rivals = {name: {"accuracy": {**score, "value": other}} for name, other in (baselines or {}).items()}
    return {
        "row": row,
        "part": part,
        "seed": seed,
        "test": {"accuracy": score},
        "baselines": rivals,
        "seconds": {"wall": 10, "cpu": 5},
        **more,
    }


def cells(row, found):
    """The row's own line of the table, cut at its bars."""
    table = published_table.drawn([row], found, published.trainings).splitlines()
    assert len(table) == 3
    return [cell.strip() for cell in table[2].strip("|").split("|")]


def test_a_row_without_a_line_says_that_it_was_not_run():
    measured, bound = cells({**ROW, "must": 0.9}, [line(0.95, row="a/other")])[3:5]
    assert measured == "not run"
    assert bound == "≥ 0.9"


@pytest.mark.parametrize(
    ("higher", "value", "said"), [(True, 0.9, "reached"), (True, 0.899, "**short**"), (False, 0.901, "**short**")]
)
def test_whether_a_bound_was_reached_is_said(higher, value, said):
    bound = cells({**ROW, "must": 0.9, "higher": higher}, [line(value)])[4]
    assert bound.endswith(f"0.9: {said}")


def test_seeds_are_a_mean_with_its_deviation():
    found = [line(value, seed=seed) for seed, value in enumerate((0.8, 0.9, 1.0))]
    assert cells({**ROW, "seeds": 3}, found)[3] == "0.9 ± 0.1, 3 seeds"


def test_sets_are_a_mean_and_missing_ones_are_counted():
    row = {**ROW, "sets": ["x", "y", "z"]}
    assert cells(row, [line(0.8, part="x"), line(0.6, part="z")])[3] == "0.7, mean of 2; 2 of 3 run"


def test_some_of_the_sets_do_not_reach_a_bound():
    row = {**ROW, "sets": ["x", "y", "z"], "must": 0.7}
    assert cells(row, [line(0.8, part="x"), line(0.9, part="z")])[4] == "≥ 0.7"


def test_the_newest_line_of_a_training_counts_and_lines_of_no_training_do_not():
    assert cells(ROW, [line(0.5), line(0.75), line(0.1, part="elsewhere")])[3] == "0.75 (0.74–0.76)"


def test_a_bound_may_be_a_multiple_of_a_simple_model():
    row = {**ROW, "higher": False, "ratio": 0.5, "against": "pca", "note": "half of PCA"}
    simple = {"pca": 1.0, "mean": 3.0}
    assert cells(row, [line(0.5, baselines=simple)])[4:6] == ["≤ 0.5 (half of PCA): reached", "pca 1"]
    assert cells(row, [line(0.51, baselines=simple)])[4] == "≤ 0.5 (half of PCA): **short**"


def test_missing_seeds_and_folds_are_said_beside_whether_a_bound_is_reached():
    row = {**ROW, "seeds": 3, "must": 0.9}
    assert cells(row, [line(0.91)])[4] == "≥ 0.9: so far reached"
    assert cells(row, [line(0.91), line(0.8, seed=1)])[4] == "≥ 0.9: so far **short**"
    assert cells(row, [line(0.9, seed=seed) for seed in range(3)])[4] == "≥ 0.9: reached"


def test_a_row_may_be_bound_to_the_best_of_its_group_on_the_folds_that_all_of_them_have():
    row = {**ROW, "folds": 2, "behind": 0.02, "note": "near the best"}
    others = [line(0.90, row="a/two", part="fold 1"), line(0.80, row="a/two", part="fold 2")]
    assert cells(row, [line(0.88, part="fold 1"), *others])[4] == "near the best: so far reached"
    assert cells(row, [line(0.87, part="fold 1"), *others])[4] == "near the best: so far **short**"
    assert cells(row, [line(0.88, part="fold 1"), line(0.79, part="fold 2"), *others])[4] == "near the best: reached"
    assert cells(row, [line(0.1, part="fold 1"), line(0.9, row="b/two", part="fold 1")])[4] == "near the best"
    named = {**row, "of": "three"}
    assert cells(named, [line(0.5, part="fold 1"), *others])[4] == "near the best"
    assert cells(named, [line(0.5, part="fold 1"), *others, line(0.51, row="a/three", part="fold 1")])[4].endswith(
        "reached"
    )


@pytest.mark.parametrize(("value", "said"), [(0.79, "reached"), (0.78, "**short**")])
def test_a_row_may_be_bound_to_the_interval_of_a_simple_model(value, said):
    row = {**ROW, "interval_of": "trees", "note": "as good as trees"}
    trees = {"accuracy": {"value": 0.8, "low": 0.79, "high": 0.81, "n": 100}}
    assert cells(row, [line(value) | {"baselines": {"trees": trees}}])[4] == f"as good as trees: {said}"


def test_what_came_of_all_rows_is_counted():
    rows = [
        {**ROW, "must": 0.9},
        {**ROW, "name": "a/two", "must": 0.9},
        {**ROW, "name": "a/three", "must": 0.9, "seeds": 2},
        {**ROW, "name": "a/four"},
    ]
    found = [line(0.95), line(0.5, row="a/two"), line(0.5, row="a/three"), line(0.5, row="a/four")]
    told = published_table.short_form(rows, found, published.trainings).splitlines()[0]
    assert "Of 4 rows 1 reach what was set for them and 1 fall short" in told
    assert "0 reach it so far and 1 do not" in told
    told = published_table.short_form(rows[:2], found, published.trainings).splitlines()[0]
    assert "so far" not in told


def test_a_failed_training_stays_in_the_table():
    failed = {**line(0.0), "test": {}, "error": "Error: no such file"}
    assert cells(ROW, [failed])[3] == "failed: Error: no such file"


def test_the_short_form_has_a_line_for_what_was_run_and_names_the_rest():
    rows = [ROW, {**ROW, "name": "b/two", "group": "b"}]
    text = published_table.short_form(rows, [line(0.75)], published.trainings)
    assert text.count("\n| some set") == 1
    assert text.endswith("Not run: `b/two`.")


def test_real_pictures_are_shown_and_are_not_the_best_simple_model():
    row = {**ROW, "higher": False}
    assert cells(row, [line(5.0, baselines={"real-pictures": 0.5, "pca-sampler": 50.0})])[5] == (
        "pca-sampler 50; real pictures 0.5"
    )


def test_the_table_goes_between_its_marks(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{published_table.MARKS[0]}\nold\n{published_table.MARKS[1]}\nafter\n", encoding="utf-8")
    published_table.write_into(readme, "| new |")
    published_table.write_into(readme, "| new |")
    assert readme.read_text(encoding="utf-8") == (
        f"before\n{published_table.MARKS[0]}\n| new |\n{published_table.MARKS[1]}\nafter\n"
    )


def test_the_readme_says_what_the_lines_say():
    """No number of that table was typed."""
    text = (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")
    table = text.partition(published_table.MARKS[0])[2].partition(published_table.MARKS[1])[0]
    found = published_table.lines(published.RESULTS)
    assert table.strip() == published_table.short_form(published.rows(), found, published.trainings)


@pytest.mark.parametrize("row", published.rows(), ids=lambda row: row["name"])
def test_every_command_of_the_table_names_what_exists(row):
    """Options, architectures and tasks are checked as `dlcli train` does it, before any data is read."""
    for training in published.trainings(row)[:1]:
        words = shlex.split(training["arguments"])
        flags = {}
        assignments = []
        for name, value in zip(words[1::2], words[2::2], strict=True):
            if name == "--set":
                assignments.append(value)
            else:
                flags[name.removeprefix("--")] = value
        known = {
            "task": "task",
            "arch": "arch",
            "horizon": "task.horizon",
            "target": "data.target",
            "time": "fit.time",
            "epochs": "fit.epochs",
        }
        assert set(flags) <= set(known)
        if "time" in flags:
            flags["time"] = config.seconds(flags["time"])
        named = {known[name]: value for name, value in flags.items()} | {"data": words[0]}
        plan.check(config.merge(file=None, assignments=assignments, flags=named))


def test_rows_have_names_of_their_own_and_a_score():
    names = [row["name"] for row in published.rows()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", name) for name in names)
    assert all({"what", "train", "score"} <= set(row) for row in published.rows())


@pytest.mark.slow
def test_one_training_is_one_line(tmp_path):
    """Through the real command: its scores, baselines, seconds and commit."""
    results = tmp_path / "results.jsonl"
    row = {**ROW, "train": "digits:300 --arch mlp --epochs 1"}
    for training in published.trainings(row):
        published_run.run(row, training, data=tmp_path, runs=tmp_path / "runs", results=results)
    (found,) = [json.loads(text) for text in results.read_text(encoding="utf-8").splitlines()]
    assert found["command"] == "dlcli train digits:300 --arch mlp --epochs 1 --seed 0"
    assert 0 < found["test"]["accuracy"]["value"] <= 1
    assert "majority" in found["baselines"]
    assert found["seconds"]["cpu"] > 1
    assert found["looks_at_test"] == 1
    assert "not run" not in published_table.drawn([row], [found], published.trainings)
