"""Accuracy against the number of labelled examples: features of the source beside fresh weights."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dlcli import console, scoring
from dlcli.data import Examples
from dlcli.metrics import intervals
from dlcli.rundir import Run
from dlcli.training import Fitting
from dlcli.transfer import logistic
from dlcli.transfer.features import Rows
from dlcli.transfer.work import Work

# Seconds that each training from fresh weights may take.
SECONDS = 20.0


def measured(
    work: Work, rows: Rows, parts: dict[str, Examples], labels: dict[str, np.ndarray], *, seed: int
) -> list[dict[str, Any]]:
    """One row for 10, 100, 1000, … labels and for all: accuracies on the test split, with intervals.

    Who has n labels to train on has at most n to choose settings with.
    """
    place, task = work.best.place, work.task
    found = []
    for n in sizes(labels["train"], len(task.classes)):
        train, val = (_drawn(labels[part], n, seed) for part in ("train", "val"))
        solution = logistic.solve(
            rows.values["train"][place][train],
            labels["train"][train],
            (rows.values["val"][place][val], labels["val"][val]),
            len(task.classes),
        )
        right = solution.probabilities(rows.values["test"][place]).argmax(axis=1) == labels["test"]
        low, high = intervals.interval(right)
        console.note(f"{n} labels: features {right.mean():.4f}, now from scratch…")
        score = _scratch(work, {"train": parts["train"].take(train), "val": parts["val"].take(val)}, parts["test"])
        found.append(
            {
                "labels": n,
                "features": {"value": float(right.mean()), "low": low, "high": high, "n": len(right)},
                "scratch": vars(score),
            }
        )
    return found


def sizes(labels: np.ndarray, classes: int) -> list[int]:
    """Powers of ten that are at least the number of classes, and all."""
    powers = [10**i for i in range(1, 7) if classes <= 10**i < len(labels)]
    return [*powers, len(labels)]


def _drawn(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Positions of n examples, the classes in turn."""
    rng = np.random.default_rng([seed, 11])
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:n])


def _scratch(work: Work, parts: dict[str, Examples], test: Examples):
    fitting = Fitting.of(work.task, parts, seed=work.fitting.seed)
    settings = work.settings.model_copy(update={"time": SECONDS, "steps": None})
    with tempfile.TemporaryDirectory() as folder:
        fitted = fitting.fit(work.origin.fresh, settings, run=Run(Path(folder)))
        return scoring.score(work.task, fitted.model, test).scores["accuracy"]
