"""What all baselines share: their predictions are measured as a model's are, by the task, batch by batch."""

from collections.abc import Callable

import numpy as np

from dlcli.data import Examples
from dlcli.outputs import gathered
from dlcli.task import Source, Task


def measured(task: Task, examples: Examples, predict: Callable, *, batch_size: int = 1024) -> dict[str, np.ndarray]:
    """Measures of all examples, in order.  predict(x, indices) -> y_pred of one batch."""
    source = task.source(examples, training=False)
    parts = (task.measure(x, y, predict(x, indices)) for indices, x, y in batches(source, batch_size))
    return gathered(parts, len(source))


def measured_features(
    task: Task, examples: Examples, predict: Callable, *, values: int = 30_000_000
) -> dict[str, np.ndarray]:
    """Measures of all examples, in order, whose features need not fit into memory together.

    predict(features (n, d)) -> y_pred (n, ...).  values: of features computed at once at most.
    """
    step = max(1, values // _width(task, examples))
    parts = (np.arange(start, min(start + step, len(examples))) for start in range(0, len(examples), step))
    y_pred = np.concatenate([predict(task.flat(examples.take(part))) for part in parts])
    return measured(task, examples, lambda x, i: y_pred[i])


def batches(source: Source, batch_size: int = 1024, indices=None):
    """Yields (indices, x, y), in order."""
    indices = np.arange(len(source)) if indices is None else np.asarray(indices)
    batch_size = min(batch_size, getattr(source, "at_once", batch_size))
    for number, start in enumerate(range(0, len(indices), batch_size)):
        chosen = indices[start : start + batch_size]
        x, y, *_ = source.batch(chosen, np.random.default_rng([0, number]))
        yield chosen, x, y


def some_rows(n: int, most: int, seed: int = 0) -> np.ndarray:
    """Positions of at most so many of n rows, drawn by seed, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def some_examples(task: Task, train: Examples, *, rows: int, values: int) -> Examples:
    """At most so many of the examples, and of their features, drawn by seed."""
    return train.take(some_rows(len(train), max(2, min(rows, values // _width(task, train)))))


def _width(task: Task, examples: Examples) -> int:
    """Features of one example."""
    return task.flat(examples.take([0])).shape[1]


def targets(task: Task, examples: Examples, indices=None) -> np.ndarray:
    """y of the examples as the task gives it to a model, in the model's units."""
    source = task.source(examples, training=False)
    return np.concatenate([y for _, _, y in batches(source, indices=indices)])


def rewritten(task: Task, examples: Examples, rewrite: Callable) -> dict[str, np.ndarray]:
    """Measures where a prediction has the form of y.  rewrite(x, y) -> y_pred of one batch; a rule
    that looks at y does so where y is x in the units of the loss."""
    source = task.source(examples, training=False)
    parts = (
        task.measure(x, y, np.asarray(rewrite(x, y), np.float32).reshape(y.shape)) for _, x, y in batches(source, 256)
    )
    return gathered(parts, len(source))


def targets_as_rows(task: Task, train: Examples, *, rows: int, values: int = 30_000_000) -> np.ndarray:
    """y of what training sees (n, d) float32: at most so many rows, drawn by seed, and values."""
    source = task.source(train, training=True)
    width = next(batches(source, 1))[2].size
    chosen = some_rows(len(source), max(2, min(rows, values // width)))
    return np.concatenate([y.reshape(len(y), -1) for _, _, y in batches(source, 256, chosen)])
