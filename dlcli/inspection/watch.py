"""One pass over examples that keeps, of every layer, a short row of numbers for each example.

A layer's output for one example becomes: the mean and the standard deviation of each feature over
all positions (and the last step's values, for sequences); or its values at one given position. What
is kept grows with the number of rows and not with the size of pictures or the length of texts.
"""

import time
from collections.abc import Callable, Collection, Iterable

import keras
import numpy as np
from keras import ops

from dlcli.inspection.tap import Tap, mask_of


class Watch:
    """A model seen at some of its places; `rows` runs a batch. Compiled once.

    pool: what makes one row per example of a layer's output (default: `pooled`).  apart: keys of places where
    the model has several rows for each example, such as one for every channel: their mean is taken.
    first: keys of places whose channels stand behind the batch, and not at the end.
    """

    def __init__(
        self,
        model: keras.Model,
        keys: list[str],
        *,
        pool: Callable | None = None,
        apart: Collection[str] = (),
        first: Collection[str] = (),
    ):
        orders = (frozenset(apart), frozenset(first))
        self._watched = {kind: _Watched(model, keys, kind, pool or pooled, *orders) for kind in ("all", "at")}

    def rows(self, x, positions, count: int) -> dict[str, np.ndarray]:
        """Rows (count, d) float32 of every place for one batch.

        positions (B,): the step of the input at which sequences are read, or None for all of them.
        Only the first `count` examples are counted; the others fill the batch up to one shape.
        """
        if positions is None:
            seen = self._watched["all"].predict_on_batch({"x": x})
        else:
            # as a share of the length: a layer may have fewer steps than the input
            steps = np.asarray(keras.tree.flatten(x)[0]).shape[1]
            share = ((np.asarray(positions) + 0.5) / steps).astype(np.float32)
            seen = self._watched["at"].predict_on_batch({"x": x, "at": share})
        return {key: np.asarray(values[:count], np.float32) for key, values in seen.items()}

    def gathered(self, batches: Iterable[tuple]) -> dict[str, np.ndarray]:
        """Rows (n, d) of every place for all batches (x, positions, count)."""
        parts: dict[str, list[np.ndarray]] = {}
        for batch in batches:
            for key, values in self.rows(*batch).items():
                parts.setdefault(key, []).append(values)
        return {key: np.concatenate(many) for key, many in parts.items()}


class _Watched(keras.Model):
    """{"x": the model's inputs, "at": (B,) positions as shares of the length} -> {key: (B, d)}."""

    def __init__(
        self,
        model: keras.Model,
        keys: list[str],
        kind: str,
        pool: Callable,
        apart: frozenset[str],
        first: frozenset[str],
    ):
        super().__init__(name=f"watched_{kind}")
        self.model = model
        self.keys = keys
        self.pool = pool
        self.apart = apart
        self.first = first
        self.built = True

    def call(self, inputs):
        seen = {}

        def look(visit):
            if visit.key in wanted:
                output = visit.output
                if visit.key in self.first:
                    output = ops.moveaxis(output, 1, -1)
                if visit.key in self.apart:
                    rows = ops.shape(keras.tree.flatten(inputs["x"])[0])[0]
                    output = ops.mean(ops.reshape(output, (rows, -1, *output.shape[1:])), axis=1)
                seen[visit.key] = self.pool(output, inputs.get("at"))

        wanted = set(self.keys)
        with Tap(change=look):
            self.model(inputs["x"], training=False)
        return {key: seen[key] for key in self.keys if key in seen}


def pooled(x, at=None):
    """One row per example, in float32.

    (B, C) as it is; (B, T, C) -> values at `at` (B,), a share of the length, (B, C), or mean, deviation
    and last step (B, 3 C), masked steps not counted; (B, ..., C) -> mean and deviation (B, 2 C).
    """
    mask = mask_of(x)
    x = ops.cast(x, "float32")
    if len(x.shape) == 2:
        return x
    if len(x.shape) == 3:
        if at is not None:
            return _taken(x, ops.floor(at * x.shape[1]))
        return ops.concatenate([*_moments(x, mask), _last(x, mask)], axis=-1)
    return ops.concatenate(_moments(x, None), axis=-1)


def averaged(x, at=None):
    """One row of means per example, in float32: (B, ..., C) -> (B, C), masked steps not counted."""
    mask = mask_of(x) if len(x.shape) == 3 else None
    x = ops.cast(x, "float32")
    if mask is not None:
        return _moments(x, mask)[0]
    return ops.mean(x, axis=tuple(range(1, len(x.shape) - 1))) if len(x.shape) > 2 else x


def _moments(x, mask):
    """Mean and deviation over the positions of (B, ..., C), of which those that a mask (B, P) leaves out do not count."""
    if mask is None:
        # not by einsum: on TensorFlow's CPU that is five times slower
        places = tuple(range(1, len(x.shape) - 1))
        mean, square = ops.mean(x, axis=places), ops.mean(ops.square(x), axis=places)
    else:
        weight = ops.cast(mask, "float32")[:, None]  # (B, 1, P)
        weight = weight / ops.maximum(ops.sum(weight, axis=2, keepdims=True), 1.0)
        mean, square = (ops.matmul(weight, values)[:, 0] for values in (x, ops.square(x)))
    # rounding can leave a hair less than nothing
    return [mean, ops.sqrt(ops.maximum(square - mean * mean, 0.0))]


def _last(x, mask):
    if mask is None:
        return x[:, -1]
    steps = ops.sum(ops.cast(mask, "int32"), axis=1)
    return _taken(x, ops.maximum(steps - 1, 0))


def _taken(x, at):
    """(B, T, C) at steps (B,) -> (B, C)."""
    # one-hot and not a gather: it is as quick at these sizes and alike on both backends
    return ops.einsum("bt,btc->bc", ops.one_hot(ops.cast(at, "int32"), x.shape[1], dtype="float32"), x)


def timed(model: keras.Model, x, *, repeats: int = 1) -> dict[str, float]:
    """Milliseconds of each call for the batch x, eagerly (a compiled graph has no time per layer): medians.

    A layer's time holds that of the layers inside it.
    """
    taken: dict[str, list[float]] = {}
    begun: list[float] = []

    def begin(layer, kwargs):
        begun.append(time.perf_counter())
        return kwargs

    def end(visit):
        for tensor in keras.tree.flatten(visit.output):
            ops.convert_to_numpy(tensor)  # wait for it
        taken.setdefault(visit.key, []).append(1000 * (time.perf_counter() - begun.pop()))

    for _ in range(repeats + 1):
        with Tap(arguments=begin, change=end):
            model(x, training=False)
    return {key: float(np.median(values[1:])) for key, values in taken.items() if len(values) > 1}
