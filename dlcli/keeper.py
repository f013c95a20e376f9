"""The history, the best weights, and what follows from the score: patience and a rate that is lowered."""

import math
import sys
import time
from collections.abc import Collection
from typing import Any

import keras
import numpy as np

from dlcli import backend, console, directions, rundir, state
from dlcli.batches import feed
from dlcli.rundir import Run
from dlcli.savepoints import Savepoint
from dlcli.task import Task

HISTORY = "history.jsonl"


class Keeper(keras.callbacks.Callback):
    """Keeps the history and the best weights, in memory at once and on disk every so often.

    patience: epochs without a better score before training stops.  plateau: before the rate is halved, down to
    `least` of it.  passes: over the data in one epoch.  kept: epochs whose model is kept beside the best.
    since: epoch from which both are counted.  every: seconds between writing the best model.
    """

    def __init__(
        self,
        task: Task,
        run: Run,
        *,
        passes: int = 1,
        patience: int | None = None,
        plateau: int | None = None,
        least: float = 0.0,
        kept: Collection[int] = (),
        since: int = 0,
        every: float = 60.0,
    ):
        super().__init__()
        self.kept = kept
        self.task = task
        self.run = run
        self.patience = patience
        self.plateau = plateau
        self.least = least
        self.passes = passes
        self.since = since
        self.every = every
        self.best: list[float] | None = None
        self.best_epoch = self.epochs = self.lowered = 0
        self.factor = 1.0
        self.rows: list[dict[str, Any]] = []
        self.weights: list[np.ndarray] = []
        self._written = time.monotonic()
        self._unsaved = self._told = False

    def state(self) -> dict[str, Any]:
        """What a resumed training must know, JSON-able; the best weights lie beside it."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "lowered": self.lowered,
            "factor": self.factor,
            "rows": self.rows,
        }

    def restore(self, point: Savepoint) -> None:
        """As it was at a checkpoint; the history on disk too, which may be some epochs ahead."""
        known = point.meta["keeper"]
        self.best, self.best_epoch = known["best"], known["best_epoch"]
        self.epochs, self.lowered = known["epochs"], known["lowered"]
        self.factor = known["factor"]
        self.rows = list(known["rows"])
        self.weights = point.arrays.get("best", [])
        self._unsaved = bool(self.weights)
        self.run.write_lines(HISTORY, self.rows)

    def forget(self) -> None:
        """Training begins: what a start before it has left of a history, without a checkpoint, is done again."""
        if (self.run.path / HISTORY).exists():
            self._rewrite()

    def on_epoch_begin(self, epoch, logs=None):
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self.epochs = epoch + 1
        row = {"epoch": self.epochs * self.passes, **logs, "seconds": round(time.monotonic() - self._begun, 3)}
        self.rows.append(row)
        self._append(row)
        score = self._score(logs)
        # Weights that hold NaN are never the best, whatever they score. Without a score the newest is.
        if score is None or self.best is None or score < self.best:
            weights = [np.array(array, copy=True) for array in self.model.get_weights()]
            if state.finite(weights):
                self.best = score
                self.best_epoch = self.epochs
                self._unsaved = True
                self.weights = weights
        if self.epochs in self.kept:
            target = self.run.checkpoints / f"epoch-{self.epochs * self.passes:05d}.keras"
            rundir.keep(target, self.model)
        if time.monotonic() - self._written > self.every:
            self.save_best()
        if score is not None:
            self._wait()

    def _score(self, logs: dict[str, float]) -> list[float] | None:
        """The smaller the better; NaN is worse than all numbers."""
        found = [-directions.sign(name) * logs[name] for name in self.task.monitor if name in logs]
        return [value if math.isfinite(value) else sys.float_info.max for value in found] or None

    def _wait(self) -> None:
        """Act on epochs that have brought nothing better."""
        if self.patience and self.epochs - max(self.best_epoch, self.since) >= self.patience:
            self.model.stop_training = True
        lowered = max(self.best_epoch, self.since, self.lowered)
        if self.plateau and self.epochs - lowered >= self.plateau and self.factor / 2 >= self.least:
            self.lowered, self.factor = self.epochs, self.factor / 2
            state.lower(self.model, 0.5)
            console.note(f"no better score for {self.plateau} epochs: {self.factor:g} of the learning rate")

    def save_best(self) -> None:
        """The best model onto the disk, where it is not there yet; the model goes on as it was."""
        if self._unsaved:
            # not get_weights: on several devices that gives the mean of what differs between them
            newest = [backend.value(variable) for variable in self.model.weights]
            self.model.set_weights(self.weights)
            rundir.keep(self.run.model, self.model)
            for variable, array in zip(self.model.weights, newest, strict=True):
                backend.assign(variable, array)
            self._unsaved = False
        self._written = time.monotonic()

    def finish(self, val: keras.utils.PyDataset | None = None) -> None:
        """The newest state, the best weights and the whole history onto the disk, and the best into the model, of which
        the task decides by `val` what training leaves open."""
        rundir.keep(self.run.last, self.model)
        self.model.set_weights(self.weights)
        loss = None if val is None else lambda: self.model.evaluate(feed(val), verbose=0, return_dict=True)["loss"]
        self.task.settle(self.model, loss)
        self.weights = self.model.get_weights()
        rundir.keep(self.run.model, self.model)
        self._rewrite()

    def _rewrite(self) -> None:
        """Whole lines, each once, also where one could be written in part only."""
        try:
            self.run.write_lines(HISTORY, self.rows)
        except OSError as error:
            self._untold(error)

    def _append(self, row: dict[str, Any]) -> None:
        """A history that cannot be written is no reason to lose a training: the checkpoints hold it too."""
        try:
            self.run.append(HISTORY, row)
        except OSError as error:
            self._untold(error)

    def _untold(self, error: OSError) -> None:
        if not self._told:
            console.warn(f"{HISTORY} could not be written: {error.strerror}. Training goes on.")
        self._told = True
