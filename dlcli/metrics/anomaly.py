"""Scores of an anomaly score against known anomalies."""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report, Score

FORMULAS = {
    "roc_auc": "chance that an anomaly scores higher than a normal example, ties count half",
    "average_precision": "sum over thresholds of (recall - previous recall) precision",
    "fpr_at_95_tpr": "share of normal examples flagged by the threshold that finds 95 % of anomalies",
}

# Distinct score levels that are resampled; more examples than this are cut into as many quantiles.
LEVELS = 2_048


def anomaly(score, label) -> Report:
    """score (n,), higher is more anomalous; label (n,), 1 for anomalies, 0 for normal examples."""
    score = np.asarray(score, dtype=np.float64).reshape(-1)
    label = np.asarray(label).reshape(-1).astype(bool)
    n = len(score)
    if label.all() or not label.any():
        raise ValueError("an anomaly score needs examples of both kinds")
    exact = _curves(*_cells(score, label))
    if len(np.unique(score)) > LEVELS:  # only the interval is computed from quantiles
        edges = np.quantile(score, np.linspace(0, 1, LEVELS + 1)[1:-1])
        score = np.searchsorted(edges, score)
    anomalies, normals = _cells(score, label)
    cells = np.concatenate([anomalies[0], normals[0]])
    rng = np.random.default_rng(0)
    draws = []
    rows = max(1, 2_000_000 // len(cells))
    for start in range(0, intervals.RESAMPLES, rows):
        size = min(rows, intervals.RESAMPLES - start)
        drawn = rng.multinomial(n, cells / n, size=size)
        draws.append(np.stack(_curves(*np.split(drawn, 2, axis=1))))
    draws = np.concatenate(draws, axis=1)
    # the rarer kind decides how well the score is known
    units = min(label.sum(), n - label.sum())
    scores = {
        name: Score(float(value[0]), *intervals.percentiles(draw, float(value[0]), units), n)
        for name, value, draw in zip(FORMULAS, exact, draws, strict=True)
    }
    return Report(scores=scores, formulas=dict(FORMULAS))


def _cells(score, label):
    """Counts (1, levels) of anomalies and of normal examples by score, the highest first."""
    levels, index = np.unique(-score, return_inverse=True)
    count = len(levels)
    index = index.reshape(-1)
    return (
        np.bincount(index[label], minlength=count)[None],
        np.bincount(index[~label], minlength=count)[None],
    )


def _curves(anomalies, normals):
    """Counts (r, levels), highest score first -> ROC-AUC, average precision, FPR at 95 % TPR: (r,)"""
    found = anomalies.cumsum(axis=1)
    flagged = normals.cumsum(axis=1)
    total, rest = found[:, -1:], flagged[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = rest - flagged + normals / 2
        area = (anomalies * below).sum(axis=1) / (total * rest)[:, 0]
        precision = found / np.maximum(found + flagged, 1)
        average = (anomalies * precision).sum(axis=1) / total[:, 0]
        enough = (found >= 0.95 * total - 1e-9).argmax(axis=1)
        rate = flagged[np.arange(len(flagged)), enough] / rest[:, 0]
    return area, average, rate
