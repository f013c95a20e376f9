"""What a model gives for a whole source, measured."""

import keras
import numpy as np

from dlcli.task import Source, Task


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
