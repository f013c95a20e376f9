"""Gradient boosted trees (Friedman, 2001) on histograms of the columns: the usual best for tables."""

import numpy as np

from dlcli.baselines._measure import measured_features, some_examples, targets
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"tabular-classification", "tabular-regression"}

SMALL = 1_000  # with fewer examples a tenth says little: a sixth of the trees, and no stopping


def fit(
    task,
    train: Examples,
    *,
    rows: int = 100_000,
    values: int = 60_000_000,
    iterations: int = 300,
    learning_rate: float = 0.1,
    early_stopping: bool = True,
) -> Predictor:
    """rows: training examples used at most, drawn by seed.  values: rows times features at most.  iterations: trees
    per class at most.  learning_rate: of each tree.  early_stopping: on a tenth of the training examples, where there
    are enough.
    """
    from sklearn import ensemble
    from threadpoolctl import threadpool_limits

    part = some_examples(task, train, rows=rows, values=values)
    options = {
        "max_iter": iterations if len(part) >= SMALL else iterations // 6,
        "learning_rate": learning_rate,
        "early_stopping": early_stopping and len(part) >= SMALL,
        "random_state": 0,
    }
    # One thread: beside TensorFlow's OpenMP pool two threads took 43 s where one takes 1.5 s.
    if hasattr(task, "classes"):
        y = task.targets(part)
        model = ensemble.HistGradientBoostingClassifier(**options)
    else:
        y = targets(task, part)
        model = ensemble.HistGradientBoostingRegressor(**options)
    shape = y.shape[1:]
    with threadpool_limits(limits=1):
        model.fit(task.flat(part), y.reshape(len(y)))

    def predict(x: np.ndarray) -> np.ndarray:
        with threadpool_limits(limits=1):
            if not hasattr(task, "classes"):
                return model.predict(x).astype(np.float32).reshape(-1, *shape)
            p = np.zeros((len(x), len(task.classes)), np.float32)
            p[:, model.classes_] = model.predict_proba(x)
            return p

    return lambda examples: measured_features(task, examples, predict)
