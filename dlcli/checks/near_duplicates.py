"""Near-duplicates across splits: the same picture brighter or compressed again, the same text but for its signs."""

import re
from collections import Counter

import numpy as np

from dlcli.checking import Finding, Subject, part_of

KINDS = ("images", "sequences", "texts", "table")
# How far two thumbnails, or sketches, may be from correlating fully: of handwritten digits (MNIST) no test
# picture comes nearer to training than 0.002, while the same photograph compressed again or made brighter does.
# Where examples usually lie far apart, a small share of what is usual says the same.
APART, USUAL = 0.001, 0.05
SHARE = 0.001
DIGITS = 3  # of a number's deviation that are compared in a table


def find(subject: Subject):
    look = {"texts": _texts, "table": _rows}.get(subject.data.kind, _pictures)
    for name in ("test", "val"):
        if name not in subject.parts:
            continue
        near = look(subject, name)
        n = len(subject.parts[name])
        chance = 0.0
        if subject.data.kind == "table":  # rows may be alike by chance, as often as within training
            counts = Counter(_keys(subject, "train"))
            chance = n * sum(count for count in counts.values() if count > 1) / counts.total()
        yield Finding(
            value=len(near),
            shown=f"{part_of(len(near), n)} {name} examples are nearly those of training (exact ones included)",
            fault=len(near) > max(5, SHARE * n) and len(near) > chance + 3 * chance**0.5,
            mend="look at them; put what belongs together (one shot, one author, one day) on one side",
            examples=subject.names(name, near),
        )


def _pictures(subject: Subject, name: str) -> np.ndarray:
    train = subject.alike["train"]
    some = np.random.default_rng(subject.seed).permutation(len(train))[:1_000]
    usual = np.quantile(_apart(train[some], train, skip=some), 0.05)
    return np.flatnonzero(_apart(subject.alike[name], train) < max(APART, USUAL * usual))


def _apart(asking: np.ndarray, train: np.ndarray, skip: np.ndarray | None = None) -> np.ndarray:
    """1 - the highest correlation with a training example (n,). skip: one that does not count for each."""
    found = []
    for start in range(0, len(asking), 512):
        same = asking[start : start + 512] @ train.T
        if skip is not None:
            same[np.arange(len(same)), skip[start : start + 512]] = -1
        found.append(same.max(axis=1))
    return 1 - np.concatenate(found)


def _texts(subject: Subject, name: str) -> np.ndarray:
    known = {_plain(text) for text in subject.parts["train"].x}
    return np.flatnonzero([_plain(text) in known for text in subject.parts[name].x])


def _plain(text: str) -> str:
    """Letters alone: numbers, signs and case are what templates and retyping change."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return " ".join(words) if len(words) > 3 else text


def _rows(subject: Subject, name: str) -> np.ndarray:
    known = set(_keys(subject, "train"))
    return np.flatnonzero([key in known for key in _keys(subject, name)])


def _keys(subject: Subject, name: str) -> list[bytes]:
    """Rows rounded to a thousandth of each column's deviation."""
    rows = np.ascontiguousarray(np.round(subject.rows[name].astype(np.float64), DIGITS) + 0.0)
    return [row.tobytes() for row in rows]
