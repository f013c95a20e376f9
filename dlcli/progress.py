"""What a person sees while a model trains: a bar on a terminal, plain lines in a pipe; both on stderr."""

import math
import time

import keras
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dlcli import console
from dlcli.pace import Pace

_EVERY = 0.2  # seconds between looks at the numbers: reading them waits for the device
EXPLODED = 1000  # times the first loss: that of untrained weights is near the worst that is of use
_BESIDE = 35  # columns of a terminal that the bar and the time left take beside the numbers
_PLAIN = 10.0  # seconds between lines where no bar can be drawn


class Watch(keras.callbacks.Callback):
    """Loss, metric, examples per second and time left; and the end of a training whose loss explodes.

    done: batches that were trained before.  first: the first loss that was seen then, or None.  steps: batches that were
    trained up to now.  passes: over the data, in one epoch of Keras; what people call epochs are passes.
    pace: of a training that lasts so long and not so many steps.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        passes: int = 1,
        done: int = 0,
        first: float | None = None,
        pace: Pace | None = None,
    ):
        super().__init__()
        self.pace = pace
        self.batch_size = batch_size
        self.passes = passes
        self.first = first
        self.done = self.steps = done
        self.examples_per_second = 0.0
        self._bar = None
        self._validated: dict[str, float] = {}  # what the newest epoch had of the validation split

    def on_train_begin(self, logs=None):
        self._total = self.params["epochs"] * self.params["steps"]
        self._begun = self._looked = self._printed = time.monotonic()
        self._seen = self.done
        if console.notes.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("{task.fields[numbers]}"),
                TimeRemainingColumn(compact=True),
                console=console.notes,
                transient=True,
            )
            self._line = self._bar.add_task("training", total=self._total, numbers="")
            self._bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        self._looked, self._seen = time.monotonic(), self.steps  # what lies between epochs is no training

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if self.steps == self.done:
            self._begun = self._looked = now  # the first step is compiled: it tells nothing of the others
            self._seen = self.done + 1
        self.steps += 1
        if now - self._looked < _EVERY:
            return
        self.check(logs)
        self.examples_per_second = (self.steps - self._seen) * self.batch_size / (now - self._looked)
        self._looked, self._seen = now, self.steps
        parts = [*_numbers(logs, self._validated), f"{self.examples_per_second:,.0f} examples/s"]
        numbers = " ".join(parts)
        if self._bar:
            while len(parts) > 1 and len(numbers) > console.notes.width - _BESIDE:
                parts.pop()
                numbers = " ".join(parts)
            done = self.pace.share * self._total if self.pace else self.steps
            self._bar.update(self._line, completed=done, description=f"epoch {self._place}", numbers=numbers)
        elif now - self._printed > _PLAIN:
            self._printed = now
            left = (now - self._begun) / (self.steps - self.done - 1) * (self._total - self.steps)
            left, of = (self.pace.left, "") if self.pace else (left, f"/{self._total}")
            console.note(f"epoch {self._place} step {self.steps}{of} {numbers} {left:.0f} s left")

    @property
    def _place(self) -> str:
        """The pass that the last step belongs to, of all where it is known how many."""
        passes = self.params["epochs"] * self.passes
        now = max(self.steps - 1, 0) * passes // self._total + 1
        return f"{now}" if self.pace else f"{now}/{passes}"

    def on_epoch_end(self, epoch, logs=None):
        self.check(logs or {})
        self._validated = {name: value for name, value in (logs or {}).items() if name.startswith("val_")}

    def check(self, logs) -> None:
        """Raises: Diverged when the mean loss of the epoch so far is no number, or beyond all that it began with."""
        if "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {'NaN' if loss != loss else 'infinite'} in epoch {self._place}")
        if self.first is None:
            self.first = loss
        if abs(loss) > EXPLODED * (1 + abs(self.first)):
            raise Diverged(f"the loss rose from {self.first:.3g} to {loss:.3g} in epoch {self._place}")

    def on_train_end(self, logs=None):
        self.close()

    def close(self) -> None:
        """Take the bar off the screen, also when training ends by an exception."""
        if self._bar:
            self._bar.stop()
            self._bar = None


class Diverged(Exception):
    """The loss is not a number any more, or far from every useful one."""


def _numbers(logs, validated) -> list[str]:
    """Each of the first three as 'NAME VALUE', and in brackets that of the validation split."""
    known = {name: f" (val {float(validated[f'val_{name}']):#.4g})" for name in logs if f"val_{name}" in validated}
    return [f"{name} {float(value):#.4g}{known.get(name, '')}" for name, value in list(logs.items())[:3]]
