"""95 % intervals by the bootstrap (Efron, 1979), over examples or over whole groups of them.

Most scores are functions of sums over examples (a mean, a ratio, R2), so what is resampled is the
sums: one matrix product for all resamples. Two departures from the plain percentile bootstrap:

* Quantiles are widened for few examples ("expanded percentile", Hesterberg 2015): the plain
  interval of 10 examples covers the truth in 90 % of cases only.
* A share of independent 0/1 values gets the Wilson (1927) interval, which does not shrink to
  nothing when all are right.

What one example or one group cannot tell has the interval (-inf, inf).
"""

from collections.abc import Callable

import numpy as np
from scipy import special

from dlcli.task import Score

RESAMPLES = 2_000

# Above this many units, sums are drawn from their normal limit: the error is of order 1/sqrt(units)
# of an interval's width, less than the noise of 2 000 resamples.
NORMAL_LIMIT = 10_000

# Weights held at once, in numbers.
_CHUNK = 4_000_000


def score(values, groups=None, seed: int = 0) -> Score:
    """The mean of values (n,) with its interval."""
    values = np.asarray(values, dtype=np.float64)
    low, high = interval(values, groups, seed)
    return Score(float(values.mean()), low, high, len(values))


def interval(values, groups=None, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of values (n,).

    groups: n labels (series, documents) where examples of one group are not independent; whole
    groups are then resampled.
    """
    values = np.asarray(values, dtype=np.float64).reshape(-1)
    if groups is None and np.isin(values, (0.0, 1.0)).all():
        return wilson(int(values.sum()), len(values))
    return ratio_interval(values, np.ones_like(values), groups=groups, seed=seed)


def ratio_interval(numerator, denominator, *, groups=None, block: int = 1, seed: int = 0) -> tuple[float, float]:
    """95 % interval of sum(numerator) / sum(denominator), both (n,).

    block: neighbours in order of time that are resampled together (1: independent examples).
    """
    columns = np.stack([numerator, denominator], axis=1)
    sums, units = resampled_sums(columns, groups=groups, block=block, seed=seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        draws, value = sums[:, 0] / sums[:, 1], columns[:, 0].sum() / columns[:, 1].sum()
    return percentiles(draws, value, units)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    if n == 0:
        return -np.inf, np.inf
    z, share = special.ndtri(0.975), successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # centre and half are equal at the ends, but for rounding
    low = centre - half if successes else 0.0
    return float(low), float(centre + half if successes < n else 1.0)


def resampled_sums(columns, *, groups=None, block: int = 1, seed: int = 0) -> tuple[np.ndarray, float]:
    """Column sums of resampled rows.  columns (n, k) -> (RESAMPLES, k), and the number of units.

    A unit is what is drawn independently: a row, a group, or a block of consecutive rows
    (circular block bootstrap, Politis and Romano 1992).
    """
    columns = np.asarray(columns, dtype=np.float64)
    rng = np.random.default_rng(seed)
    if groups is not None:
        columns = _sums_by_group(columns, groups)
    elif block > 1:
        return _block_sums(columns, block, rng), len(columns) / block
    n = len(columns)
    if n > NORMAL_LIMIT:
        spread = np.atleast_2d(np.cov(columns, rowvar=False, bias=True)) * n
        draws = rng.multivariate_normal(columns.sum(0), spread, RESAMPLES, method="eigh")
        return draws, n
    sums = [w @ columns for w in _weights(n, RESAMPLES, rng)]
    return np.concatenate(sums), n


def bootstrap(
    statistic: Callable[..., float], *arrays, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of any statistic(*arrays) of arrays with one row per example.

    The slow way: the statistic is called once per resample.
    """
    arrays = [np.asarray(a) for a in arrays]
    n, value = len(arrays[0]), float(statistic(*arrays))
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(resamples):
        chosen = rng.integers(n, size=n)
        draws.append(statistic(*(a[chosen] for a in arrays)))
    return percentiles(draws, value, n)


def percentiles(draws, value: float, units: float) -> tuple[float, float]:
    """The 95 % interval that resampled values of a statistic give, widened for few units and, where
    resampling has a bias, as far as the value itself."""
    draws = np.asarray(draws, dtype=np.float64)
    draws = draws[np.isfinite(draws)]
    if units < 2 or len(draws) == 0:
        return -np.inf, np.inf
    tail = special.ndtr(np.sqrt(units / (units - 1)) * special.stdtrit(units - 1, 0.025))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(min(low, value)), float(max(high, value))


def _sums_by_group(columns, groups):
    groups = np.asarray(groups)
    if len(groups) != len(columns):
        raise ValueError(f"{len(groups)} group labels for {len(columns)} examples")
    _, index = np.unique(groups, return_inverse=True)
    index = index.reshape(-1)
    return np.stack([np.bincount(index, weights=column) for column in columns.T], axis=1)


def _block_sums(columns, block: int, rng):
    n, k = columns.shape
    block = min(block, n)
    count = -(-n // block)
    wrapped = np.concatenate([np.zeros((1, k)), columns, columns[:block]]).cumsum(0)
    starts = rng.integers(n, size=(RESAMPLES, count))
    return (wrapped[starts + block] - wrapped[starts]).sum(axis=1)


def _weights(n: int, resamples: int, rng):
    """How often each of n units is drawn: yields (r, n) blocks that make (resamples, n)."""
    rows = max(1, _CHUNK // n)
    for start in range(0, resamples, rows):
        r = min(rows, resamples - start)
        drawn = rng.integers(n, size=(r, n)) + np.arange(r)[:, None] * n
        yield np.bincount(drawn.reshape(-1), minlength=r * n).reshape(r, n).astype(np.float64)
