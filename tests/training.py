"""A small training that can be stopped after any number of batches, as kill -9 would: what is not on disk is gone."""

import json
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from keras import layers

from dlcli import fit, savepoints, task
from dlcli.config import FitConfig
from dlcli.rundir import Run
from dlcli.saver import Saver
from dlcli.task import Arrays


class Killed(BaseException):
    """Nothing catches it."""


class Line(task.Task):
    """y = 2 x0 - x1."""

    def loss(self):
        return keras.losses.MeanSquaredError()

    def metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="mae")]


def data(n=128, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 8)).astype("float32")
    return Arrays(x, (2 * x[:, :1] - x[:, 1:2]).astype("float32"))


def build():
    """Every kind of state: weights, moving statistics, a generator of random numbers."""
    inputs = keras.Input((8,), name="x")
    x = layers.Dense(8, activation="relu", name="hidden")(inputs)
    x = layers.Dropout(0.3, name="dropout")(layers.BatchNormalization(name="norm")(x))
    return keras.Model(inputs, layers.Dense(1, name="line", dtype="float32")(x))


def trained(path: Path, *, make=build, learn=None, train=None, val=None, seed=0, classes=0, **settings):
    """Train, or go on with what is there, to the end. A checkpoint after every batch."""
    path.mkdir(exist_ok=True)
    settings = {"epochs": 3, "batch_size": 16, "save_every": 0.0, "warmup": 0.0, **settings}
    return fit.train(
        make,
        learn or Line(),
        FitConfig(**settings),
        train=train or data(),
        val=val or data(32, 1),
        labels=None,
        classes=classes,
        run=Run(path),
        seed=seed,
    )


@contextmanager
def killed_after(batches: int):
    """The training in here is gone after so many batches of its own."""
    honest, seen = Saver.on_train_batch_end, [0]

    def counted(self, batch, logs=None):
        honest(self, batch, logs)
        seen[0] += 1
        if seen[0] == batches:
            raise Killed

    Saver.on_train_batch_end = counted
    try:
        yield
    except Killed:
        return
    finally:
        Saver.on_train_batch_end = honest
    raise AssertionError(f"there were only {seen[0]} batches")


def killed(path: Path, *kills: int, **options):
    """Train with a kill after so many batches of each life, then to the end."""
    for batches in kills:
        with killed_after(batches):
            trained(path, **options)
    return trained(path, **options)


def outcome(path: Path) -> dict:
    """All that must be equal bit for bit: every array's digest, and the history without the times."""
    point = savepoints.newest(path / "checkpoints")
    rows = [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
    for row in rows:
        del row["seconds"]
    keeper = {name: value for name, value in point.meta["keeper"].items() if name != "rows"}
    return {"finished": point.finished, "digests": point.digests, "history": rows, "keeper": keeper}
