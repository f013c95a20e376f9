"""A training that may take so many seconds ends with its schedule when they are over, however fast its steps turn out to be."""

import statistics
from collections.abc import Callable
from time import monotonic

import keras
import numpy as np

from dlcli import backend, console, state
from dlcli.errors import counted

# The last looks at the validation split and at the disk need some of the time too.
_TRAINED = 0.97
_EVERY = 1.0  # seconds between looks
# Times as many passes are planned as seem to fit: what is timed while other programs disturb it is too slow, and a plan
# that was too short leaves time unused (20 of 45 minutes for a cgan, and for a resnet 15 of them).
_SPARE = 1.5
_LEAST = 0.01  # of all steps: being less behind than that changes nothing


def spare() -> float:
    """Of the passes that are planned, to those that seem to fit. JAX keeps the optimizer's state to itself between the
    steps of an epoch: there the schedule could not go ahead within the last one."""
    return 1.0 if keras.backend.backend() == "jax" else _SPARE


class Pace(keras.callbacks.Callback):
    """Stops when time is up. Where steps take longer than those that the epochs were planned by, the schedule goes
    ahead, so that the learning rate has come down by then: a cosine that is cut off half way leaves a bad model.

    The look at the validation split that follows the last step has its time kept back, up to half of all.

    deadline: by the monotonic clock.  looked: batches of that split.
    """

    def __init__(self, deadline: float, looked: float = 0.0):
        super().__init__()
        self.deadline, self.looked = deadline, looked
        self._begun = self._look = None

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.deadline - monotonic())

    @property
    def share(self) -> float:
        """Of the time, that is over: 0 to 1."""
        if self._begun is None:
            return 0.0
        return min(1.0, (monotonic() - self._begun) / max(self.deadline - self._begun, 1e-9))

    def on_train_begin(self, logs=None):
        self._total = self.params["epochs"] * self.params["steps"]
        self._begun = None
        self._taken, self._late = 0, False

    def on_train_batch_end(self, batch, logs=None):
        now = monotonic()
        self._taken += 1
        if self._begun is None:  # the first step is compiled: it tells nothing of the others
            self._begun = self._looked = now
            self._first = self._place()
        if now > self.deadline - self._kept_back(now):
            self.model.stop_training = self._late = True
        # JAX keeps the optimizer's state to itself between the steps of an epoch
        elif now - self._looked > _EVERY and keras.backend.backend() != "jax":
            self._catch_up(now)

    def on_epoch_end(self, epoch, logs=None):
        if self._begun is not None:
            self._catch_up(monotonic())

    def on_test_begin(self, logs=None):
        self._testing = monotonic()

    def on_test_end(self, logs=None):
        self._look = monotonic() - self._testing

    def on_train_end(self, logs=None):
        planned = self._total - self._first + 1 if self._late else 0
        planned = round(planned / spare())
        if 2 * self._taken < planned:
            console.warn(
                f"time was up after {self._taken:,} of {planned:,} planned steps, and the learning rate went down faster"
                " than planned: a longer --time trains more"
            )

    def _catch_up(self, now: float) -> None:
        self._looked = now
        place, allowed = self._place(), _TRAINED * (self.deadline - self._begun) - self._kept_back(now)
        due = self._first + (self._total - self._first) * min(1.0, (now - self._begun) / max(allowed, 1e-9))
        if due - place < _LEAST * self._total:
            return
        for optimizer in state.optimizers(self.model):
            ahead = round(_batches(optimizer) * due / place)
            backend.assign(optimizer._iterations, np.asarray(ahead))
        if due >= self._total:
            self.model.stop_training = self._late = True

    def _kept_back(self, now: float) -> float:
        """Seconds that a look takes: the last one did, or, as a forward pass is about a third of a step, one will."""
        step = (now - self._begun) / max(1, self._taken - 1)
        look = self.looked * step / 3 if self._look is None else self._look
        return min(look, max(0.0, self.deadline - self._begun) / 2)

    def _place(self) -> int:
        """The step at which the schedule is."""
        backend.settle(self.model)
        return max(1, _batches(state.optimizers(self.model)[0]))


def put(model: keras.Model, step: int) -> None:
    """Set the schedule to a step: back to what was trained, where epochs were asked for after a budget of time."""
    for optimizer in state.optimizers(model):
        backend.assign(optimizer._iterations, np.asarray(step))


def _batches(optimizer: keras.Optimizer) -> int:
    """What schedules go by; the property without the underscore counts steps of several batches."""
    return int(backend.value(optimizer._iterations))


def remaining(seconds: float, planned: float) -> float:
    """Of the seconds that were asked for, what planning has left: half at least, for that is what they were asked for."""
    return max(seconds - planned, seconds / 2)


def told(fitting: float) -> str:
    """What fits, in words."""
    if fitting >= 1:
        return f"about {counted(int(fitting), 'epoch')}"
    return f"{f'about {fitting:.0%}' if fitting >= 0.01 else 'less than 1%'} of an epoch"


def affordable(begin: Callable[[], Callable], batches, val, *, seconds: float) -> float:
    """Passes over the data that fit into `seconds`, by timing a few steps of a model that is thrown away. Below one where
    a whole pass does not fit.

    begin: builds it, and gives what trains it on a batch.  batches: of training, with `per_pass` of them in a pass.
    val: what is looked at after each, or None.
    """
    begun = monotonic()
    trained = begin()
    trained(*batches[0])
    compiling = monotonic() - begun
    start, steps = monotonic(), []
    while len(steps) < 3 or (len(steps) < 200 and monotonic() - start < min(3.0, 0.03 * seconds)):
        before = monotonic()
        trained(*batches[len(steps) % len(batches)])
        steps.append(monotonic() - before)
    # of an undisturbed machine: on a busy one the schedule goes ahead (Pace)
    step, *_ = statistics.quantiles(steps, n=4)
    # A forward pass is about a third of a step; the score at the end costs as much again.
    validation = step / 3 * (len(val) / batches.batch_size if val is not None else 0)
    left = remaining(seconds, monotonic() - begun) - compiling
    left = max(left - validation, left / 2)  # as Pace does
    return max(0.0, 0.95 * left / (step * batches.per_pass + validation))
