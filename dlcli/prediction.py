"""Predict for examples without known answers, by the very code that training and evaluation use."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dlcli import console, finished, rundir
from dlcli.data import Examples
from dlcli.errors import counted
from dlcli.outputs import outputs
from dlcli.reference import Reference

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_SHOWN = 20  # rows on the screen; all are in the file


def predict(reference: Reference, examples: Examples, *, out: Path | None) -> dict[str, Any]:
    """One row per example into a CSV file and, the first of them, onto the screen.

    Returns: {"run", "task", "file", "predictions": [row, ...]}, as `--json` prints it.
    """
    opened = finished.opened(reference)
    measures = outputs(opened.model, opened.task, opened.task.asked(examples))
    rows = list(opened.task.rows(examples, measures))
    target = out or opened.folder / "predict" / "predictions.csv"
    if "picture" in measures:
        _draw(measures["picture"], rows, target.with_suffix(""))
    rundir.commit(target, lambda temporary: _write(temporary, rows))
    columns = list(rows[0])
    console.table(
        f"{opened.spec['task']} with {opened.short}",
        columns,
        [[row[column] for column in columns] for row in rows[:_SHOWN]],
    )
    if len(rows) > _SHOWN:
        console.say(f"… and {len(rows) - _SHOWN} more")
    console.say(f"{counted(len(rows), 'prediction')}: {target}")
    return {"run": reference.text, "task": opened.spec["task"], "file": str(target), "predictions": rows}


def _draw(pictures: np.ndarray, rows: list[dict[str, Any]], folder: Path) -> None:
    """Each predicted picture, uint8 (n, H, W, C), as a PNG; its path goes into its row."""
    for number, (pixels, row) in enumerate(zip(pictures, rows, strict=True)):
        file = folder / f"{number:05d}-{Path(row['name']).stem}.png"
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        rundir.commit(file, lambda temporary, picture=picture: picture.save(temporary, format="PNG"))
        row["file"] = str(file)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([_neutral(name) for name in rows[0]])
        writer.writerows([_neutral(row[name]) for name in rows[0]] for row in rows)


def _neutral(value):
    """A text that a spreadsheet would run as a formula gets a quote mark in front, as OWASP advises
    ("CSV Injection"); a number does not. Taking away one leading ' gives the text back, as a text that
    begins with one gets another."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "'")):
        return value
    return value if _NUMBER.fullmatch(value) else "'" + value
