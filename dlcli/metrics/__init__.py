"""Scores of finished predictions, each with a 95 % interval and its formula. NumPy only, no Keras model."""

from dlcli.metrics.anomaly import anomaly
from dlcli.metrics.classification import classification
from dlcli.metrics.cloze import cloze
from dlcli.metrics.forecast import MANY_SERIES, forecast, seasonal_scale, window_errors
from dlcli.metrics.generation import (
    density_coverage,
    frechet,
    generation,
    kid,
    precision_recall,
    sliced_wasserstein,
)
from dlcli.metrics.intervals import bootstrap, interval, ratio_interval, score
from dlcli.metrics.language import language
from dlcli.metrics.reconstruction import reconstruction, ssim
from dlcli.metrics.regression import regression

__all__ = [
    "MANY_SERIES",
    "anomaly",
    "bootstrap",
    "classification",
    "cloze",
    "density_coverage",
    "forecast",
    "frechet",
    "generation",
    "interval",
    "kid",
    "language",
    "precision_recall",
    "ratio_interval",
    "reconstruction",
    "regression",
    "score",
    "seasonal_scale",
    "sliced_wasserstein",
    "ssim",
    "window_errors",
]
