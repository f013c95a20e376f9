"""Features of pictures that no training has touched: two layers of random convolutions.

Random embeddings compare small pictures that ImageNet networks know nothing of (Naeem et al.,
2020, "Reliable Fidelity and Diversity Metrics"). Unlike pixels or their principal components,
which a single Gaussian matches in mean and covariance, they see strokes, blur and noise.
"""

import numpy as np

COARSEST = 32  # side of the pictures that are looked at: means of blocks of pixels
SIZE = 128


def features(pictures: np.ndarray) -> np.ndarray:
    """Pictures (n, H, W, C) in [-1, 1] -> (n, 128): 32 kinds of strokes in four quarters."""
    rng = np.random.default_rng(0)
    x = coarse(np.asarray(pictures, np.float32))
    x = _strokes(x, rng, size=5, stride=2)
    x = _strokes(x, rng, size=3, stride=1)
    upper, lower = np.array_split(x, 2, axis=1)
    quarters = [part for half in (upper, lower) for part in np.array_split(half, 2, axis=2)]
    return np.concatenate([part.mean(axis=(1, 2)) if part.size else part.sum(axis=(1, 2)) for part in quarters], axis=1)


def coarse(pictures: np.ndarray) -> np.ndarray:
    """Means of blocks of pixels: at most 32 a side."""
    n, height, width, channels = pictures.shape
    block = -(-max(height, width) // COARSEST)
    tall, wide = min(block, height), min(block, width)
    rows, across = height // tall, width // wide
    blocks = pictures[:, : rows * tall, : across * wide].reshape(n, rows, tall, across, wide, channels)
    return blocks.mean(axis=(2, 4))


def _strokes(x: np.ndarray, rng, *, size: int, stride: int, filters: int = 32) -> np.ndarray:
    """Random filters of zero mean and unit length, and what is above 0 of their response."""
    weights = rng.standard_normal((x.shape[-1], size, size, filters)).astype(np.float32)
    weights -= weights.mean(axis=(0, 1, 2))
    weights /= np.sqrt(np.square(weights).sum(axis=(0, 1, 2)))
    short = [max(0, size - side) for side in x.shape[1:3]]
    x = np.pad(x, ((0, 0), (0, short[0]), (0, short[1]), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    rows = windows.reshape(-1, weights.size // filters) @ weights.reshape(-1, filters)
    return np.maximum(rows, 0).reshape(*windows.shape[:3], filters)
