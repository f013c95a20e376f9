"""What all baselines share: their predictions are measured as a model's are, by the task, batch by batch."""

from collections.abc import Callable

import numpy as np

from dlcli.data import Examples
from dlcli.task import Source, Task


def measured(task: Task, examples: Examples, predict: Callable, *, batch_size: int = 1024) -> dict[str, np.ndarray]:
    """Measures of all examples, in order.  predict(x, indices) -> y_pred of one batch."""
    source = task.source(examples, training=False)
    parts = [task.measure(x, y, predict(x, indices)) for indices, x, y in batches(source, batch_size)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def batches(source: Source, batch_size: int = 1024, indices=None):
    """Yields (indices, x, y), in order."""
    indices = np.arange(len(source)) if indices is None else np.asarray(indices)
    for number, start in enumerate(range(0, len(indices), batch_size)):
        chosen = indices[start : start + batch_size]
        x, y, *_ = source.batch(chosen, np.random.default_rng([0, number]))
        yield chosen, x, y


def some_rows(n: int, most: int, seed: int = 0) -> np.ndarray:
    """Positions of at most so many of n rows, drawn by seed, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def targets(task: Task, examples: Examples, indices=None) -> np.ndarray:
    """y of the examples as the task gives it to a model, in the model's units."""
    source = task.source(examples, training=False)
    return np.concatenate([y for _, _, y in batches(source, indices=indices)])
