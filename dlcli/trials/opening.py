"""The data of a job: opened, split as all trials of a comparison split it, and cut to a size."""

from dataclasses import replace

import numpy as np

from dlcli import plan, splits
from dlcli.config import RunConfig
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.plan import Plan


def opened(job: dict) -> tuple[RunConfig, Plan, Data]:
    """config: of the run.  split_seed: the same for all trials, so that they are scored on the same examples.
    take: {"n", "seed"}, only so much of the training split, or None for all of it."""
    config = RunConfig(**job["config"])
    entry = plan.locate(config)
    found = plan.open_data(entry, config)
    chosen = plan.choose(config, entry, found)
    data, _ = splits.split(found, seed=job["split_seed"], **plan.split_options(config, chosen.task))
    data.warnings.clear()  # told once, by study.begin
    return config, chosen, cut(data, **job["take"]) if job["take"] else data


def cut(data: Data, *, n: int, seed: int) -> Data:
    """n of what the training split holds, and as large a share of the validation split: who has n labels to
    learn from has no more to choose with.

    For one seed, the smaller subset is part of the larger. Classes keep their shares, and at least one
    example. Series keep their newest rows, text its beginning.
    """
    whole = size(data)
    if n > whole:
        raise DataError(f"{n} training examples were asked for, and there are {whole}.", "ask for fewer.")
    share = n / whole
    parts = dict(data.splits)
    if data.kind == "series":
        rows = max(2, round(share * max(span.stop - span.start for span in parts["train"].x)))
        parts["train"] = replace(parts["train"], x=[_newest(span, rows) for span in parts["train"].x])
    elif data.kind == "corpus":
        parts["train"] = replace(parts["train"], x=[text[: round(share * len(text))] for text in parts["train"].x])
    else:
        for part in ("train", "val"):
            if part in parts:
                order = _order(parts[part], seed)
                parts[part] = parts[part].take(np.sort(order[: max(2, round(share * len(order)))]))
    return replace(data, splits=parts)


def size(data: Data) -> int:
    """Of the training split: examples, rows of series, characters of text."""
    train = data.splits["train"]
    if data.kind == "series":
        return sum(span.stop - span.start for span in train.x)
    if data.kind == "corpus":
        return sum(len(text) for text in train.x)
    return len(train)


def _order(examples: Examples, seed: int) -> np.ndarray:
    """Positions in an order whose every beginning holds the classes in their shares."""
    rng = np.random.default_rng([seed, 17])
    order = rng.permutation(len(examples))
    if examples.y is None or not isinstance(examples.y[0], str):
        return order
    labels = np.unique(np.asarray(examples.y), return_inverse=True)[1][order]
    key = np.empty(len(order))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        key[own] = (np.arange(len(own)) + rng.uniform()) / len(own)
        key[own[0]] = -1.0  # each class has one, however few are asked for
    return order[np.argsort(key, kind="stable")]


def _newest(span, rows: int):
    begin = max(span.start, span.stop - rows)
    times = span.times[begin:] if span.times is not None else None
    return replace(span, values=span.values[begin:], start=0, stop=span.stop - begin, times=times)
