"""What a transfer has made of each depth of the body: how alike its features are to those before, and what can be
read off them."""

from typing import Any

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from dlcli.data import Examples
from dlcli.inspection import geometry, probes
from dlcli.metrics import intervals
from dlcli.task import Task
from dlcli.transfer import features

# Examples that are looked at: a probe costs the cube of them, two passes are needed.
EXAMPLES = 512
# Of fewer, a CKA without bias says nothing.
FEWEST = 64


def measured(
    before: keras.Model,
    after: keras.Model,
    task: Task,
    parts: dict[str, Examples],
    labels: dict[str, np.ndarray],
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """One row per depth: debiased linear CKA of its features before and after (Kornblith et al., 2019), 1 for what
    was kept; with labels (class numbers) also what a probe reads off, held out, before and after, with intervals.

    The validation split is looked at, or the training split where that one is small. A depth that the model does
    not have any more is left out.
    """
    sources = {name: task.source(parts[name], training=False) for name in ("val", "train") if name in parts}
    name = next((name for name, source in sources.items() if len(source) >= FEWEST), "train")
    source = sources[name]
    chosen = np.sort(np.random.default_rng([seed, 7]).permutation(len(source))[:EXAMPLES])
    first, second = (features.looked(model, source, chosen) for model in (before, after))
    found = []
    for place, rows in first.items():
        if place not in second or rows.shape != second[place].shape:
            continue
        grams = [geometry.Cloud(each).gram() for each in (rows, second[place])]
        row = {"place": place, "cka": geometry.cka(*grams)}
        if name in labels:
            row |= {"before": _read(rows, labels[name][chosen]), "after": _read(second[place], labels[name][chosen])}
        found.append(row)
    return found


def _read(rows: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    with threadpool_limits(1):
        correct = probes.Ridge(rows).correct(labels)
    low, high = intervals.interval(correct)
    return {"accuracy": float(correct.mean()), "low": low, "high": high}
