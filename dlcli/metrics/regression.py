"""Scores of predicted numbers."""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report, Score

FORMULAS = {
    "rmse": "square root of the mean of (y - y_pred)^2, in units of the target",
    "mae": "mean of |y - y_pred|, in units of the target",
    "r2": "1 - sum (y - y_pred)^2 / sum (y - mean y)^2, the mean taken over the scored examples",
}


def regression(y, y_pred) -> Report:
    """y and y_pred (n,) or (n, 1), in the units of the target."""
    y = np.asarray(y, dtype=np.float64).reshape(-1)
    y_pred = np.asarray(y_pred, dtype=np.float64).reshape(-1)
    if len(y) != len(y_pred) or len(y) == 0:
        raise ValueError(f"{len(y)} targets and {len(y_pred)} predictions do not fit")
    error, n = y - y_pred, len(y)
    mse = intervals.score(error**2)
    scores = {
        "rmse": Score(*(float(np.sqrt(max(v, 0.0))) for v in (mse.value, mse.low, mse.high)), n),
        "mae": intervals.score(np.abs(error)),
        "r2": _r2(y, error),
    }
    return Report(scores=scores, formulas=dict(FORMULAS))


def _r2(y, error) -> Score:
    y = y - y.mean()  # R2 does not change, and the sum of squares keeps its digits
    columns = np.stack([error**2, y, y**2], axis=1)
    sums, units = intervals.resampled_sums(columns)
    value = float(_r2_of(columns.sum(0)[None], len(y))[0])
    return Score(value, *intervals.percentiles(_r2_of(sums, len(y)), value, units), len(y))


def _r2_of(sums, n):
    """sums (r, 3) of squared errors, y and y^2 -> (r,)"""
    total = sums[:, 2] - sums[:, 1] ** 2 / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 1 - sums[:, 0] / total, np.nan)
