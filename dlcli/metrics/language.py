"""Scores of language models."""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report, Score

FORMULAS = {
    "nats_per_token": "sum of -ln p(token | tokens before) / number of tokens",
    "nats_per_character": "the same sum / number of characters of the text",
    "bits_per_character": "nats per character / ln 2",
    "perplexity": "exp(nats per token)",
}

MANY_DOCUMENTS = 10


def language(nll, tokens, characters, documents=None) -> Report:
    """nll (n,) summed -ln p per window, in nats; tokens, characters (n,) predicted in it;
    documents: n ids. Windows stand in the order of the text."""
    nll, tokens, characters = (np.asarray(v, dtype=np.float64).reshape(-1) for v in (nll, tokens, characters))
    n = len(nll)
    if documents is not None and len(np.unique(documents)) >= MANY_DOCUMENTS:
        how = {"groups": documents}
    else:
        # neighbouring windows are about the same thing; n^(1/3) is the usual order of a block
        how = {"block": max(1, round(n ** (1 / 3)))}
    token = _ratio(nll, tokens, how)
    character = _ratio(nll, characters, how)
    scores = {
        "nats_per_token": token,
        "nats_per_character": character,
        "bits_per_character": _each(character, lambda v: v / np.log(2)),
        "perplexity": _each(token, np.exp),
    }
    return Report(scores=scores, formulas=dict(FORMULAS))


def _ratio(nll, count, how) -> Score:
    low, high = intervals.ratio_interval(nll, count, **how)
    return Score(float(nll.sum() / count.sum()), low, high, len(nll))


def _each(score: Score, function) -> Score:
    return Score(*(float(function(v)) for v in (score.value, score.low, score.high)), score.n)
