"""Too few examples for a network from random weights; a trained one may know enough already."""

import numpy as np

from dlcli import registry
from dlcli.errors import counted

ORDER = 4
LAST = True


def explain(case) -> str:
    if case.subject is None or case.data.kind == "series" or case.subject.labels != "classes":
        return ""
    least = registry.find("checks", "few-examples").load().LEAST
    counts = np.bincount(case.subject.classes("train"), minlength=len(case.subject.class_names))
    median = int(np.median(counts[counts > 0]))
    if median >= least:
        return ""
    shown = counted(median, "training example")
    if case.adapted:
        return f"Training has {shown} per class, few for a network that was trained before, too."
    return (
        f"Training has {shown} per class, too few for a network from random weights: "
        "start from a trained one (dlcli transfer)."
    )
