"""From features to a model: probe the depths, solve for the head, and put it where it belongs."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from threadpoolctl import threadpool_limits

from dlcli.inspection import probes
from dlcli.metrics import intervals
from dlcli.task import Task, pooled
from dlcli.transfer import logistic
from dlcli.transfer.features import LAST, Rows
from dlcli.transfer.logistic import Solution

# Examples that a probe is held out on: it costs the cube of them.
_PROBED = 768


@dataclass(frozen=True, kw_only=True)
class Head:
    """place: where the body ends.  accuracy: on the validation split, NaN without one.
    probes: one row per depth."""

    place: str
    solution: Solution
    accuracy: float
    probes: list[dict[str, Any]]


def solved(rows: Rows, labels: dict[str, np.ndarray], classes: int, *, seed: int) -> tuple[Head, Head]:
    """The head on the last features, and the best one: at another depth only where that is better beyond the
    intervals of both probes, and on the validation split too.

    labels: class numbers of each split.
    """
    looked = probed(rows, labels["train"], seed=seed)
    last = _head(rows, LAST, labels, classes, looked)
    at_last = next(row for row in looked if row["place"] == LAST)
    best = max(looked, key=lambda row: row["accuracy"])
    if best["low"] <= at_last["high"] or "val" not in labels:
        return last, last
    other = _head(rows, best["place"], labels, classes, looked)
    return last, other if other.accuracy > last.accuracy else last


def probed(rows: Rows, labels: np.ndarray, *, seed: int) -> list[dict[str, Any]]:
    """What a ridge regression reads off each depth, held out within the training split."""
    chosen = np.random.default_rng([seed, 5]).permutation(len(labels))[:_PROBED]
    found = []
    with threadpool_limits(1):
        for place in rows.places:
            correct = probes.Ridge(rows.values["train"][place][chosen]).correct(labels[chosen])
            low, high = intervals.interval(correct)
            width = rows.values["train"][place].shape[1]
            found.append({"place": place, "accuracy": float(correct.mean()), "low": low, "high": high, "width": width})
    return found


def _head(rows: Rows, place: str, labels: dict[str, np.ndarray], classes: int, looked) -> Head:
    x, y = rows.values["train"][place], labels["train"]
    held = (rows.values["val"][place], labels["val"]) if "val" in labels else None
    solution = logistic.solve(x, y, held, classes)
    accuracy = float((solution.probabilities(held[0]).argmax(axis=1) == held[1]).mean()) if held else float("nan")
    return Head(place=place, solution=solution, accuracy=accuracy, probes=looked)


def placed(model: keras.Model, task: Task, head: Head) -> keras.Model:
    """The model with this head: its own, or a shorter body where the head sits lower."""
    if head.place != LAST:
        model = shortened(model, task, head.place)
    dense = model.get_layer("head_logits")
    dense.set_weights([head.solution.kernel.astype(np.float32), head.solution.bias.astype(np.float32)])
    return model


def shortened(model: keras.Model, task: Task, place: str) -> keras.Model:
    """The model up to a place of its body, "model/LAYER" or "model/body/LAYER", with a new head of the task."""
    *_, inner, name = place.split("/")
    if place.count("/") == 1:
        x = model.get_layer(name).output
    else:
        whole = model.get_layer(inner)
        before = model.layers[model.layers.index(whole) - 1].output  # `whole.input` would be the body's own
        x = keras.Model(whole.inputs, whole.get_layer(name).output, name=inner)(before)
    x = pooled(layers.Identity(name="features")(x))  # a probe reads the mean, whatever else the task's head reads
    return keras.Model(model.inputs, task.head(x), name="model")
