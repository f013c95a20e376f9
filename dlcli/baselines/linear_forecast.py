"""Least squares from the window to the forecast, one map for all columns (Toner and Darlow, 2024)."""

import numpy as np

from dlcli.baselines._measure import batches, measured, some_rows
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"forecasting"}
GAPS = 2_000  # histories, about, whose targets have gaps: every step ahead is then solved by itself


def fit(task, train: Examples, *, penalty: float = 1e-3, windows: int = 20_000) -> Predictor:
    """The window's mean is taken off before and added after, so that levels never seen are no harm.

    penalty: ridge, relative to the mean variance of the inputs.  windows: training windows used at
    most, drawn by seed.
    """
    source = task.source(train, training=False)
    chosen = some_rows(len(source), windows)
    if len(chosen) < 2:
        raise ValueError("there are fewer than two training windows")
    products = targets = whole = partly = 0
    gaps: list[tuple] = []
    for rows, x, y in batches(source, 256, chosen):
        a, b = _columns(x), _columns(y)  # (B * C, L), (B * C, F)
        level = a.mean(axis=1, keepdims=True)
        a, b = a - level, b - level
        known = np.isfinite(b).all(axis=1)
        missing = np.flatnonzero(~known)
        partly += len(missing)
        # of each batch its share, for all of them would take the memory of the whole set
        share = missing[some_rows(len(missing), -(-GAPS * len(rows) // len(chosen)))]
        gaps.append((a[share], b[share]))
        a, b = a[known], b[known]
        products, targets, whole = products + a.T @ a, targets + a.T @ b, whole + len(a)
    weights = _solved(products, targets, penalty)  # (L, F)
    a, b = (np.concatenate(parts) for parts in zip(*gaps, strict=True))
    if not whole and not np.isfinite(b).any():
        raise ValueError("no training window has a known target")
    if partly > whole:
        for step in range(b.shape[1]):
            seen = np.isfinite(b[:, step])
            more = a[seen]
            weights[:, step] = _solved(products + more.T @ more, targets[:, step] + more.T @ b[seen, step], penalty)

    def forecast(x, indices):
        a = _columns(x)
        level = a.mean(axis=1, keepdims=True)
        y_pred = (a - level) @ weights + level
        return y_pred.reshape(len(x), x.shape[2], -1).swapaxes(1, 2).astype(np.float32)

    def predict(examples: Examples):
        return measured(task, examples, forecast)

    return predict


def _solved(products, targets, penalty: float):
    """Ridge regression from X'X (L, L) and X'Y (L, ...)."""
    L = len(products)
    return np.linalg.solve(products + max(penalty * np.trace(products) / L, 1e-9) * np.eye(L), targets)


def _columns(x):
    """(B, T, C) -> (B * C, T) float64"""
    return np.asarray(x, np.float64).swapaxes(1, 2).reshape(-1, x.shape[1])
