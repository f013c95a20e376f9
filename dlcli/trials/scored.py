"""What a model makes of the examples that choose between models, and of those that tell how good one is."""

from collections.abc import Callable

import numpy as np

from dlcli.data import Data, Examples
from dlcli.rundir import Run
from dlcli.scoring import document
from dlcli.task import Task


def parts(task: Task, data: Data, predict: Callable[[Examples], dict[str, np.ndarray]], run: Run) -> dict[str, dict]:
    """Scores on "val" and "test", by the name of the part. values.npy: the score of every test example."""
    found = {}
    for part in ("val", "test"):
        measures = predict(data.splits[part])
        name, values = task.per_example(measures)
        found[part] = {"scores": document(task.report(measures)), "compared": name, "mean": float(values.mean())}
    np.save(run.path / "values.npy", values.astype(np.float32))
    return found
