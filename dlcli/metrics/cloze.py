"""Scores of models that guess hidden tokens."""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report, Score

FORMULAS = {
    "nats_per_token": "sum of -ln p(hidden token | the rest of its text) / number of hidden tokens",
    "accuracy": "hidden tokens whose most probable guess is right / hidden tokens",
    "perplexity": "exp(nats per token)",
}


def cloze(nll, right, tokens) -> Report:
    """nll (n,) summed -ln p of a text's hidden tokens, in nats; right, tokens (n,): guessed and hidden ones."""
    nll, right, tokens = (np.asarray(v, dtype=np.float64).reshape(-1) for v in (nll, right, tokens))
    nats = _ratio(nll, tokens)
    perplexity = Score(*(float(np.exp(v)) for v in (nats.value, nats.low, nats.high)), nats.n)
    scores = {"nats_per_token": nats, "accuracy": _ratio(right, tokens), "perplexity": perplexity}
    return Report(scores=scores, formulas=dict(FORMULAS))


def _ratio(sums, count) -> Score:
    low, high = intervals.ratio_interval(sums, count)
    return Score(float(sums.sum() / max(1.0, count.sum())), low, high, len(sums))
