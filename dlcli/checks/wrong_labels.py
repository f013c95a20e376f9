"""Suspected wrong labels: examples that a simple model, which has not seen them, is sure belong elsewhere.

Confident learning (Northcutt et al., 2021): an example counts as of class j when its probability of j is at
least the mean probability of j among those labelled j. Those that count as another class than their own
are suspects; they come ordered by how much more probable the other class is. Probabilities are those of
the neighbours (pictures, sequences) or of cross-validated models (texts, tables).
"""

import numpy as np

from dlcli.checking import Finding, Subject, part_of

KINDS = ("images", "table", "sequences", "texts")
LABELS = ("classes",)
# A simple model that is right less often has no say. Fitted ones are surer of themselves than neighbours.
SURE = {"images": 0.75, "sequences": 0.75, "texts": 0.88, "table": 0.88}
# Suspects whose other class is so much more probable than their own, as a share of all, are a fault.
MARGIN, SHARE = 0.7, 0.02


def find(subject: Subject):
    guess = subject.guess
    labels, p = subject.classes("train")[guess.asking], guess.p
    right = float((p.argmax(axis=1) == labels).mean())
    if right < SURE[subject.data.kind]:
        yield Finding(
            value=0.0,
            shown=f"wrong labels cannot be told: a simple model is right for {100 * right:.0f} % only",
            fault=False,
        )
        return
    suspects, margin = ranked(labels, p)
    strong = int((margin >= MARGIN).sum())
    yield Finding(
        value=strong / len(labels),
        shown=f"{part_of(strong, len(labels))} training labels are doubtful",
        fault=strong > SHARE * len(labels) and strong >= 5,
        mend="look at them, the first are the most doubtful, and correct them",
        examples=subject.names("train", guess.asking[suspects]),
    )


def ranked(labels: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of suspects, the most doubtful first, and by how much another class is more probable."""
    n, K = p.shape
    own = p[np.arange(n), labels]
    counts = np.bincount(labels, minlength=K)
    threshold = np.bincount(labels, weights=own, minlength=K) / np.maximum(counts, 1)
    threshold[counts == 0] = np.inf
    others = np.where(p >= threshold, p, -1.0)
    others[np.arange(n), labels] = -1.0
    best = others.max(axis=1)
    suspect = np.flatnonzero((best > own) & (best >= 0))
    order = np.argsort(own[suspect] - best[suspect], kind="stable")
    suspect = suspect[order]
    return suspect, best[suspect] - own[suspect]
