"""The scorecard of reliability: every case has an observed result, and every test that it names exists."""

import ast
import csv
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
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
