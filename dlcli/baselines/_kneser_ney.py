"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999) for ids of any vocabulary.

A context is reached from the empty one by going back one token at a time; it is known by a number,
found from (number of the shorter context, token before it). Each level, from the empty context to
order - 1 tokens, holds its n-grams sorted by context: counts at the last level, numbers of different
tokens before at the others.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Level:
    """Contexts of one length.

    keys: sorted (shorter context * V + token before), their place is the context's number.
    first (contexts + 1,): where a context's followers begin in `tokens` and `share`, their
    discounted probabilities. rest (contexts,): what is left for the shorter context.
    """

    keys: np.ndarray
    first: np.ndarray
    tokens: np.ndarray
    share: np.ndarray
    rest: np.ndarray


def levels(ids: np.ndarray, vocabulary: int, order: int) -> list[Level]:
    """Learn from a stream of ids (n,) below `vocabulary`."""
    ids = np.asarray(ids, np.int64)
    n, V = len(ids), vocabulary
    context = np.zeros(n, np.int64)  # number of the context before each token
    keys = np.zeros(1, np.int64)
    found = []
    for length in range(order):
        at = np.arange(length, n)  # tokens with so long a context
        if length:
            pairs = context[at] * V + ids[at - length]
            keys, numbers = np.unique(pairs, return_inverse=True)
            context = np.zeros(n, np.int64)
            context[at] = numbers.reshape(-1)
        grams, counts = np.unique(context[at] * V + ids[at], return_counts=True)
        found.append((keys, grams, counts))
    made = []
    for length, (keys, grams, counts) in enumerate(found):
        if length + 1 < order:
            counts = _continuations(found[length + 1], grams, V)
        made.append(_level(keys, grams, counts, V))
    return made


def probabilities(levels: list[Level], history: np.ndarray, vocabulary: int) -> np.ndarray:
    """Of every next token.  history (n, h) ids, the newest last, -1 where there is none -> (n, V)"""
    n, V = len(history), vocabulary
    p = np.full((n, V), 1.0 / V)
    rows, context = np.arange(n), np.zeros(n, np.int64)
    for length, level in enumerate(levels):
        if length:
            if length > history.shape[1]:
                break
            token = history[rows, -length]
            pairs = context * V + token
            at = np.minimum(np.searchsorted(level.keys, pairs), len(level.keys) - 1)
            known = (token >= 0) & (level.keys[at] == pairs)
            rows, context = rows[known], at[known]
        p[rows] *= level.rest[context, None]
        begin, size = level.first[context], np.diff(level.first)[context]
        follower = np.repeat(begin - np.concatenate([[0], size.cumsum()[:-1]]), size)
        follower = follower + np.arange(len(follower))
        p[np.repeat(rows, size), level.tokens[follower]] += level.share[follower]
    return p


def _continuations(longer, grams, V):
    """Before how many different tokens' contexts each n-gram stands; at least once (text begins)."""
    keys, longer_grams, _ = longer
    shorter = keys[longer_grams // V] // V * V + longer_grams % V
    return np.maximum(1, np.bincount(np.searchsorted(grams, shorter), minlength=len(grams)))


def _level(keys, grams, counts, V) -> Level:
    contexts, tokens = grams // V, grams % V
    total = np.bincount(contexts, weights=counts, minlength=len(keys))
    discount = _discounts(counts)[np.minimum(counts, 3)]
    taken = np.bincount(contexts, weights=discount, minlength=len(keys))
    # A context that only ends the text has no followers: all is left to the shorter one.
    rest = np.divide(taken, total, out=np.ones(len(keys)), where=total > 0)
    first = np.searchsorted(contexts, np.arange(len(keys) + 1))
    return Level(keys, first, tokens, (counts - discount) / total[contexts], rest)


def _discounts(counts) -> np.ndarray:
    """What is taken off a count of 0, 1, 2, 3 or more."""
    n1, n2, n3, n4 = (np.count_nonzero(counts == c) for c in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array([0.0, 0.5, 0.5, 0.5])  # too little text to tell
    y = n1 / (n1 + 2 * n2)
    off = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return np.clip(off, [0, 0.05, 0.05, 0.05], [0, 0.95, 1.95, 2.95])
