"""Counts of token runs with interpolated Kneser-Ney smoothing (Chen and Goodman, 1999)."""

import numpy as np

from dlcli.baselines import _kneser_ney
from dlcli.baselines._measure import batches, measured
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"language-modeling"}

PADDING = 0


def fit(task, train: Examples, *, order: int = 7, tokens: int = 5_000_000) -> Predictor:
    """order: longest run counted, the predicted token included.  tokens: of the training text used
    at most, from its start. It sees the same windows as the model, so no more context than it."""
    V = task.tokens.size
    parts, count = [], 0
    for _, _, y in batches(task.source(train, training=False)):
        parts.append(y[y != PADDING])  # each token is predicted once, in the order of the text
        count += len(parts[-1])
        if count >= tokens:
            break
    if count < 2:
        raise ValueError("the training text is empty")
    levels = _kneser_ney.levels(np.concatenate(parts)[:tokens], V, order)

    def logits(x, indices):
        """ln p (B, T, V)"""
        B, T = x.shape
        padded = np.concatenate([np.full((B, order - 1), -1), np.where(x == PADDING, -1, x)], axis=1)
        history = np.lib.stride_tricks.sliding_window_view(padded[:, 1:], order - 1, axis=1)
        p = _kneser_ney.probabilities(levels, history.reshape(B * T, order - 1), V)
        return np.log(np.maximum(p, 1e-30)).astype(np.float32).reshape(B, T, V)

    def predict(examples: Examples):
        some = max(1, 4_000_000 // (task.context * V))
        return measured(task, examples, logits, batch_size=some)

    return predict
