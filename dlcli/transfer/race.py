"""Loss against steps: from the source's weights and from fresh ones, under the same settings."""

import json
import shutil
from typing import Any

from dlcli import console
from dlcli.fit import Fitted
from dlcli.rundir import Run
from dlcli.transfer.work import Adapted, Work


def run(work: Work, done: Adapted) -> dict[str, Any]:
    """Train fresh weights as long as the transfer was; both losses on the validation split by optimiser steps.

    Returns {"transfer": [row, ...], "scratch": [row, ...], "reached": {...}}; a row is {"steps", "loss"}.
    reached: the steps that each took to the best loss that both came to.
    """
    console.note("now the same from scratch…")
    settings = work.settings.model_copy(update={"time": None, "steps": None, "epochs": done.fitted.epochs})
    fresh = work.run.within("race")
    fitted = work.fitting.fit(work.origin.fresh, settings, run=fresh)
    curves = {"transfer": _losses(work.run, done.fitted), "scratch": _losses(fresh, fitted)}
    shutil.rmtree(fresh.path)
    return {**curves, "reached": _reached(curves)}


def _losses(run: Run, fitted: Fitted) -> list[dict[str, float]]:
    """The history of a run, and of the stages before it."""
    earlier = sorted((run.path / "stages").glob("*/history.jsonl"), key=lambda file: int(file.parent.name))
    per_epoch = fitted.steps / fitted.epochs
    found, before = [], 0
    for file in (*earlier, run.path / "history.jsonl"):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        found += [
            {"steps": round((before + row["epoch"]) * per_epoch), "loss": row.get("val_loss", row["loss"])}
            for row in rows
        ]
        before += rows[-1]["epoch"]
    return found


def _reached(curves: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    loss = max(min(row["loss"] for row in rows) for rows in curves.values())
    return {
        "loss": loss,
        **{name: next(row["steps"] for row in rows if row["loss"] <= loss) for name, rows in curves.items()},
    }
