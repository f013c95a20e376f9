"""Principal components as many as the code has numbers: the best linear autoencoder (Baldi and Hornik, 1989)."""

import numpy as np

from dlcli.baselines._measure import rewritten, targets_as_rows
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"reconstruction", "anomaly-detection"}


def fit(task, train: Examples, *, code: int | None = None, rows: int = 20_000) -> Predictor:
    """code: components kept (default: the size of the task's code).  rows: training examples used
    at most, drawn by seed."""
    y = targets_as_rows(task, train, rows=rows)
    mean = y.mean(axis=0)
    kept = components(y - mean, min(code or task.code, *y.shape))  # (d, code)

    def project(x, y):
        return (y.reshape(len(y), -1) - mean) @ kept @ kept.T + mean

    return lambda examples: rewritten(task, examples, project)


def components(rows: np.ndarray, code: int) -> np.ndarray:
    """Directions of most variance of centred rows.  (n, d) -> (d, code)"""
    n, d = rows.shape
    if d <= max(n, 2_000):
        return np.linalg.eigh(rows.T @ rows)[1][:, ::-1][:, :code]
    left = np.linalg.eigh(rows @ rows.T)[1][:, ::-1][:, :code]
    directions = rows.T @ left
    return directions / np.maximum(np.linalg.norm(directions, axis=0), 1e-12)
