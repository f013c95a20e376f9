"""Fit a model: the only place that calls `compile` and `fit`."""

import math
import statistics
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import keras
import numpy as np

from dlcli import console, rundir
from dlcli.backend import gpus
from dlcli.batches import Batches, InOrder, Turn
from dlcli.config import FitConfig
from dlcli.errors import DIVERGED, STOPPED, DlcliError
from dlcli.mixing import changes
from dlcli.optimize import layerwise, optimizer
from dlcli.progress import Diverged, Watch
from dlcli.rundir import Run
from dlcli.task import Source, Task

# A Keras epoch costs some 30 ms beside its steps: a shorter one holds several passes over the data.
_STEPS_PER_EPOCH = 16
# Seconds between saves. A run that is killed loses at most this, or one epoch.
_SAVE_EVERY = 20.0


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
) -> Fitted:
    """Fit the model that `build` makes and leave the best weights in run/model.keras.

    The best epoch is the one with the best `task.monitor` on `val`; without a monitor or a
    validation split it is the last. labels: class numbers
    of `train`, for class weights; classes: how many there are, 0 when the task has none. multiple: batches are made divisible by it (devices).

    Raises: DlcliError (exit code 6) when the loss is not finite any more.
    """
    batch_size = _divisible(min(fit.batch_size, len(train)), multiple)
    change = changes(fit, labels, classes)
    batches = Batches(train, batch_size=batch_size, seed=seed, change=change)
    passes = max(fit.epochs, math.ceil((fit.steps or 0) / batches.per_pass))
    begun = time.monotonic()
    if fit.time:
        passes = _affordable(build, task, fit, batches, val, seconds=fit.time)
        fit = fit.model_copy(update={"epochs": passes, "steps": None})
        console.note(f"{passes} epochs fit into {fit.time:.0f} s")
    batches.passes = min(passes, math.ceil(_STEPS_PER_EPOCH / batches.per_pass))
    epochs = math.ceil(passes / batches.passes)

    keras.utils.set_random_seed(seed)
    model = build()
    compiled(model, task, fit, steps=epochs * len(batches))
    kept = {round((i + 1) * epochs / fit.keep) for i in range(fit.keep)}
    keeper = Keeper(task, run, patience=fit.patience, passes=batches.passes, kept=kept)
    watch = Watch(batch_size=batch_size, deadline=begun + fit.time if fit.time else None)
    averaged = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if fit.ema is not None else []
    started = time.monotonic()
    try:
        model.fit(
            batches,
            epochs=epochs,
            validation_data=InOrder(val, batch_size=_divisible(batch_size, multiple)) if val is not None else None,
            verbose=0,
            shuffle=False,
            callbacks=[Turn(batches), *averaged, keeper, watch],
        )
    except Diverged as error:
        kept = f"{run.model} holds the best epoch before it" if run.model.exists() else "nothing was kept"
        raise DlcliError(
            f"{error}; {kept}.",
            f"lower --learning-rate (it was {fit.learning_rate:g}), or look for extreme values in the data.",
            code=DIVERGED,
        ) from None
    except KeyboardInterrupt:
        watch.close()
        if not keeper.epochs:
            raise DlcliError("stopped in the first epoch: nothing was kept.", code=STOPPED) from None
        keeper.finish()
        raise DlcliError(
            f"stopped after {keeper.epochs * batches.passes} epochs.",
            f"{run.model} holds the best of them: dlcli evaluate {run.path} scores it.",
            code=STOPPED,
        ) from None
    finally:
        watch.close()
    seconds = time.monotonic() - started
    keeper.finish()
    return Fitted(
        model=model,
        epochs=keeper.epochs * batches.passes,
        best_epoch=keeper.best_epoch * batches.passes,
        steps=keeper.epochs * len(batches),
        seconds=seconds,
        examples_per_second=keeper.epochs * len(batches) * batch_size / seconds,
    )


def compiled(model: keras.Model, task: Task, fit: FitConfig, *, steps: int) -> None:
    """Compile for a training of `steps` batches."""
    model.compile(
        optimizer=layerwise(optimizer(fit, max(1, steps // fit.accumulate)), model, fit.layer_decay),
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


class Keeper(keras.callbacks.Callback):
    """Keeps the history and the best weights, in memory at once and on disk every so often."""

    def __init__(self, task: Task, run: Run, *, patience: int | None, passes: int, kept: Collection[int] = ()):
        super().__init__()
        self.kept = kept
        self.monitor = task.monitor
        # Accuracies are to be high; losses and errors low.
        self.sign = -1.0 if self.monitor and "acc" in self.monitor else 1.0
        self.run = run
        self.patience = patience
        self.passes = passes
        self.best = math.inf
        self.best_epoch = self.epochs = 0
        self._weights = None
        self._saved = time.monotonic()
        self._unsaved = False

    def on_epoch_begin(self, epoch, logs=None):
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self.epochs = epoch + 1
        self.run.append(
            "history.jsonl",
            {"epoch": self.epochs * self.passes, **logs, "seconds": round(time.monotonic() - self._begun, 3)},
        )
        score = self.sign * logs.get(self.monitor, -math.inf) if self.monitor in logs else None
        # NaN is never better. Without a score the newest epoch is the best known.
        if score is None or score < self.best:
            self.best = math.inf if score is None else score
            self.best_epoch = self.epochs
            self._unsaved = True
            self._weights = self.model.get_weights()
        if self.epochs in self.kept:
            rundir.commit(
                self.run.path / "checkpoints" / f"epoch-{self.epochs * self.passes:05d}.keras", self.model.save
            )
        if time.monotonic() - self._saved > _SAVE_EVERY:
            self._save()
        if score is not None and self.patience and self.epochs - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def finish(self) -> None:
        """Best weights into the model and onto the disk; the newest state beside them."""
        rundir.commit(self.run.last, self.model.save)
        self.model.set_weights(self._weights)
        rundir.commit(self.run.model, self.model.save)

    def _save(self) -> None:
        if self._unsaved:
            newest = self.model.get_weights()
            self.model.set_weights(self._weights)
            rundir.commit(self.run.model, self.model.save)
            self.model.set_weights(newest)
        self._unsaved = False
        rundir.commit(self.run.last, self.model.save)
        self._saved = time.monotonic()


def _affordable(build, task, fit, batches, val, *, seconds: float) -> int:
    """Passes over the data that fit into `seconds`, by timing a few steps of a model that is thrown away."""
    begun = time.monotonic()
    trial = build()
    compiled(trial, task, fit, steps=1000)
    trial.train_on_batch(*batches[0])
    compiling = time.monotonic() - begun
    start, steps = time.monotonic(), []
    while len(steps) < 3 or (len(steps) < 200 and time.monotonic() - start < min(3.0, 0.03 * seconds)):
        before = time.monotonic()
        trial.train_on_batch(*batches[len(steps) % len(batches)])
        steps.append(time.monotonic() - before)
    step = statistics.median(steps)
    # A forward pass is about a third of a step; the score at the end costs as much again.
    validation = step / 3 * (len(val) / batches.batch_size if val is not None else 0)
    left = seconds - (time.monotonic() - begun) - compiling - validation
    return max(1, int(0.95 * left / (step * batches.per_pass + validation)))


def _divisible(batch_size: int, multiple: int) -> int:
    return max(multiple, batch_size // multiple * multiple)


def outputs(model: keras.Model, task: Task, source: Source, *, batch_size: int = 256) -> dict[str, np.ndarray]:
    """Measures of a whole source, in order. Every example counts once.

    The last batch is filled up with its own first examples, so that one shape is compiled; what
    they gave is cut off.
    """
    n = len(source)
    batch_size = min(batch_size, n)
    parts = []
    for index, start in enumerate(range(0, n, batch_size)):
        chosen = np.arange(start, min(start + batch_size, n))
        filled = np.resize(chosen, batch_size)
        x, y, *_ = source.batch(filled, np.random.default_rng([0, index]))
        y_pred = model.predict_on_batch(x)
        measured = task.measure(x, y, y_pred)
        parts.append({name: np.asarray(values)[: len(chosen)] for name, values in measured.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
