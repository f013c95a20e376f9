"""Near-duplicates across splits: the same picture brighter or compressed again, the same text but for its signs."""

import re

import numpy as np

from dlcli.checking import Finding, Subject, part_of

KINDS = ("images", "sequences", "texts", "table")
# Correlation of two thumbnails, or sketches. Of handwritten digits (MNIST) no test picture reaches 0.998
# with a training picture; the same photograph compressed again or made brighter does.
SAME = 0.999
SHARE = 0.001
DIGITS = 3  # of a number's deviation that are compared in a table


def find(subject: Subject):
    look = {"texts": _texts, "table": _rows}.get(subject.data.kind, _pictures)
    for name in ("test", "val"):
        if name not in subject.parts:
            continue
        near = look(subject, name)
        n = len(subject.parts[name])
        within = 0.0
        if subject.data.kind == "table":  # by chance as often as within training
            within = 1 - len(set(_keys(subject, "train"))) / len(subject.parts["train"])
        yield Finding(
            value=len(near),
            shown=f"{part_of(len(near), n)} {name} examples are nearly those of training (exact ones included)",
            fault=len(near) > max(5, SHARE * n) and len(near) > n * within + 3 * (n * within) ** 0.5,
            mend="look at them; put what belongs together (one shot, one author, one day) on one side",
            examples=subject.names(name, near),
        )


def _pictures(subject: Subject, name: str) -> np.ndarray:
    train, asking = subject.alike["train"], subject.alike[name]
    best = [(asking[i : i + 512] @ train.T).max(axis=1) for i in range(0, len(asking), 512)]
    return np.flatnonzero(np.concatenate(best) > SAME)


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
