"""Differences of two models that were scored on the same examples: interval, least detectable difference, McNemar.

A mean over R seeds and n examples varies for two reasons: another seed, and other examples. Both are
estimated from the differences d (R, n), of which the examples and, where both models have R runs, the seeds
are pairs: var = s2(mean over examples) / R + s2(mean over seeds) / n, with the degrees of freedom of
Welch and Satterthwaite (1946). With three seeds the first part alone has two, so the interval is wide
where seeds differ, as it should be.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

POWER = 0.8
# Where neighbours are alike (windows of a series), consecutive blocks are the units.
BLOCKS = 30


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The mean of a - b with its 95 % interval. minimum: the least true difference that a repetition would
    find in 80 % of cases.  p: McNemar's exact probability for 0/1 scores of one run each, else None."""

    value: float
    low: float
    high: float
    minimum: float
    p: float | None = None

    @property
    def half(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2

    def better(self, sign: int = 1) -> bool:
        """Whether a is better than b, beyond the interval and not below what this test can tell."""
        return sign * self.value >= self.minimum and (self.low > 0 if sign > 0 else self.high < 0)


def difference(a, b, *, ordered: bool = False) -> Difference:
    """a - b.  a, b (R, n) or (n,); a single row is held against every row of the other.

    ordered: examples stand in the order of time, and neighbours are not independent.
    """
    a, b = np.atleast_2d(np.asarray(a, np.float64)), np.atleast_2d(np.asarray(b, np.float64))
    if a.shape[1] != b.shape[1] or (len(a) != len(b) and 1 not in (len(a), len(b))):
        raise ValueError(f"{a.shape} and {b.shape} are not scores of the same examples")
    d = a - b
    runs = len(d)
    units = _blocks(d.mean(axis=0)) if ordered else d.mean(axis=0)
    value = float(d.mean())
    parts = [(units.var(ddof=1) / len(units), len(units) - 1)]
    if runs > 1:
        parts.append((d.mean(axis=1).var(ddof=1) / runs, runs - 1))
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / sum(part**2 / df for part, df in parts) if variance > 0 else parts[0][1]
    spread, t = variance**0.5, special.stdtrit(freedom, 0.975)
    # 0/1 scores that are all the same leave a variance of 0: one example more or less is then the doubt
    spread = max(spread, 1 / len(units) / 2) if set(np.unique(d)) <= {-1.0, 0.0, 1.0} else spread
    minimum = float((t + special.stdtrit(freedom, POWER)) * spread)
    p = mcnemar(a[0], b[0]) if len(a) == len(b) == 1 and set(np.unique([a, b])) <= {0.0, 1.0} else None
    return Difference(value=value, low=float(value - t * spread), high=float(value + t * spread), minimum=minimum, p=p)


def mcnemar(a, b) -> float:
    """Probability of so uneven disagreements between two 0/1 scores, were both models equally good (1947; exact)."""
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    return float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def _blocks(values: np.ndarray) -> np.ndarray:
    """Means of consecutive blocks of almost equal length."""
    return np.array([part.mean() for part in np.array_split(values, min(BLOCKS, max(2, len(values) // 2)))])
