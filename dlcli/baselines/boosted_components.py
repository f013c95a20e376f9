"""Gradient boosted trees (Friedman, 2001) on principal components of pixels: trees alone see single pixels."""

import numpy as np

from dlcli.baselines._measure import measured_features, some_rows
from dlcli.data import Examples
from dlcli.task import Predictor

# Not in every report: `compare` has the time for it.
COMPARED = {"image-classification", "sequence-classification"}


def fit(task, train: Examples, *, rows: int = 10_000, components: int = 50, iterations: int = 60) -> Predictor:
    """rows: training examples used at most, drawn by seed.  components: principal components, of which trees are
    grown.  iterations: trees per class.
    """
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    part = train.take(some_rows(len(train), rows))
    x, y = task.flat(part), task.targets(part)
    if len(np.unique(y)) < 2:
        raise ValueError("it needs examples of two classes")
    space = PCA(min(components, *x.shape), random_state=0, svd_solver="randomized")
    model = HistGradientBoostingClassifier(max_iter=iterations, early_stopping=False, random_state=0)
    with threadpool_limits(limits=1):
        model.fit(space.fit_transform(x), y)

    def predict(x: np.ndarray) -> np.ndarray:
        p = np.zeros((len(x), len(task.classes)), np.float32)
        with threadpool_limits(limits=1):
            p[:, model.classes_] = model.predict_proba(space.transform(x))
        return p

    return lambda examples: measured_features(task, examples, predict)
