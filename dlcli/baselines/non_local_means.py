"""Non-local means (Buades et al., 2005): every pixel becomes the mean of those whose surroundings look like its own."""

import numpy as np

from dlcli.baselines._measure import rewritten
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"denoising"}


def fit(
    task, train: Examples, *, patch: int = 5, reach: int = 7, strength: float = 0.6, most: int = 10_000_000
) -> Predictor:
    """patch: side of the surroundings compared, odd.  reach: pixels to each side that are looked at.
    strength: of the filter, in standard deviations of the noise, which is known.  most: pixels that it
    is run on; more would take minutes.

    Weights are exp(-max(d - 2 s^2, 0) / (strength s)^2), d the mean squared difference of two
    surroundings and s the noise.
    """
    noise = float(task.noise)

    def denoised(x, y):
        return means(np.asarray(x, np.float32) / 255, noise, patch=patch, reach=reach, strength=strength)

    def predict(examples: Examples):
        pixels = len(task.source(examples, training=False)) * task.shape[0] * task.shape[1]
        if pixels > most:
            raise ValueError(f"{pixels} pixels would take minutes")
        return rewritten(task, examples, denoised)

    return predict


def means(x: np.ndarray, noise: float, *, patch: int, reach: int, strength: float) -> np.ndarray:
    """Noisy pictures (B, H, W, C), black 0 and white 1 -> denoised ones."""
    height, width = x.shape[1:3]
    wide = np.pad(x, [(0, 0), (reach, reach), (reach, reach), (0, 0)], mode="symmetric")
    total, weights = np.zeros_like(x), np.zeros_like(x[..., :1])
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            other = wide[:, down : down + height, right : right + width]
            distance = _box(np.square(x - other).mean(axis=-1, keepdims=True), patch)
            weight = np.exp(-np.maximum(distance - 2 * noise**2, 0) / (strength * noise) ** 2)
            total += weight * other
            weights += weight
    return total / weights


def _box(values: np.ndarray, side: int) -> np.ndarray:
    """Means over squares of `side` pixels, the border mirrored.  (B, H, W, 1)"""
    for axis in (1, 2):
        pads = [(0, 0)] * 4
        pads[axis] = (side // 2 + 1, side // 2)
        sums = np.cumsum(np.pad(values, pads, mode="symmetric"), axis=axis, dtype=np.float64)
        length = values.shape[axis]
        upper = np.take(sums, np.arange(side, side + length), axis=axis)
        lower = np.take(sums, np.arange(length), axis=axis)
        values = ((upper - lower) / side).astype(np.float32)
    return values
