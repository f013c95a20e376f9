"""Class imbalance: how much rarer the rarest class is than the most frequent one."""

import numpy as np

from dlcli.checking import Finding, Subject

KINDS = ("images", "table", "sequences", "texts")
LABELS = ("classes",)
CHEAP = True
MOST = 10.0


def find(subject: Subject):
    counts = np.bincount(subject.classes("train"), minlength=len(subject.class_names))
    counts = counts[counts > 0]
    ratio = counts.max() / counts.min()
    often, rare = subject.class_names[counts.argmax()], subject.class_names[counts.argmin()]
    yield Finding(
        value=float(ratio),
        shown=f"class '{often}' is {ratio:.1f} times as frequent as '{rare}'",
        fault=bool(ratio > MOST),
        mend="--set fit.class_weights=balanced, and look at macro F1 beside accuracy",
    )
