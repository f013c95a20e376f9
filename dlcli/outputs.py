"""What a model gives for a whole source, measured."""

from collections.abc import Iterable

import keras
import numpy as np

from dlcli.task import Source, Task


def outputs(model: keras.Model, task: Task, source: Source, *, batch_size: int = 256) -> dict[str, np.ndarray]:
    """Measures of a whole source, in order. Every example counts once.

    The last batch is filled up with its own first examples, so that one shape is compiled; what
    they gave is cut off.
    """
    n = len(source)
    batch_size = min(batch_size, n, getattr(source, "at_once", n))

    def parts():
        for index, start in enumerate(range(0, n, batch_size)):
            chosen = np.arange(start, min(start + batch_size, n))
            filled = np.resize(chosen, batch_size)
            x, y, *_ = source.batch(filled, np.random.default_rng([0, index]))
            y_pred = model.predict_on_batch(x)
            measured = task.measure(x, y, y_pred)
            yield {name: values[: len(chosen)] for name, values in measured.items()}

    return gathered(parts(), n)


def gathered(parts: Iterable[dict[str, np.ndarray]], n: int) -> dict[str, np.ndarray]:
    """Arrays of n examples from those of batches, each put where it belongs: together they may be half of the memory."""
    whole: dict[str, np.ndarray] = {}
    start = 0
    for part in parts:
        for name, values in part.items():
            values = np.asarray(values)
            if name not in whole:
                whole[name] = np.empty((n, *values.shape[1:]), values.dtype)
            elif not np.can_cast(values.dtype, whole[name].dtype):  # a longer word, say
                whole[name] = whole[name].astype(np.promote_types(whole[name].dtype, values.dtype))
            whole[name][start : start + len(values)] = values
        start += len(values)
    assert start == n
    return whole
