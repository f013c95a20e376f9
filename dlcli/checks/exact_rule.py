"""An exact rule behind the labels: parity, sums modulo K, weighted sums and products want symbols, not a network."""

import numpy as np

from dlcli import rules
from dlcli.checking import Finding, Subject

KINDS = ("table",)
LABELS = ("classes", "numbers")


def find(subject: Subject):
    from dlcli.cells import numbers

    frame, y = subject.parts["train"].x, np.asarray(subject.parts["train"].y)
    columns = {
        name: numbers(frame[name]).to_numpy()
        for name, kind in subject.columns.items()
        if kind == "numeric" or (kind == "category" and numbers(frame[name]).null_count() == 0)
    }
    columns = {name: values for name, values in columns.items() if np.isfinite(values).all()}
    if not columns:
        return
    rule = rules.found(np.stack(list(columns.values()), axis=1), y, list(columns), classes=subject.labels == "classes")
    yield Finding(
        value=float(rule is not None),
        shown=rule.text if rule else "no parity, modular, linear or product rule tells the labels exactly",
        fault=rule is not None,
        mend="use the rule itself: a network only imitates it, and not beyond what it saw",
    )
