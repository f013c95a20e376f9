"""The scorecard of reliability: every case has an observed result, and every test that it names exists."""

import ast
import csv
import importlib.util
import json
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# What exact resume is asked of (goal T3), and the cases of benchmarks/kill_sweep.py that have it.
SETTINGS = {
    "dropout": r"line.*|mlp.*",
    "augmentation": r"resnet|line-augment",
    "average": r"line.*|resnet|gpt",
    "plateau": r".*-plateau",
    "early stopping": r".*-patience",
    "accumulation": r".*-accumulate",
}
# The cases that are whole commands, by family.
FAMILIES = {
    "dense": r"mlp.*",
    "cnn": "resnet",
    "rnn": "lstm",
    "transformer": "gpt",
    "gan": "dcgan",
    "autoencoder": "vae",
}
CASES = {"a": 16, "b": 15, "c": 24, "d": 17, "e": 17, "f": 13, "g": 5, "h": 7}


def rows(section: str) -> list[dict]:
    path = TESTS / "scorecard" / f"{section}.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def named_in(path: Path) -> set[str]:
    """Names of the test functions in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("section", CASES)
def test_every_case_stands_there_once(section):
    found = [row["case"] for row in rows(section)]
    assert found == [f"{section.upper()}{number:02d}" for number in range(1, CASES[section] + 1)]


@pytest.mark.parametrize("section", CASES)
def test_every_row_has_a_result_and_a_test_that_exists(section):
    for row in rows(section):
        assert list(row) == ["case", "expected", "result", "test"], row
        assert all(value and value.strip() for value in row.values()), row
        if row["test"] == "-":
            assert row["result"].startswith("not"), row
            continue
        for named in row["test"].split():
            file, _, name = named.partition("::")
            assert name.partition("[")[0] in named_in(TESTS.parent / file), named


def kills() -> list[dict]:
    """The lines that benchmarks/kill_sweep.py printed, appended as they are."""
    return [json.loads(line) for line in (TESTS / "scorecard" / "kill_sweep.jsonl").read_text().splitlines()]


def goals() -> dict[str, dict]:
    return {row["goal"]: row for row in rows("goals")}


def test_every_goal_stands_there_once_with_a_result():
    assert [row["goal"] for row in rows("goals")] == [f"T{number}" for number in range(1, 14)]
    for row in rows("goals"):
        assert list(row) == ["goal", "target", "result", "command"], row
        assert all(value and value.strip() for value in row.values()), row


@pytest.mark.parametrize("goal", [f"T{number}" for number in range(1, 14)])
def test_what_a_goal_names_exists_and_knows_its_arguments(goal, monkeypatch):
    monkeypatch.syspath_prepend(TESTS.parent / "benchmarks")
    for command in goals()[goal]["command"].split(" ; "):
        first, *arguments = command.split()
        if first.startswith("tests/"):
            for named in (first, *arguments):
                file, _, name = named.partition("::")
                assert name in named_in(TESTS.parent / file), named
            continue
        spec = importlib.util.spec_from_file_location(Path(first).stem, TESTS.parent / first)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.parser().parse_args(arguments)


def test_no_kill_that_was_kept_has_lost_anything():
    for line in kills():
        assert not any(line[name] for name in ("lost", "differing", "exit_codes", "tracebacks")), line
        assert line.get("most_steps_lost", 0) <= 2, line


def test_goals_of_kills_say_what_the_kept_lines_say():
    """A line that is appended to kill_sweep.jsonl changes what the rows T1, T3 and T4 must say."""
    found = kills()
    assert f"0 lost in {sum(line['kills'] for line in found)} kills of kill_sweep.jsonl" in goals()["T1"]["result"]
    pairs = [(setting, backend) for setting in SETTINGS for backend in ("tensorflow", "jax")]
    missing = [f"{setting} on {backend}" for setting, backend in pairs if _of(found, SETTINGS[setting], backend) < 30]
    whole = {on: sum(_of(found, cases, on) >= 30 for cases in FAMILIES.values()) for on in ("tensorflow", "jax")}
    expected = f"{len(pairs) - len(missing)} of {len(pairs)} pairs of setting and backend in kill_sweep.jsonl"
    expected += f"; not yet: {', '.join(missing)}" if missing else ""
    expected += f"; whole commands of {whole['tensorflow']} of {len(FAMILIES)} families on tensorflow"
    assert goals()["T3"]["result"] == f"{expected}, of {whole['jax']} on jax"
    counted = [line for line in found if "most_steps_lost" in line]
    most, of = max(line["most_steps_lost"] for line in counted), sum(line["kills"] for line in counted)
    assert goals()["T4"]["result"] == f"at most {most} steps in {of} kills of kill_sweep.jsonl, saved after every step"


def _of(found: list[dict], cases: str, backend: str) -> int:
    """Kills in the lines of some cases on a backend."""
    return sum(line["kills"] for line in found if line["backend"] == backend and re.fullmatch(cases, line["case"]))
