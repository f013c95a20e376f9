"""Ridge regression on standardised features: pixels or columns."""

import numpy as np

from dlcli.baselines._measure import measured_features, some_examples, targets
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"image-regression", "tabular-regression"}


def fit(task, train: Examples, *, rows: int = 50_000, values: int = 5_000_000) -> Predictor:
    """rows: training examples used at most, drawn by seed.  values: rows times features at most.
    The penalty is the best of nine by leave-one-out error (generalised cross-validation)."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    part = some_examples(task, train, rows=rows, values=values)
    y = targets(task, part)
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-2, 6, 9)))
    with threadpool_limits(limits=1):
        model.fit(task.flat(part).astype(np.float64), y.reshape(len(y)))

    def predict(x: np.ndarray) -> np.ndarray:
        return model.predict(x).astype(np.float32).reshape(-1, *y.shape[1:])

    return lambda examples: measured_features(task, examples, predict)
