"""Which scale a network's pixels have, read off its first batch normalisation.

It has kept the mean and the variance of what it saw in training. Of the scales that are in use, the right one makes
natural pictures look alike to it: their variances differ by factors of up to 65 000.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

PICTURES, SIDE = 16, 64
# Natural pictures, 0..255: mean and deviation of pixels, and deviation of the mean from picture to picture.
MEAN, DEVIATION, BETWEEN = 115.0, 55.0, 35.0
# The best must be so near, in mean squared log ratios of variances, and so much nearer than the next one.
NEAR, AHEAD = 1.0, 1.5


def by_norms(model: keras.Model, ranges: dict[str, Callable[[np.ndarray], np.ndarray]]) -> str | None:
    """The name of the range, or None where no batch normalisation tells.

    ranges: by name, bytes (B, H, W, C) -> input.
    """
    try:
        norm = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
        first = keras.Model(model.inputs, norm.input)
    except (StopIteration, AttributeError, ValueError):
        return None
    mean, variance = (keras.ops.convert_to_numpy(values) for values in (norm.moving_mean, norm.moving_variance))
    axis = norm.axis if isinstance(norm.axis, int) else norm.axis[0]
    _, height, width, channels = model.input_shape
    pictures = natural(height or SIDE, width or SIDE, channels)
    found = {}
    for name, scale in ranges.items():
        if channels != 3 and name in ("imagenet", "caffe"):
            continue
        seen = np.moveaxis(np.asarray(first.predict_on_batch(scale(pictures)), np.float64), axis, -1)
        seen = seen.reshape(-1, seen.shape[-1])
        spread = np.log((seen.var(axis=0) + 1e-12) / (variance + 1e-12))
        found[name] = float(
            np.mean(spread**2) + np.mean((seen.mean(axis=0) - mean) ** 2 / (variance + seen.var(axis=0) + 1e-12))
        )
    best, second = sorted(found, key=found.get)[:2]
    return best if found[best] < NEAR and found[second] > AHEAD * found[best] else None


def natural(height: int, width: int, channels: int) -> np.ndarray:
    """Noise with the spectrum of photographs, 1 / f (Field, 1987): (PICTURES, H, W, C) float32, 0..255."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    # channels share nine tenths of what they show
    grey, own = (rng.normal(size=(PICTURES, height, width, n)) for n in (1, channels))
    noise = np.fft.rfft2(0.95 * grey + 0.3 * own, axes=(1, 2)) / frequency[None, :, :, None]
    shown = np.fft.irfft2(noise, s=(height, width), axes=(1, 2))
    shown = shown / shown.std(axis=(1, 2, 3), keepdims=True) * DEVIATION
    shown += MEAN + BETWEEN * rng.normal(size=(PICTURES, 1, 1, 1))
    return np.clip(shown, 0, 255).astype(np.float32)
