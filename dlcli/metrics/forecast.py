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


def forecast(
    y, p, *, mean, std, mase_scale, season: int, series=None, channels=None, stride: int = 1
) -> Report:
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
    for name, (total, count) in errors.items():
        window, known = total.sum(axis=(1, 2)), count.sum(axis=(1, 2))
        if known.sum() == 0:
            continue
        low, high = intervals.ratio_interval(
            window, known, groups=series if grouped else None, block=block
        )
        scores[name] = Score(float(window.sum() / known.sum()), low, high, n)
    return Report(
        scores=scores,
        tables={
            "horizon": _table(errors, axes=(0, 2), column="step", names=range(1, F + 1)),
            "channels": _table(errors, axes=(0, 1), column="channel", names=channels or range(C)),
        },
        formulas=_formulas(season, grouped, block),
    )


def _errors(y, p, mean, std, mase_scale):
    """Sums over windows would lose what the tables need, and all errors at once would need eight
    times the memory of y: so per score a pair (total, count) of float32 and bool (n, F, C)."""
    n, F, C = y.shape
    mean, std, mase_scale = (
        np.broadcast_to(np.asarray(v, dtype=np.float64), (n, C))[:, None, :]
        for v in (mean, std, mase_scale)
    )
    names = ("mse", "mae", "mase", "smape")
    total = {name: np.empty((n, F, C), np.float32) for name in names}
    count = {name: np.empty((n, F, C), bool) for name in names}
    for start in range(0, n, _WINDOWS):
        part = slice(start, start + _WINDOWS)
        truth, guess = y[part].astype(np.float64), p[part].astype(np.float64)
        known = np.isfinite(truth)
        error = np.where(known, truth - guess, 0.0)
        scaled = np.abs(error) * std[part]
        truth = truth * std[part] + mean[part]
        guess = guess * std[part] + mean[part]
        size = np.where(known, np.abs(truth) + np.abs(guess), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            smape = np.where(size > 0, 200 * scaled / size, 0.0)
            mase = scaled / mase_scale[part]
        has_scale = np.broadcast_to(mase_scale[part] > 0, known.shape) & known
        for name, value, counted in (
            ("mse", error**2, known),
            ("mae", np.abs(error), known),
            ("mase", np.where(has_scale, mase, 0.0), has_scale),
            ("smape", smape, known),
        ):
            total[name][part], count[name][part] = value, counted
    return {name: (total[name], count[name]) for name in names}


def _table(errors, *, axes, column, names):
    means = {}
    for name, (total, count) in errors.items():
        known = count.sum(axis=axes)
        value = total.sum(axis=axes, dtype=np.float64)
        means[name] = [float(v / k) if k else None for v, k in zip(value, known, strict=True)]
    return [
        {column: name, **{score: values[i] for score, values in means.items()}}
        for i, name in enumerate(names)
    ]


def _formulas(season, grouped, block):
    over = "whole series resampled" if grouped else f"blocks of {block} windows resampled"
    return {
        "mse": f"mean of (y - p)^2 over windows, horizon and channels, standardised by train ({over})",
        "mae": f"mean of |y - p|, standardised by train ({over})",
        "mase": f"mean of |y - p| / in-sample mean |y[t] - y[t-{season}]| of train, per channel"
        f" (Hyndman and Koehler, 2006; season {season})",
        "smape": "mean of 200 |y - p| / (|y| + |p|), original units, from 0 to 200",
    }
