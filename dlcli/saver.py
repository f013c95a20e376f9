"""Checkpoints while a model trains: copied between two steps, written by a thread of its own."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlcli import console, rundir, savepoints, state
from dlcli.batches import Batches
from dlcli.course import Course
from dlcli.errors import DISK, MEMORY, DlcliError
from dlcli.keeper import Keeper
from dlcli.progress import Diverged, Watch
from dlcli.rundir import Run
from dlcli.savepoints import Savepoint
from dlcli.signals import Stop

# A validation that takes longer than this is not waited for when training is to stop.
_LONG = 2.0


class Interrupted(Exception):
    """Training was stopped from outside, and its state is on disk."""


class Saver(keras.callbacks.Callback):
    """Saves every so often, and when asked to from outside; ends training then.

    rate: the peak of the learning rate.  every: seconds between two checkpoints.  validated: epochs end with a validation.
    point: the checkpoint that training goes on from, or None.  It must come after whatever else has a state.
    """

    def __init__(
        self,
        run: Run,
        course: Course,
        batches: Batches,
        *,
        keeper: Keeper,
        watch: Watch,
        stop: Stop,
        rate: float,
        every: float,
        validated: bool,
        point: Savepoint | None = None,
    ):
        super().__init__()
        self.run, self.course, self.batches = run, course, batches
        self.keeper, self.watch, self.stop = keeper, watch, stop
        self.rate = rate
        self.every = every
        self.validated = validated
        self.point = point
        self.before = point.meta["seconds"] if point else 0.0
        # numbers go on from the checkpoint's, also where the batch size has become another
        self.offset = point.step - self.watch.done // batches.parts if point else 0
        self.saved = point.name if point else ""
        self._begun = self._last = time.monotonic()
        self._writer = self._error = None
        self._validation = None  # seconds that the last one took
        self._epoch = 0

    @property
    def spent(self) -> float:
        """Seconds of training, of this start and those before."""
        return self.before + time.monotonic() - self._begun

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._skipped = self.batches.skip
        if self.point is not None:
            # Keras has just set the sums of the metrics to zero
            if self._skipped:
                state.restore(self.model, self.point, ("metrics",))
            self.point = None
        elif epoch:
            self._perhaps(0, phase=1)

    def on_train_batch_end(self, batch, logs=None):
        done = self._skipped + batch + 1
        if done % self.batches.parts:
            return
        left = len(self.batches) - done
        if left:
            # a stop during a long validation costs one batch, which Keras needs to get to the epoch's end again
            before = left == self.batches.parts and self.validated and self._is_long
            self._perhaps(done, phase=0, logs=logs, now=before)

    def on_test_begin(self, logs=None):
        self._testing = time.monotonic()

    def on_test_batch_end(self, batch, logs=None):
        if self.stop.wanted is not None and self._is_long:
            self.close()
            raise Interrupted

    def on_test_end(self, logs=None):
        self._validation = time.monotonic() - self._testing

    def finish(self, fitted: dict[str, Any], arrays: dict[str, list[np.ndarray]]) -> None:
        """The last checkpoint: nothing is left to train. arrays: of the newest state, before the best is put back."""
        self.close()
        self._commit(self._point(self.keeper.epochs, 0, phase=2, arrays=arrays, more={"fitted": fitted}))

    def stopped(self) -> DlcliError:
        """What the user is told of a training that was stopped; the best model so far is written for `evaluate`."""
        try:
            self.keeper.save_best()
        except OSError as error:
            console.warn(f"the best model so far could not be written: {error.strerror}.")
        done = self.keeper.epochs * self.course.per_epoch
        return DlcliError(
            f"stopped by {self.stop.name} after {done} whole epochs of {self.course.passes}; all of it is saved.",
            rundir.again(self.run.path) or "start it again.",
            code=self.stop.code,
        )

    def join(self) -> None:
        """Wait for what is being written."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None

    def close(self) -> None:
        """Wait for what is being written. Raises: what went wrong with it."""
        self.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    @property
    def _is_long(self) -> bool:
        """Whether the next validation is too long to be waited for, as far as is known."""
        return self._validation is None or self._validation > _LONG

    def _perhaps(self, done: int, *, phase: int, logs=None, now: bool = False) -> None:
        """Save when it is time to, or when it was asked for."""
        if self._error is not None:
            self.close()
        leaving, asked = self.stop.wanted is not None, self.stop.save
        if not (leaving or asked or now or time.monotonic() - self._last >= self.every):
            return
        if self._writer is not None and self._writer.is_alive() and not leaving and self.every > 0:
            return
        self.close()
        if logs is not None:
            self.watch.check(logs)
        arrays = state.captured(self.model)
        point = self._point(self._epoch, done, phase=phase, arrays=arrays)
        self._last, self.stop.save = time.monotonic(), False
        if point.name != self.saved:
            self.saved = point.name
            if leaving:
                self._commit(point)
            else:
                self._writer = threading.Thread(target=self._write, args=(point,), daemon=True)
                self._writer.start()
        if leaving:
            raise Interrupted

    def _point(self, epoch: int, done: int, *, phase: int, arrays, more=None) -> Savepoint:
        parts = self.batches.parts
        meta = {
            "epoch": epoch,
            "batch": done,
            "parts": parts,
            "batch_size": self.course.batch_size,
            "learning_rate": self.rate,
            "passes": self.course.passes,
            "seconds": round(self.spent, 3),
            "first_loss": self.watch.first,
            "keeper": self.keeper.state() | {"rows": list(self.keeper.rows)},
            **(more or {}),
        }
        return Savepoint(
            step=self.offset + (epoch * len(self.batches) + done) // parts,
            phase=phase,
            meta=meta,
            arrays={**arrays, "best": list(self.keeper.weights)},
        )

    def _write(self, point: Savepoint) -> None:
        try:
            self._commit(point)
        except MemoryError:  # not one of a batch, which could be divided
            hint = rundir.again(self.run.path) or "start it again."
            self._error = DlcliError(f"not enough memory to write checkpoint {point.name}.", hint, code=MEMORY)
        except BaseException as error:  # raised by the next step, whatever it is
            self._error = error

    def _commit(self, point: Savepoint) -> None:
        for group, what in (("model", "weights"), ("optimizer", "the optimizer's state")):
            if not state.finite(point.arrays.get(group, [])):
                raise Diverged(f"{what} became NaN in epoch {point.meta['epoch'] * self.course.per_epoch + 1}")
        try:
            savepoints.write(self.run.checkpoints, point)
        except OSError as error:
            needed = sum(array.nbytes for arrays in point.arrays.values() for array in arrays)
            raise DlcliError(
                f"checkpoint {point.name} could not be written to {self.run.checkpoints}: {error.strerror} "
                f"({needed / 1e6:.1f} MB needed, {_free(self.run.path)} free); the one before it is good.",
                f"make room. {rundir.again(self.run.path) or 'start it again.'}",
                code=DISK,
            ) from None


def _free(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path).free / 1e6:.1f} MB"
    except OSError:  # the disk itself is gone
        return "none"
