"""Least squares from the window to the forecast, one map for all columns (Toner and Darlow, 2024)."""

import numpy as np

from dlcli.baselines._measure import batches, measured, some_rows
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"forecasting"}


def fit(task, train: Examples, *, penalty: float = 1e-3, windows: int = 20_000) -> Predictor:
    """The window's mean is taken off before and added after, so that levels never seen are no harm.

    penalty: ridge, relative to the mean variance of the inputs.  windows: training windows used at
    most, drawn by seed.
    """
    source = task.source(train, training=False)
    chosen = some_rows(len(source), windows)
    if len(chosen) < 2:
        raise ValueError("there are fewer than two training windows")
    products = targets = rows = 0
    for _, x, y in batches(source, 256, chosen):
        a, b = _columns(x), _columns(y)  # (B * C, L), (B * C, F)
        known = np.isfinite(b).all(axis=1)
        a, b = a[known], b[known]
        level = a.mean(axis=1, keepdims=True)
        a, b = a - level, b - level
        products, targets, rows = products + a.T @ a, targets + a.T @ b, rows + len(a)
    L = len(products)
    if not rows:
        raise ValueError("no training window has a target without gaps")
    ridge = max(penalty * np.trace(products) / L, 1e-9)
    weights = np.linalg.solve(products + ridge * np.eye(L), targets)  # (L, F)

    def forecast(x, indices):
        a = _columns(x)
        level = a.mean(axis=1, keepdims=True)
        y_pred = (a - level) @ weights + level
        return y_pred.reshape(len(x), x.shape[2], -1).swapaxes(1, 2).astype(np.float32)

    def predict(examples: Examples):
        return measured(task, examples, forecast)

    return predict


def _columns(x):
    """(B, T, C) -> (B * C, T) float64"""
    return np.asarray(x, np.float64).swapaxes(1, 2).reshape(-1, x.shape[1])
