"""Which words of a corpus become stimuli: of each class equally many, with the same tokens in all classes."""

import numpy as np

from dlcli.stimuli._level import Level

FEWEST = 20  # stimuli per class; a level with fewer is left out


def index(corpus, chosen):
    """Place among the chosen words by word id, -1 for all others (the last entry stands for id -1)."""
    places = np.full(len(corpus.words) + 1, -1)
    places[np.asarray(chosen, dtype=int)] = np.arange(len(chosen))
    return places


def balanced(y, token, classes, n, rng, *, spread=None):
    """Rows in random order: of each token equally many in each class, and no token more than needed.

    Rows with y < 0 are never taken. With `spread` each cell takes its rows from as many different
    values of it as it can.
    """
    rows = rng.permutation(np.flatnonzero(y >= 0))
    if classes < 2 or not len(rows):
        return rows[:0]
    if spread is not None:
        order = np.argsort(spread[rows], kind="stable")
        turn = np.arange(len(rows)) - np.searchsorted(spread[rows][order], spread[rows][order], side="left")
        rows = rows[order][np.argsort(turn, kind="stable")]
    tokens, kind = np.unique(token[rows], return_inverse=True)
    cell = kind * classes + y[rows]
    order = np.argsort(cell, kind="stable")
    rank = np.empty(len(rows), dtype=int)
    rank[order] = np.arange(len(rows)) - np.searchsorted(cell[order], cell[order], side="left")
    room = np.bincount(cell, minlength=len(tokens) * classes).reshape(len(tokens), classes).min(axis=1)
    quota = _shares(room, n // classes, rng)
    if quota.sum() < max(1, min(FEWEST, n // classes)):
        return rows[:0]
    return rng.permutation(rows[rank < quota[kind]])


def _shares(room, wanted, rng):
    """Numbers up to `room` that add up to `wanted`, as equal as can be."""
    quota = np.zeros_like(room)
    while quota.sum() < min(wanted, room.sum()):
        open_ = rng.permutation(np.flatnonzero(quota < room))
        quota[open_[: wanted - quota.sum()]] += 1
    return quota


def level(name, corpus, at, y, names, control, *, group=None):
    if not len(at):
        return None
    x, position = zip(*map(corpus.window, at), strict=True)
    return Level(
        name=name, x=list(x), y=y, names=tuple(names), control=control, position=np.array(position), group=group
    )
