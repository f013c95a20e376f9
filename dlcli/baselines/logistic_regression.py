"""Multinomial logistic regression on standardised features: pixels, columns or time steps."""

import warnings

import numpy as np

from dlcli.baselines._measure import measured_features, some_examples
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"image-classification", "tabular-classification", "sequence-classification"}


def fit(task, train: Examples, *, rows: int = 60_000, values: int = 30_000_000, iterations: int = 100) -> Predictor:
    """rows: training examples used at most, drawn by seed.  values: rows times features at most.
    iterations: of L-BFGS. The inverse L2 penalty is 1 / sqrt(n), good for pixels and columns alike."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    part = some_examples(task, train, rows=rows, values=values)
    x, y = task.flat(part), task.targets(part)
    present = np.unique(y)
    if len(present) < 2:
        raise ValueError("it needs examples of two classes")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / len(x) ** 0.5, max_iter=iterations))
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # stopping early regularises: no news to the user
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)

    def predict(x: np.ndarray) -> np.ndarray:
        p = np.zeros((len(x), len(task.classes)), np.float32)
        with threadpool_limits(limits=1):
            p[:, present] = model.predict_proba(x)
        return p

    return lambda examples: measured_features(task, examples, predict)
