"""Too few examples per class to learn from, and to be tested on."""

import numpy as np

from dlcli.checking import Finding, Subject
from dlcli.errors import some

KINDS = ("images", "table", "sequences", "texts")
LABELS = ("classes",)
CHEAP = True
# With so few test examples an accuracy of 0.9 has an interval of 0.7 to 0.97 (Wilson), and a network
# from random weights has nothing to go by.
LEAST = 20


def find(subject: Subject):
    counts = np.bincount(subject.classes("train"), minlength=len(subject.class_names))
    there = counts > 0  # what only other splits have is told by unknown-labels
    few = subject.class_names[there & (counts < LEAST)]
    yield Finding(
        value=int(counts[there].min()),
        shown=f"{len(few)} of {there.sum()} classes have fewer than {LEAST} training examples ({_told(few, counts[there])})",
        fault=bool(len(few)),
        mend="start from a trained network (dlcli transfer), collect more, or join rare classes",
        examples=few.tolist(),
    )


def _told(few, counts) -> str:
    return f"{some(few)}" if len(few) else f"the least is {counts.min():,}"
