"""Surface patterns with a period of one unit, and the histogram they are all given."""

from functools import cache
from statistics import NormalDist

import numpy as np

from dlcli.stimuli._balanced import Draws

KINDS = ("stripes", "checks", "dots", "waves", "noise")
WAVES = 12  # plane waves whose sum is the noise
LIMIT = 2.5  # standard deviations, so that no value is out of 0..255


def pattern(kind: int, u, v, phases) -> np.ndarray:
    """A surface (B, H, W) with no fixed histogram; phases (B, 2 * WAVES) in turns.

    Dots lie on a hexagonal lattice: on a square one they would be checks turned by 45 degrees once
    the histograms are equal.
    """
    turn = np.float32(2 * np.pi)
    phase = [turn * p[:, None, None] for p in phases.astype("float32").T]
    if kind == 0:
        return np.sin(turn * u + phase[0])
    if kind == 1:
        return np.sin(turn * u + phase[0]) * np.sin(turn * v + phase[1])
    if kind == 2:
        half = np.float32(np.pi * np.sqrt(3))
        a, b, c = np.cos(turn * u + phase[0]), turn / 2 * u, half * v
        # the phases of the three waves add up, else the lattice is one of triangles
        return a + np.cos(b + c + phase[1]) + np.cos(b - c + phase[0] - phase[1])
    if kind == 3:
        return np.sin(turn * u + phase[0] + np.float32(2.2) * np.sin(turn * np.float32(0.55) * v + phase[1]))
    total = np.zeros(np.broadcast_shapes(u.shape, phase[0].shape), dtype="float32")
    for first, second in zip(phase[:WAVES], phase[WAVES:], strict=True):
        # waves of 0.55 to 1.45 periods per unit in all directions
        rate = turn * (1 + np.float32(0.45) * np.sin(7 * second))
        total += np.sin(rate * np.cos(second) * u + rate * np.sin(second) * v + first)
    return total


def surface(kinds, u, v, phases) -> np.ndarray:
    """Patterns of the kinds (B,), each with the same Gaussian histogram, in -1..1: (B, H, W).

    With equal histograms mean, spread and skewness of the pixels say nothing about the kind.
    """
    signal = np.empty(u.shape, dtype="float32")
    for kind in np.unique(kinds):
        some = np.flatnonzero(kinds == kind)
        signal[some] = pattern(int(kind), u[some], v[some], phases[some])
    flat = signal.reshape(len(signal), -1)
    values = _quantiles(flat.shape[1])
    for row in flat:
        row[np.argsort(row)] = values
    return signal


def phases(draws: Draws) -> np.ndarray:
    """Phases for `pattern`: (n, 2 * WAVES)."""
    return np.stack([draws.uniform() for _ in range(2 * WAVES)], axis=1)


@cache
def _quantiles(count: int) -> np.ndarray:
    """The count quantiles of a normal distribution, cut at LIMIT and scaled to -1..1."""
    grid = np.linspace(-LIMIT, LIMIT, 1001)
    share = [NormalDist().cdf(z) for z in grid]
    return (np.interp((np.arange(count) + 0.5) / count, share, grid) / LIMIT).astype("float32")
