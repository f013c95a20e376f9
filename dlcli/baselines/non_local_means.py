"""Non-local means (Buades et al., 2005): every pixel becomes the mean of those whose surroundings look like its own."""

import numpy as np
from scipy import ndimage

from dlcli.baselines._measure import rewritten
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"denoising"}

# Tiles of 40 x 40 that stay near the processor together: `means` of 512 at once took 1.6 times as long for each.
_TOGETHER = 64


def fit(
    task, train: Examples, *, patch: int = 5, reach: int = 7, strength: float = 0.6, most: int = 40_000_000
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
    few = range(0, len(x), _TOGETHER)
    return np.concatenate([_means(x[i : i + _TOGETHER], noise, patch, reach, strength) for i in few])


def _means(x, noise, patch, reach, strength):
    height, width = x.shape[1:3]
    x = np.ascontiguousarray(np.moveaxis(x, -1, 0), np.float32)
    wide = np.pad(x, [(0, 0), (0, 0), (reach, reach), (reach, reach)], mode="symmetric")
    total, weights = np.zeros_like(x), np.zeros_like(x[0])
    # the same memory again and again: asking the system for it may take longer than the work
    difference, weight, other_way = np.empty_like(x), np.empty_like(x[0]), np.empty_like(x[0])
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            other = wide[:, :, down : down + height, right : right + width]
            np.subtract(x, other, out=difference)
            np.square(difference, out=difference)
            np.mean(difference, axis=0, out=weight)
            ndimage.uniform_filter1d(weight, patch, axis=1, mode="reflect", output=other_way)
            ndimage.uniform_filter1d(other_way, patch, axis=2, mode="reflect", output=weight)
            weight -= 2 * noise**2
            np.maximum(weight, 0, out=weight)
            weight /= -((strength * noise) ** 2)
            np.exp(weight, out=weight)
            total += np.multiply(other, weight, out=difference)
            weights += weight
    return np.moveaxis(total / weights, 0, -1)
