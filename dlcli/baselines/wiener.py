"""The best linear filter of a square neighbourhood, the same everywhere (Wiener, 1949)."""

import numpy as np

from dlcli.baselines._measure import batches, rewritten, some_rows
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"denoising"}


def fit(task, train: Examples, *, side: int = 7, pixels: int = 1_000_000) -> Predictor:
    """side: of the neighbourhood in pixels, odd.  pixels: training pixels used at most."""
    source = task.source(train, training=True)
    size = np.prod(next(batches(source, 1))[2].shape[1:3])
    chosen = some_rows(len(source), max(1, int(pixels // size)))
    products = targets = 0
    for _, x, y in batches(source, 64, chosen):
        around = _neighbourhoods(x, side)
        products, targets = products + around.T @ around, targets + around.T @ y.reshape(len(around), -1)
    ridge = 1e-6 * np.trace(products) / len(products)
    weights = np.linalg.solve(products + ridge * np.eye(len(products)), targets)
    return lambda examples: rewritten(task, examples, lambda x, y: _neighbourhoods(x, side) @ weights)


def _neighbourhoods(x, side):
    """(B, H, W, C) of black 0 and white 255 -> (B * H * W, side * side * C + 1), edges mirrored."""
    edge = [(0, 0), (side // 2, side // 2), (side // 2, side // 2), (0, 0)]
    x = np.pad(np.asarray(x, np.float32) / 255, edge, mode="symmetric")
    around = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))  # (B, H, W, C, side, side)
    around = around.reshape(np.prod(around.shape[:3]), -1)
    return np.concatenate([around, np.ones((len(around), 1), np.float32)], axis=1)
