"""Scores of class probabilities."""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report, Score

BINS = 15

FORMULAS = {
    "accuracy": "share of examples whose most probable class is the true one",
    "top5": "share of examples whose true class is among the five most probable",
    "macro_f1": "mean over classes of 2 TP / (2 TP + FP + FN), classes that occur in truth or prediction",
    "log_loss": "mean of -ln p(true class), nats; p clipped to at least 1e-7",
    "ece": f"sum over {BINS} equal-width bins of confidence of (n_bin / n) |accuracy - mean confidence|"
    " (Guo et al., 2017)",
}


def classification(y, p, classes) -> Report:
    """y (n,) class numbers, p (n, K) probabilities, classes: K names."""
    y = np.asarray(y).reshape(-1).astype(np.int64)
    p = np.asarray(p, dtype=np.float64)
    n, K = p.shape
    if n == 0 or len(y) != n or len(classes) != K:
        raise ValueError(f"y {y.shape}, p {p.shape} and {len(classes)} classes do not fit")
    predicted = p.argmax(axis=1)
    correct = (predicted == y).astype(np.float64)
    p_true = p[np.arange(n), y]
    confusion = np.bincount(y * K + predicted, minlength=K * K).reshape(K, K)

    scores = {"accuracy": intervals.score(correct)}
    if K > 5:
        scores["top5"] = intervals.score(_among_first(p, p_true, 5))
    scores["macro_f1"] = _macro_f1(confusion)
    scores["log_loss"] = intervals.score(-np.log(np.clip(p_true, 1e-7, 1.0)))
    scores["ece"] = _calibration_error(p.max(axis=1), correct)
    tables = {
        "classes": _per_class(confusion, classes),
        "confusion": [
            {"true": str(classes[i]), "predicted": str(classes[j]), "n": int(confusion[i, j])}
            for i, j in zip(*np.nonzero(confusion), strict=True)
        ],
        "calibration": _calibration_table(p.max(axis=1), correct),
    }
    return Report(scores=scores, tables=tables, formulas={name: FORMULAS[name] for name in scores})


def _among_first(p, p_true, k: int):
    """Whether the true class is among the k most probable; of equal ones, the chance that it is."""
    above = (p > p_true[:, None]).sum(axis=1)
    equal = (p == p_true[:, None]).sum(axis=1)
    return np.clip((k - above) / equal, 0.0, 1.0)


def _f1(tp, true, predicted):
    """F1 of classes from counts (..., K); nan where a class is in neither truth nor prediction."""
    total = true + predicted
    return np.where(total > 0, 2 * tp / np.maximum(total, 1), np.nan)


def _macro_f1(confusion) -> Score:
    """The examples are drawn again by drawing the cells of the confusion matrix: the same thing,
    at a cost that does not grow with n."""
    K, n = len(confusion), int(confusion.sum())
    true, predicted = np.nonzero(confusion)
    cells = confusion[true, predicted]
    rng = np.random.default_rng(0)
    draws = []
    rows = max(1, 2_000_000 // max(len(cells), K))
    for start in range(0, intervals.RESAMPLES, rows):
        size = min(rows, intervals.RESAMPLES - start)
        counts = rng.multinomial(n, cells / n, size=size)  # (r, cells)
        f1 = _f1(
            _sum_columns(np.where(true == predicted, counts, 0), true, K),
            _sum_columns(counts, true, K),
            _sum_columns(counts, predicted, K),
        )
        draws.append(np.nanmean(f1, axis=1))
    value = np.nanmean(_f1(np.diag(confusion), confusion.sum(1), confusion.sum(0)))
    low, high = intervals.percentiles(np.concatenate(draws), value, n)
    return Score(float(value), low, high, n)


def _sum_columns(counts, index, K):
    """counts (r, cells) -> (r, K): cells added up by their class."""
    r = len(counts)
    flat = (np.arange(r)[:, None] * K + index).reshape(-1)
    return np.bincount(flat, weights=counts.reshape(-1), minlength=r * K).reshape(r, K)


def _bins(confidence):
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def _calibration_error(confidence, correct) -> Score:
    n = len(correct)
    gaps = np.zeros((n, BINS))
    gaps[np.arange(n), _bins(confidence)] = correct - confidence
    value = np.abs(gaps.sum(0)).sum() / n
    sums, units = intervals.resampled_sums(gaps)
    draws = np.abs(sums).sum(axis=1) / n
    # resampling adds noise to every bin and so raises the sum of absolute values; take that off
    draws = np.maximum(0.0, draws - (draws.mean() - value))
    low, high = intervals.percentiles(draws, value, units)
    return Score(float(value), low, high, n)


def _calibration_table(confidence, correct):
    bins = _bins(confidence)
    return [
        {
            "above": round(b / BINS, 4),
            "confidence": float(confidence[bins == b].mean()),
            "accuracy": float(correct[bins == b].mean()),
            "n": int((bins == b).sum()),
        }
        for b in np.unique(bins)
    ]


def _per_class(confusion, classes):
    tp, true, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    precision = tp / np.maximum(predicted, 1)
    recall = tp / np.maximum(true, 1)
    f1 = 2 * tp / np.maximum(true + predicted, 1)
    return [
        {
            "class": str(name),
            "precision": float(precision[k]),
            "recall": float(recall[k]),
            "f1": float(f1[k]),
            "n": int(true[k]),
        }
        for k, name in enumerate(classes)
    ]
