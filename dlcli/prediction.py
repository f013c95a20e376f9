"""Predict for examples without known answers, by the very code that training and evaluation use."""

import csv
from pathlib import Path
from typing import Any

from dlcli import console, finished, rundir
from dlcli.data import Examples
from dlcli.fit import outputs
from dlcli.rundir import Run

_SHOWN = 20  # rows on the screen; all are in the file


def predict(run: Run, examples: Examples, *, out: Path | None) -> dict[str, Any]:
    """One row per example into a CSV file and, the first of them, onto the screen.

    Returns: {"run", "task", "file", "predictions": [row, ...]}, as `--json` prints it.
    """
    opened = finished.load(run)
    source = opened.task.source(examples, training=False)
    rows = list(opened.task.rows(examples, outputs(opened.model, opened.task, source)))
    target = out or run.path / "predict" / "predictions.csv"
    rundir.commit(target, lambda temporary: _write(temporary, rows))
    columns = list(rows[0])
    console.table(
        f"{opened.spec['task']} with {opened.spec['architecture']}",
        columns,
        [[_cell(row[column]) for column in columns] for row in rows[:_SHOWN]],
    )
    if len(rows) > _SHOWN:
        console.say(f"… and {len(rows) - _SHOWN} more")
    console.say(f"{len(rows)} predictions: {target}")
    return {"run": str(run.path), "task": opened.spec["task"], "file": str(target), "predictions": rows}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _neutral(value) for name, value in row.items()} for row in rows)


def _neutral(value):
    """A text that a spreadsheet would run as a formula is quoted."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return "'" + value
    return value


def _cell(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
