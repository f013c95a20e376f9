"""The saturating power law error(x) = floor + scale * x^-exponent, its intervals and what it predicts.

Learning curves follow it over wide ranges (Hestness et al., 2017; Rosenfeld et al., 2020), with a floor
that labels, inputs or the architecture set. For a given exponent the other two are a least-squares
solution with both at least 0, so the exponent alone is searched for.

Intervals: the means of the seeds are drawn again from what the seeds tell of their spread (relative, as
errors shrink; pooled over sizes; Student's t for its uncertainty) and the law is fitted to each draw.
Where it fits worse than the seeds allow, the spread is enlarged by as much. Where a law without a floor
fits as well (likelihood ratio below 3.84), half of the draws have none: nothing tells which is true, and
they differ beyond the largest size.
"""

from dataclasses import dataclass

import numpy as np

EXPONENTS = np.linspace(0.02, 2.0, 100)
DRAWS = 2_000
# Where each size was run once nothing tells the spread: a relative one, and its degrees of freedom.
ASSUMED = (0.05, 8)


@dataclass(frozen=True)
class Law:
    """Arrays of equal shape: one fit, or one for each draw."""

    floor: np.ndarray
    scale: np.ndarray
    exponent: np.ndarray

    def at(self, x) -> np.ndarray:
        """Errors at x, (…, len(x)) or (…)."""
        x = np.asarray(x, np.float64)
        floor, scale, exponent = (np.expand_dims(part, -1) if x.ndim else part for part in vars(self).values())
        return floor + scale * x ** (-exponent)


@dataclass(frozen=True)
class Curve:
    """best: the fit.  draws: of it.  spread: of one run's error, relative.  x (J,), means (J,) of `runs` runs."""

    x: np.ndarray
    means: np.ndarray
    runs: int
    best: Law
    draws: Law
    spread: float

    def predicted(self, x: float, *, runs: int = 3) -> tuple[float, float, float]:
        """Error, low and high of the mean of so many new runs at x."""
        rng = np.random.default_rng(2)
        draws = self.draws.at(x) * np.exp(rng.normal(0, self.spread / runs**0.5, DRAWS))
        return (float(self.best.at(x)), *_middle(draws))

    def gain(self, x: float, times: float) -> tuple[float, float, float]:
        """Change of the error, low and high, from x to `times` as much."""
        change = self.draws.at(x * times) - self.draws.at(x)
        return (float(self.best.at(x * times) - self.best.at(x)), *_middle(change))

    def parameters(self) -> dict[str, tuple[float, float, float]]:
        """Floor, scale and exponent with their intervals."""
        return {
            name: (float(getattr(self.best, name)), *_middle(getattr(self.draws, name))) for name in vars(self.best)
        }


def fitted(x, errors) -> Curve:
    """x (J,), at least three sizes; errors (J, R), positive."""
    x, errors = np.asarray(x, np.float64), np.asarray(errors, np.float64)
    errors = np.maximum(errors, 1e-9)
    sizes, runs = errors.shape
    means = errors.mean(axis=1)
    freedom = sizes * (runs - 1)
    logs = np.log(errors)
    spread = float(np.sqrt(((logs - logs.mean(axis=1, keepdims=True)) ** 2).sum() / freedom)) if freedom else ASSUMED[0]
    best = _solve(x, means[None])
    best = Law(*(part[0] for part in vars(best).values()))
    residual = np.log(means / best.at(x)) / max(spread / runs**0.5, 1e-12)
    misfit = float(np.sqrt(max(1.0, (residual**2).sum() / max(1, sizes - 3))))
    rng = np.random.default_rng(1)
    noise = rng.standard_t(freedom or ASSUMED[1], (DRAWS, sizes)) * misfit * spread / runs**0.5
    drawn = means * np.exp(np.clip(noise, -4, 4))  # a factor of 50: beyond it nothing is known anyway
    draws = _solve(x, drawn)
    pure = _solve(x, means[None], floor=False)
    worse = np.log(means / pure.at(x)[0]) / max(misfit * spread / runs**0.5, 1e-12)
    if (worse**2).sum() - (residual**2).sum() / misfit**2 < 3.84:
        without = _solve(x, drawn, floor=False)
        half = np.arange(DRAWS) % 2 == 0
        draws = Law(*(np.where(half, b, a) for a, b in zip(vars(draws).values(), vars(without).values(), strict=True)))
    return Curve(x, means, runs, best, draws, spread)


def crossing(deep: Curve, simple: Curve, *, farthest: float) -> tuple[float, float, float] | None:
    """The x from which on the first curve's error is below the second's up to `farthest`, with low and high;
    None where it is not, or is everywhere."""
    grid = np.geomspace(deep.x[0], farthest, 400)
    ahead = deep.best.at(grid) < simple.best.at(grid)
    if ahead.all() or not ahead[-1]:
        return None
    first = grid[np.flatnonzero(~ahead)[-1] + 1]
    all_ahead = deep.draws.at(grid) < simple.draws.at(grid)  # (DRAWS, grid)
    last = np.where(all_ahead.all(axis=1), 0, all_ahead.shape[1] - 1 - np.argmin(all_ahead[:, ::-1], axis=1))
    places = grid[np.minimum(last + 1, len(grid) - 1)]
    return (float(first), *_middle(places))


def _solve(x: np.ndarray, means: np.ndarray, *, floor: bool = True) -> Law:
    """floor: whether there may be one. Weighted least squares for each row of means (D, J): relative errors count."""
    w = 1 / means**2  # (D, J)
    best = np.full(len(means), np.inf)
    least, scale, exponent = np.zeros((3, len(means)))
    unit = x / np.exp(np.log(x).mean())  # powers of large numbers would lose digits
    for b in EXPONENTS:
        p = unit ** (-b)  # (J,)
        sw, sp, spp = w.sum(1), w @ p, w @ p**2
        sm, spm = (w * means).sum(1), (w * means) @ p
        determinant = sw * spp - sp**2
        a = (sw * spm - sp * sm) / determinant
        c = (sm - a * sp) / sw
        a = np.where(c < 0, spm / spp, a) if floor else spm / spp
        c = np.maximum(c, 0.0) if floor else np.zeros_like(c)
        c = np.where(a < 0, sm / sw, c)  # never without a floor: errors are positive
        a = np.maximum(a, 0.0)
        loss = (w * (means - c[:, None] - a[:, None] * p) ** 2).sum(1)
        better = loss < best
        best = np.where(better, loss, best)
        least, scale, exponent = (np.where(better, new, old) for new, old in ((c, least), (a, scale), (b, exponent)))
    middle = np.exp(np.log(x).mean())
    return Law(least, scale * middle**exponent, exponent)


def _middle(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
