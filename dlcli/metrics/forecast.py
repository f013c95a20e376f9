"""Scores of forecasts: on the standardised scale of the published tables, and on the original one."""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report, Score

# From this many series on, series are resampled whole; with fewer, blocks of windows are.
MANY_SERIES = 10

_WINDOWS = 256  # scored at once


def seasonal_scale(values, season: int) -> np.ndarray:
    """The denominator of MASE: mean |v[t] - v[t - season]| over the training rows.

    values (T, C), gaps are NaN -> (C,), NaN where nothing is known or nothing changes.
    """
    values = np.asarray(values, dtype=np.float64)
    step = np.abs(values[season:] - values[:-season])
    known = np.isfinite(step)
    count = known.sum(axis=0)
    scale = np.where(known, step, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where((count > 0) & (scale > 0), scale, np.nan)


def forecast(y, p, *, mean, std, mase_scale, season: int, series=None, channels=None, stride: int = 1) -> Report:
    """Scores of n windows, in order of time within a series.

    y, p (n, F, C) on the standardised scale, unknown values of y NaN.  mean, std, mase_scale
    (C,), or (n, C) where every series has its own, in original units.  series: n ids.
    channels: C names.  stride: rows from one window to the next.
    """
    n, F, C = y.shape
    if p.shape != y.shape or n == 0:
        raise ValueError(f"y {y.shape} and p {p.shape} do not fit")
    errors = _errors(y, p, mean, std, mase_scale)
    grouped = series is not None and len(np.unique(series)) >= MANY_SERIES
    # windows that are less than F rows apart share target rows; a season is a cycle of errors
    block = 1 if grouped else max(1, -(-max(F, season) // stride), round(n ** (1 / 3)))
    scores = {}
    for name, sums in errors.items():
        total, count = sums["window"]
        if count.sum() == 0:  # no column has a seasonal difference, or no value is known
            continue
        low, high = intervals.ratio_interval(total, count, groups=series if grouped else None, block=block)
        scores[name] = Score(float(total.sum() / count.sum()), low, high, n)
    return Report(
        scores=scores,
        tables={
            "horizon": _table(errors, "step", range(1, F + 1)),
            "channels": _table(errors, "channel", channels or range(C)),
        },
        formulas={name: text for name, text in _formulas(season, grouped, block).items() if name in scores},
    )


def window_errors(name: str, y, p, *, mean, std, mase_scale) -> np.ndarray:
    """(2, n): of each window the sum of the errors of a score, and the number of known values."""
    return _errors(y, p, mean, std, mase_scale)[name]["window"]


def _errors(y, p, mean, std, mase_scale):
    """Per score {"window": (total, count) (2, n), "step": (2, F), "channel": (2, C)}."""
    n, F, C = y.shape
    mean, std, mase_scale = (
        np.broadcast_to(np.asarray(v, dtype=np.float64), (n, C))[:, None, :] for v in (mean, std, mase_scale)
    )
    axes = {"window": (1, 2), "step": (0, 2), "channel": (0, 1)}
    names = ("mse", "mae", "mase", "smape")
    sums = {name: {"window": np.zeros((2, n)), "step": np.zeros((2, F)), "channel": np.zeros((2, C))} for name in names}
    for start in range(0, n, _WINDOWS):
        part = slice(start, start + _WINDOWS)
        values = _values(y[part], p[part], mean[part], std[part], mase_scale[part])
        for name, (value, known) in zip(names, values, strict=True):
            for kept, axis in axes.items():
                rows = part if kept == "window" else slice(None)
                sums[name][kept][0, rows] += value.sum(axis=axis)
                sums[name][kept][1, rows] += known.sum(axis=axis)
    return sums


def _values(y, p, mean, std, mase_scale):
    """Errors (b, F, C), 0 where unknown, and where they are known; in the order of the scores."""
    y, p = y.astype(np.float64), p.astype(np.float64)
    known = np.isfinite(y)
    error = np.abs(np.where(known, y - p, 0.0))
    size = np.where(known, np.abs(y * std + mean) + np.abs(p * std + mean), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        smape = np.where(size > 0, 200 * error * std / size, 0.0)
        scaled = known & (mase_scale > 0)
        mase = np.where(scaled, error * std / mase_scale, 0.0)
    return (error**2, known), (error, known), (mase, scaled), (smape, known)


def _table(errors, column, names):
    rows = []
    for i, name in enumerate(names):
        means = {
            score: float(sums[column][0, i] / sums[column][1, i]) if sums[column][1, i] else None
            for score, sums in errors.items()
        }
        rows.append({column: name, **means})
    return rows


def _formulas(season, grouped, block):
    over = "whole series resampled" if grouped else f"blocks of {block} windows resampled"
    return {
        "mse": f"mean of (y - p)^2 over windows, horizon and channels, standardised by train ({over})",
        "mae": f"mean of |y - p|, standardised by train ({over})",
        "mase": f"mean of |y - p| / in-sample mean |y[t] - y[t-{season}]| of train, per channel"
        f" (Hyndman and Koehler, 2006; season {season})",
        "smape": "mean of 200 |y - p| / (|y| + |p|), original units, from 0 to 200",
    }
