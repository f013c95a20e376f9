"""Exact duplicates: across splits (a test of memory), within training, and with different labels."""

from collections import Counter

import numpy as np

from dlcli import alike
from dlcli.checking import Finding, Subject, part_of

KINDS = ("images", "table", "sequences", "texts", "corpus")
WITHIN = 0.05  # a set where more of training repeats itself weighs those examples double


def find(subject: Subject):
    found = {name: _contents(subject, name) for name in subject.parts}
    train = found["train"]
    counts = Counter(train)
    within = 1 - len(counts) / max(1, len(train))
    alike = sum(count for count in counts.values() if count > 1) / max(1, len(train))
    for name in ("test", "val"):
        if name not in found:
            continue
        shared = [i for i, item in enumerate(found[name]) if item in counts]
        # rows of a table may be equal by chance, as often as within training
        chance = alike * len(found[name]) if subject.data.kind == "table" else 0.0
        yield Finding(
            value=len(shared),
            shown=f"{part_of(len(shared), len(found[name]))} {name} examples also stand in training",
            fault=len(shared) > chance + 3 * chance**0.5,
            mend=f"remove them from training, or leave {name} away: then splits are made with duplicates on one side",
            examples=subject.names(name, shared),
        )
    repeated = round(within * len(train))
    yield Finding(
        value=within,
        shown=f"{part_of(repeated, len(train))} training examples repeat another one",
        fault=within > WITHIN and subject.data.kind != "table",
        mend="keep one of each: repeated ones weigh double",
    )
    if subject.labels == "classes":
        labels = subject.classes("train")
        kinds: dict = {}
        for item, label in zip(train, labels.tolist(), strict=True):
            kinds.setdefault(item, set()).add(label)
        torn = [i for i, item in enumerate(train) if len(kinds[item]) > 1]
        yield Finding(
            value=len(torn),
            shown=f"{part_of(len(torn), len(train))} training examples are equal to one with another label",
            fault=subject.data.kind != "table" and len(torn) > 0.001 * len(train),
            mend="look at them and correct the labels",
            examples=subject.names("train", torn),
        )


def _contents(subject: Subject, name: str) -> list:
    part = subject.parts[name]
    if subject.data.kind == "table" and not subject.columns:
        return list(np.arange(len(part)))
    return alike.contents(subject.data.kind, part, list(subject.columns or []))
