"""Least squares from the window to the forecast, one map for all columns (Toner and Darlow, 2024)."""

import numpy as np

from dlcli import least_squares
from dlcli.baselines._measure import batches, measured, some_rows
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"forecasting"}


def fit(task, train: Examples, *, penalty: float = 1e-3, windows: int = 20_000) -> Predictor:
    """The window's mean is taken off before and added after, so that levels never seen are no harm.

    penalty: ridge, relative to the mean variance of the inputs.  windows: training windows used at
    most, drawn by seed; fewer of more than eight columns.
    """
    source = task.source(train, training=False)
    _, one, _ = next(batches(source, 1))
    rows = some_rows(len(source), least_squares.enough(windows, one.shape[2]))
    weights = least_squares.fitted(source, rows, mode="revin", penalty=penalty)

    def forecast(x, indices):
        a = least_squares.columns(x)
        level = least_squares.level_of(a, "revin")
        y_pred = (a - level) @ weights + level
        return y_pred.reshape(len(x), x.shape[2], -1).swapaxes(1, 2).astype(np.float32)

    def predict(examples: Examples):
        return measured(task, examples, forecast)

    return predict
