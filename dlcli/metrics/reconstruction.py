"""Scores of what an autoencoder gives back."""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report

FORMULAS = {
    "mse": "mean of (x - x')^2 over values and examples",
    "psnr": "mean over examples of -10 log10(MSE of the example), dB, peak value 1",
    "ssim": "structural similarity, mean over examples; Gaussian window 11x11, sigma 1.5,"
    " K1 0.01, K2 0.03, range 1 (Wang et al., 2004)",
    "bce": "mean of -x ln x' - (1-x) ln(1-x'), nats per value; not 0 at best where 0 < x < 1",
}

# A perfect copy would have an infinite PSNR.
_LOWEST_MSE = 1e-10


def reconstruction(mse, bce=None, ssim=None) -> Report:
    """Each (n,), one number per example; values in [0, 1] for psnr, bce and ssim to mean something."""
    mse = np.asarray(mse, dtype=np.float64)
    scores = {
        "mse": intervals.score(mse),
        "psnr": intervals.score(-10 * np.log10(np.maximum(mse, _LOWEST_MSE))),
    }
    if ssim is not None:
        scores["ssim"] = intervals.score(ssim)
    if bce is not None:
        scores["bce"] = intervals.score(bce)
    return Report(scores=scores, formulas={name: FORMULAS[name] for name in scores})


def ssim(a, b) -> np.ndarray:
    """Structural similarity of pictures in [0, 1].  a, b (n, H, W, C) -> (n,), mean over channels.

    Only where the whole window fits; pictures smaller than 11 pixels get a smaller window.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    side = min(11, a.shape[1], a.shape[2])
    side -= 1 - side % 2
    offset = np.arange(side) - side // 2
    window = np.exp(-(offset**2) / (2 * 1.5**2))
    window /= window.sum()

    mean_a, mean_b = _smooth(a, window), _smooth(b, window)
    variance_a = _smooth(a * a, window) - mean_a**2
    variance_b = _smooth(b * b, window) - mean_b**2
    covariance = _smooth(a * b, window) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similar = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similar /= (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return similar.mean(axis=(1, 2, 3))


def _smooth(x, window):
    for axis in (1, 2):
        x = np.lib.stride_tricks.sliding_window_view(x, len(window), axis=axis) @ window
    return x
