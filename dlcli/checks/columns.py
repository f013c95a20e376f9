"""Columns that say nothing: one value everywhere, or another one in every row."""

import numpy as np

from dlcli.checking import Finding, Subject
from dlcli.errors import counted, some

KINDS = ("table", "series", "sequences")
CHEAP = True


def find(subject: Subject):
    constant, unique = _table(subject) if subject.data.kind == "table" else (_channels(subject), [])
    if subject.data.kind == "sequences":
        mend = "leave these channels away: they tell nothing"
    else:
        mend = f"--set data.drop={','.join(constant)}"
    yield Finding(
        value=len(constant),
        shown=f"{counted(len(constant), 'column')} with one value only" + (f": {some(constant)}" if constant else ""),
        fault=bool(constant),
        mend=mend,
    )
    yield Finding(
        value=len(unique),
        shown=f"{counted(len(unique), 'column')} with another value in every row"
        + (f": {some(unique)}" if unique else ""),
        fault=bool(unique),
        mend=f"--set data.drop={','.join(unique)}: a name or number of the row, which a network would learn by heart",
    )


def _table(subject: Subject) -> tuple[list[str], list[str]]:
    frame = subject.parts["train"].x
    constant, unique = [], []
    for name, kind in subject.columns.items():
        different = frame[name].drop_nulls().n_unique()
        if different <= 1:
            constant.append(name)
        # numbers with many digits differ by nature, and so do sentences
        elif kind == "category" and different == frame.height - frame[name].null_count() > 20:
            unique.append(name)
    return constant, unique


def _channels(subject: Subject) -> list[str]:
    part = subject.parts["train"]
    values = [x.values[x.start : x.stop] if subject.data.kind == "series" else x for x in part.x]
    low = np.nanmin([np.nanmin(x, axis=0) for x in values], axis=0)
    high = np.nanmax([np.nanmax(x, axis=0) for x in values], axis=0)
    names = list(subject.columns) or [f"channel {i}" for i in range(len(low))]
    return [names[i] for i in np.flatnonzero(low == high)]
