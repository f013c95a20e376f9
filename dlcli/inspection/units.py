"""Single units: dead, duplicated, selective, tuned to an orientation."""

import math

import numpy as np

ROUNDING = 1e-6


def dead(maximum: np.ndarray, minimum: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Which units never do anything on the data.  All (d,), over every example and position -> bool (d,).

    In a layer that is never negative: a maximum of at most 1e-6 of the layer's.  In any layer: a variance below 1e-8
    of the layer's mean, or a spread below the rounding of float32 at the unit's own size.
    """
    maximum, minimum, variance = (np.asarray(one, "float64") for one in (maximum, minimum, variance))
    size = np.maximum(np.abs(maximum), np.abs(minimum))
    still = (variance <= 1e-8 * variance.mean()) | (variance <= (ROUNDING * size) ** 2)
    if minimum.min() >= 0:
        still |= maximum <= ROUNDING * size.max()
    return still


def dead_bound(n: int) -> float:
    """A unit silent on n examples fires on at most this share of all, with 95 % confidence (rule of three)."""
    return min(1.0, 3 / n)


def duplicates(x: np.ndarray, silent: np.ndarray | None = None, *, threshold: float = 0.99) -> int:
    """How many units repeat an earlier one, |correlation| > 0.99.  x (n, d); silent: bool (d,) units left out."""
    x = np.asarray(x, "float64")
    spread = x.std(axis=0)
    live = spread > ROUNDING * np.abs(x).max(axis=0)
    if silent is not None:
        live &= ~silent
    # float32 from here on: the threshold needs no more, and 8192 units take half the time
    z = ((x[:, live] - x[:, live].mean(axis=0)) / (spread[live] * math.sqrt(len(x)))).astype("float32")
    found = 0
    for start in range(0, z.shape[1], 512):
        block = np.abs(z[:, start : start + 512].T @ z[:, : start + 512])  # this block against itself and all before
        earlier = np.arange(block.shape[1])[None, :] < start + np.arange(block.shape[0])[:, None]
        found += int(((block > threshold) & earlier).any(axis=1).sum())
    return found


def class_selectivity(means: np.ndarray) -> np.ndarray:
    """(highest - mean of the others) / (highest + mean of the others) of class means (K, d) (Morcos et al., 2018).

    -> (d,) in [0, 1]; NaN where a mean is negative (the index has no meaning there) and for silent units.
    """
    means = np.asarray(means, "float64")
    if len(means) < 2:
        return np.full(means.shape[1], np.nan)
    highest = means.max(axis=0)
    others = (means.sum(axis=0) - highest) / (len(means) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        index = (highest - others) / (highest + others)
    return np.where((means.min(axis=0) >= 0) & (highest > 0), index, np.nan)


def omega_squared(x: np.ndarray, labels: np.ndarray, *, rate: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Share of each unit's variance that the label explains, without the upward bias of eta^2 (Hays, 1963).

    x (n, d), labels (n,) -> (omega^2 (d,), significant (d,)): F-test, false discoveries held at `rate` over the units
    (Benjamini & Hochberg, 1995).  Constant units: NaN, not significant.
    """
    x = np.asarray(x, "float64")
    classes, codes = np.unique(labels, return_inverse=True)
    members = np.eye(len(classes))[codes]
    n, between_freedom, within_freedom = len(x), len(classes) - 1, len(x) - len(classes)
    centred = x - x.mean(axis=0)
    total = (centred**2).sum(axis=0)
    between = ((members.T @ centred) ** 2 / members.sum(axis=0)[:, None]).sum(axis=0)
    constant = np.sqrt(total / n) <= ROUNDING * np.abs(x).max(axis=0)
    if between_freedom < 1 or within_freedom < 1:
        return np.full(x.shape[1], np.nan), np.zeros(x.shape[1], bool)
    within = np.maximum(total - between, 0.0)
    error = within / within_freedom
    with np.errstate(divide="ignore", invalid="ignore"):
        omega = (between - between_freedom * error) / (total + error)
        explained = np.where(constant, 0.0, between / total)
    # P(F > f) is the incomplete beta function at the share that is not explained.
    chance = _incomplete_beta(within_freedom / 2, between_freedom / 2, 1 - np.clip(explained, 0.0, 1.0))
    live = ~constant
    significant = np.zeros(x.shape[1], bool)
    significant[live] = discoveries(chance[live], rate)
    return np.where(constant, np.nan, omega), significant


def discoveries(chance: np.ndarray, rate: float = 0.05) -> np.ndarray:
    """Which p-values stand when false discoveries are held at `rate` (Benjamini & Hochberg, 1995).  (m,) -> bool (m,)"""
    order = np.argsort(chance)
    below = np.flatnonzero(chance[order] <= rate * np.arange(1, len(chance) + 1) / max(1, len(chance)))
    found = np.zeros(len(chance), bool)
    found[order[: below[-1] + 1 if len(below) else 0]] = True
    return found


def orientation(responses: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orientation selectivity |sum R e^(2i angle)| / sum R in [0, 1], and the preferred angle in [0, pi).

    responses (..., angles) >= 0, the mean over phases; angles (angles,) in radians, evenly over [0, pi).
    Units with a negative or no response: NaN.
    """
    responses = np.asarray(responses, "float64")
    total = responses.sum(axis=-1)
    vector = responses @ np.exp(2j * np.asarray(angles))
    fit = (responses.min(axis=-1) >= 0) & (total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(fit, np.abs(vector) / total, np.nan), np.where(fit, np.angle(vector) / 2 % np.pi, np.nan)


def _incomplete_beta(a: float, b: float, x: np.ndarray) -> np.ndarray:
    """Regularised incomplete beta function I_x(a, b) by its continued fraction (Lentz), x (m,) in [0, 1]."""
    x = np.asarray(x, "float64")
    # The fraction converges fast on one side only; I_x(a, b) = 1 - I_(1-x)(b, a) gives the other.
    swapped = x > (a + 1) / (a + b + 2)
    first, second = np.where(swapped, b, a), np.where(swapped, a, b)
    point = np.clip(np.where(swapped, 1 - x, x), 1e-300, 1.0)
    tiny = 1e-300
    c = np.ones_like(point)
    d = 1 - (first + second) * point / (first + 1)
    d = 1 / np.where(np.abs(d) < tiny, tiny, d)
    fraction = d.copy()
    for m in range(1, 200):
        for term in (
            m * (second - m) * point / ((first + 2 * m - 1) * (first + 2 * m)),
            -(first + m) * (first + second + m) * point / ((first + 2 * m) * (first + 2 * m + 1)),
        ):
            d, c = 1 + term * d, 1 + term / c
            d, c = 1 / np.where(np.abs(d) < tiny, tiny, d), np.where(np.abs(c) < tiny, tiny, c)
            fraction *= c * d
        if np.all(np.abs(c * d - 1) < 1e-14):
            break
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    value = np.exp(scale + first * np.log(point) + second * np.log1p(-np.minimum(point, 1 - 1e-16))) * fraction / first
    return np.clip(np.where(swapped, 1 - value, value), 0.0, 1.0)
