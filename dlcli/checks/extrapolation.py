"""Extrapolation: test examples outside what training covered, column by column and as a whole."""

import numpy as np

from dlcli.checking import Finding, Subject
from dlcli.errors import some

KINDS = ("images", "table", "sequences", "series")
# Shares of test values beyond the training range; by chance 2 / (n + 1) are.
COLUMN, STEPS = 0.02, 0.05
# Share of test examples that are farther from training than 99 % of training examples from one another.
FAR = 0.05


def find(subject: Subject):
    if "test" not in subject.parts:
        return
    if subject.data.kind == "series":
        yield from _series(subject)
        return
    if subject.data.kind == "table":
        yield from _columns(subject)
    rows = subject.rows["train"]
    if rows.shape[1] and len(rows) > 20:
        usual, test = subject.nearest_distance("train"), subject.nearest_distance("test")
        share = float((test > np.quantile(usual, 0.99)).mean())
        limit = FAR + 3 * (FAR / len(test)) ** 0.5
        yield Finding(
            value=share,
            shown=f"{100 * share:.1f} % of test examples are farther from training than 99 % of training is from itself",
            fault=share > limit,
            mend="train on data like that which will be met, or say that the scores are for another kind of data",
        )


def outside(subject: Subject) -> dict[str, float]:
    """Share of the test values of each numeric column below or above all training values, beyond chance."""
    from dlcli.cells import numbers

    shares = {}
    for name, kind in subject.columns.items():
        if kind != "numeric":
            continue
        train, test = (numbers(subject.parts[part].x[name]).drop_nulls().to_numpy() for part in ("train", "test"))
        if len(train) and len(test):
            chance = 2 / (len(train) + 1)
            share = float(((test < train.min()) | (test > train.max())).mean())
            shares[name] = max(0.0, share - chance - 3 * (chance / len(test)) ** 0.5)
    return shares


def _columns(subject: Subject):
    shares = outside(subject)
    if not shares:
        return
    worst = max(shares, key=shares.get)
    beyond = sorted((name for name, share in shares.items() if share > COLUMN), key=lambda name: -shares[name])
    yield Finding(
        value=shares[worst],
        shown=f"{100 * shares[worst]:.1f} % of test rows lie outside the training range of {some(beyond or [worst])}",
        fault=bool(beyond),
        mend="no network can be trusted there: train on that range too, or use a model of the law behind the data",
        examples=beyond,
    )


def series_outside(subject: Subject) -> dict[str, float]:
    """Share of the test rows of each column below or above all training rows."""
    names, low, high, test = list(subject.columns), [], [], []
    for span in subject.parts["train"].x:
        low.append(np.nanmin(span.values[: span.stop], axis=0))
        high.append(np.nanmax(span.values[: span.stop], axis=0))
    by_name = {span.name: i for i, span in enumerate(subject.parts["train"].x)}
    for span in subject.parts["test"].x:
        i = by_name.get(span.name, 0)
        rows = span.values[span.start : span.stop]
        test.append((rows < low[i]) | (rows > high[i]))
    shares = np.concatenate(test).mean(axis=0)
    return {names[i] if i < len(names) else f"column {i}": float(share) for i, share in enumerate(shares)}


def _series(subject: Subject):
    shares = series_outside(subject)
    worst = max(shares, key=shares.get)
    beyond = [name for name, share in shares.items() if share > STEPS]
    mean = float(np.mean(list(shares.values())))
    yield Finding(
        value=mean,
        shown=f"{100 * mean:.1f} % of test values lie outside the training range (most in {worst}: {100 * shares[worst]:.0f} %)",
        fault=mean > STEPS,
        mend="forecast changes instead of levels (the default instance_norm does), and trust the simple rules first",
        examples=beyond,
    )
