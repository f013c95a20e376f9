"""Fit a model: the only place that calls `compile` and `fit`."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from dlcli import backend, console, durable, loading, rundir, savepoints, signals, state
from dlcli import course as courses
from dlcli.backend import gpus
from dlcli.batches import Batches, InOrder, Turn, feed
from dlcli.config import FitConfig
from dlcli.course import Course
from dlcli.errors import DlcliError
from dlcli.keeper import Keeper
from dlcli.loading import Guarded
from dlcli.mixing import Change, changes
from dlcli.optimize import layerwise, optimizer
from dlcli.pace import Pace, affordable, put, remaining, spare, told
from dlcli.progress import Diverged, Watch
from dlcli.rundir import Run
from dlcli.savepoints import Savepoint
from dlcli.saver import Interrupted, Saver
from dlcli.signals import Stop
from dlcli.task import Source, Task

# A Keras epoch costs some 30 ms beside its steps: a shorter one holds several passes over the data.
_STEPS_PER_EPOCH = 16


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What training came to. epochs are passes over the training split."""

    model: keras.Model
    epochs: int
    best_epoch: int
    steps: int
    seconds: float
    examples_per_second: float


def train(
    build: Callable[[], keras.Model],
    task: Task,
    fit: FitConfig,
    *,
    train: Source,
    val: Source | None,
    labels: np.ndarray | None,
    classes: int,
    run: Run,
    seed: int,
    multiple: int = 1,
    names: dict[str, Sequence[str] | None] | None = None,
) -> Fitted:
    """Fit the model that `build` makes and leave the best weights in run/model.keras.

    A training that was begun in `run` goes on from its newest checkpoint: with the same data and settings it ends with
    the weights, bit for bit, that it would have had without the interruption.

    The best epoch is the one that is best by `task.monitor` on `val`; without one, or a validation split, it is the
    last. labels: class numbers of `train`, for class weights; classes: how many there are, 0 when the task has none.
    multiple: batches are made divisible by it (devices).  names: of the examples in "train" and "val", for messages.

    Raises: DlcliError when the loss is no number in spite of lower rates (exit code 6), when memory does not suffice
    (7), a batch cannot be read (3), a checkpoint cannot be written (5), or training is stopped from outside (75, 130).
    """
    names = names or {}
    change = changes(fit, train, labels, classes)
    train = Guarded(train, names=names.get("train"), patience=fit.loader_patience)
    val = Guarded(val, names=names.get("val"), patience=fit.loader_patience) if val is not None else None
    for place in (run.path, run.checkpoints):
        durable.sweep(place)
    begun = time.monotonic()
    with signals.heard() as stop:
        batch_size = _divisible(min(fit.batch_size, len(train)), multiple)
        batches = Batches(train, batch_size=batch_size, seed=seed, change=change)
        course = courses.recorded(run) or _planned(build, task, fit, batches, val).written(run)
        planned = time.monotonic() - begun
        while True:
            once = _Training(
                task, fit, course, train, val, change=change, run=run, seed=seed, stop=stop, planned=planned
            )
            try:
                with loading.told(train, val):
                    return once.fitted(build)
            except Diverged as error:
                rate = fit.learning_rate * course.rate
                hint = f"lower --learning-rate (it was {rate:g} at last), or look for extreme values in the data."
                course = course.slower(run, reason=str(error), step=savepoints.reached(run.checkpoints), hint=hint)
            except backend.memory_errors() as error:
                if not backend.is_memory(error):
                    raise
                course = course.smaller(run, multiple=multiple, step=savepoints.reached(run.checkpoints))


@dataclass(kw_only=False)
class _Training:
    """One attempt, from the newest checkpoint or from the start."""

    task: Task
    fit: FitConfig
    course: Course
    train: Source
    val: Source | None
    change: Change | None = field(kw_only=True)
    run: Run = field(kw_only=True)
    seed: int = field(kw_only=True)
    stop: Stop = field(kw_only=True)
    planned: float = field(kw_only=True)  # seconds that planning took, of the time that was asked for

    def __post_init__(self):
        course = self.course
        self.batches = Batches(
            self.train,
            batch_size=course.batch_size,
            seed=self.seed,
            passes=course.per_epoch,
            parts=course.parts,
            change=self.change,
        )
        self.epochs = math.ceil(course.passes / course.per_epoch)
        self.point = savepoints.newest(self.run.checkpoints)
        savepoints.set_aside(self.run.checkpoints, self.point)
        settings = self.fit
        self.settings = settings.model_copy(
            update={
                "learning_rate": settings.learning_rate * course.rate,
                "accumulate": settings.accumulate * course.parts,
            }
        )
        self.timed = self.fit.time and self.course.timed
        expected = self.epochs / (spare() if self.timed else 1)
        self.keeper = Keeper(
            self.task,
            self.run,
            passes=course.per_epoch,
            # of a small split an epoch is a few steps, after which no score has to be better
            patience=settings.patience
            and max(
                settings.patience, math.ceil(settings.patience_steps * self.settings.accumulate / len(self.batches))
            ),
            plateau=settings.plateau if settings.schedule == "plateau" else None,
            least=settings.final,
            kept={max(1, round((i + 1) * expected / settings.keep)) for i in range(settings.keep)},
            since=course.since,
            every=settings.save_every,
        )

    def fitted(self, build: Callable[[], keras.Model]) -> Fitted:
        """Train to the end. Raises: Diverged, or what the backend raises for want of memory."""
        keras.utils.set_random_seed(self.seed)
        model = build()
        compiled(model, self.task, self.settings, steps=self.epochs * len(self.batches))
        point, examples = self.point, self.course.batch_size // self.course.parts
        val = InOrder(self.val, batch_size=examples) if self.val is not None else None
        if point is not None:
            self.keeper.restore(point)
            if point.finished and point.meta["passes"] == self.course.passes:
                return self._finished(model, point)
            self._restore(model, point)
        else:
            self.keeper.forget()
        epoch, done = self.course.place(point, len(self.batches))
        spent = point.meta["seconds"] if point else 0.0
        paced = []
        if self.timed:
            deadline = time.monotonic() + remaining(self.fit.time, self.planned) - spent
            paced.append(Pace(deadline, len(self.val or ()) / examples))
        watch = Watch(
            batch_size=examples,
            pace=paced[0] if paced else None,
            passes=self.course.per_epoch,
            done=epoch * len(self.batches) + done,
            first=point.meta["first_loss"] if point else None,
        )
        saver = Saver(
            self.run,
            self.course,
            self.batches,
            keeper=self.keeper,
            watch=watch,
            stop=self.stop,
            rate=self.settings.learning_rate,
            every=self.fit.save_every,
            validated=val is not None,
            point=point,
        )
        averaged = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if self.fit.ema is not None else []
        callbacks = [Turn(self.batches, skip=done), *averaged, self.keeper, watch, *paced, saver]
        try:
            with warnings.catch_warnings():
                # the way a shortened first epoch ends
                warnings.filterwarnings("ignore", message="Your input ran out of data")
                model.fit(
                    feed(self.batches),
                    initial_epoch=epoch,
                    epochs=self.epochs,
                    validation_data=None if val is None else feed(val),
                    verbose=0,
                    shuffle=False,
                    callbacks=callbacks,
                )
            saver.close()
        except Interrupted:
            watch.close()
            raise saver.stopped() from None
        finally:
            watch.close()
            saver.join()
        return self._ended(model, saver, watch.steps, examples, val)

    def _restore(self, model: keras.Model, point: Savepoint) -> None:
        """Weights, optimizer and random generators as they were."""
        state.prepare(model, self.batches)
        state.restore(model, point, ("model",))
        try:
            state.restore(model, point, ("optimizer",), accumulated=self.course.parts // point.meta["parts"] or 1)
        except DlcliError:
            if not any(changed["what"] == "config" for changed in self.course.changes):
                raise
            console.warn("the optimizer's state does not fit what was changed: it begins anew.")
        if point.meta["learning_rate"] != self.settings.learning_rate:
            state.lower(model, self.settings.learning_rate / point.meta["learning_rate"])
        epoch, done = self.course.place(point, len(self.batches))
        if self.fit.time and not self.timed:
            put(model, epoch * len(self.batches) + done)
        per, length = self.course.per_epoch, len(self.batches)
        passed, batch = divmod(done, math.ceil(length / per))
        where = f"epoch {epoch * per + passed + 1} of {self.epochs * per}, batch {batch} of {math.ceil(length / per)}"
        console.note(f"going on from {point.name}: {where}")

    def _ended(self, model: keras.Model, saver: Saver, steps: int, examples: int, val: InOrder | None) -> Fitted:
        keeper, seconds = self.keeper, saver.spent
        told = {
            "epochs": keeper.epochs * self.course.per_epoch,
            "best_epoch": keeper.best_epoch * self.course.per_epoch,
            "steps": steps,
            "seconds": seconds,
            "examples_per_second": steps * examples / seconds,
        }
        newest = state.captured(model)
        keeper.finish(val)
        saver.finish(told, newest)
        if self.stop.wanted is not None:  # during the last steps: what is left is the score
            raise saver.stopped()
        return Fitted(model=model, **told)

    def _finished(self, model: keras.Model, point: Savepoint) -> Fitted:
        """Nothing is left to train: the model that was the best."""
        model.set_weights(self.keeper.weights)
        if not self.run.model.is_file():
            rundir.keep(self.run.model, model)
        return Fitted(model=model, **point.meta["fitted"])


def _planned(build, task, fit, batches, val) -> Course:
    """How many passes over the data, and how they are cut into epochs."""
    passes = max(fit.epochs, math.ceil((fit.steps or 0) / batches.per_pass))
    if fit.time:

        def trial() -> Callable:
            model = build()
            compiled(model, task, fit, steps=1000)
            return model.train_on_batch

        fitting = affordable(trial, batches, val, seconds=fit.time)
        passes = max(1, int(fitting * spare()))
        console.note(f"{told(fitting)} in {fit.time:.0f} s")
    epochs = math.ceil(passes / math.ceil(_STEPS_PER_EPOCH / batches.per_pass))
    per_epoch = math.ceil(passes / epochs)  # as even as can be: of 20 passes two epochs of ten, and not of sixteen
    return Course(passes=epochs * per_epoch, per_epoch=per_epoch, batch_size=batches.batch_size)


def compiled(model: keras.Model, task: Task, fit: FitConfig, *, steps: int) -> None:
    """Compile for a training of `steps` batches."""
    model.compile(
        optimizer=layerwise(optimizer(fit, max(1, steps)), model, fit.layer_decay),
        loss=task.loss(),
        metrics=task.metrics(),
        jit_compile=_jit(fit),
    )


def _jit(fit: FitConfig) -> bool | str:
    """XLA or not: on TensorFlow's CPU its own kernels beat XLA's for convolutions by a quarter, and
    start at once. JAX has nothing but XLA: without, every operation would run by itself."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return False if fit.jit == "auto" and not gpus() else fit.jit


def _divisible(batch_size: int, multiple: int) -> int:
    return max(multiple, batch_size // multiple * multiple)
