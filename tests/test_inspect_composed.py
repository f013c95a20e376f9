"""A network built by hand that puts things together four times over: its hierarchy is known, and so is tau."""

import keras
import numpy as np
import pytest
from keras import layers
from test_inspect_known import bare, inspected, rows, set_kernel, subject  # noqa: F401 - a fixture

from dlcli.inspection import strip
from dlcli.inspection.subject import Stimuli
from dlcli.stimuli import pictures
from dlcli.stimuli._level import Level

SIDE = 48
# Enough of it hides one mark from a mean over 2304 positions, and not from a filter that is matched to it.
NOISE = 0.2
# Twelve parts of a grid of 3 x 3: a cross, a ring's half and a diagonal, without a mean.
MARKS = np.array([
    [[-1, 1, -1], [1, 1, 1], [-1, 1, -1]],
    [[1, 1, 1], [1, -1, -1], [1, -1, -1]],
    [[1, -1, 1], [-1, 1, -1], [1, -1, 1]],
], float)  # fmt: skip
MARKS -= MARKS.mean(axis=(1, 2), keepdims=True)
# Where the second of two things stands beside the first, at each level.
AROUND = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])
# no two sums or differences of these are alike: else marks of two things would make a third
STEPS = (4, 9, 20)
NAMES = ("edge", "texture", "shape", "relation")


def thing(level: int, kind: int) -> list[tuple[int, int, int]]:
    """(mark, row, column) of one thing: a mark, or the two first things of the level below, side by side."""
    if level == 0:
        return [(kind, 0, 0)]
    down, right = STEPS[level - 1] * AROUND[kind]
    return thing(level - 1, 0) + [(mark, row + down, column + right) for mark, row, column in thing(level - 1, 1)]


def composed(height, width, channels, *, n, seed):
    """Level k: which way the second of two things of level k - 1 stands, anywhere; level 0: which mark."""
    rng = np.random.default_rng(seed)
    found = []
    for level, name in enumerate(NAMES):
        classes = 3 if level == 0 else 4
        y = rng.permutation(np.arange(n) % classes)
        x = NOISE * rng.normal(size=(n, height, width))
        for picture, kind in zip(x, y, strict=True):
            marks = np.array(thing(level, kind))
            marks[:, 1:] -= marks[:, 1:].min(axis=0)
            room = np.array([height, width]) - 3 - marks[:, 1:].max(axis=0)
            top, left = (rng.integers(0, side + 1) for side in room)
            for mark, row, column in marks:
                picture[top + row : top + row + 3, left + column : left + column + 3] += MARKS[mark]
        pixels = np.clip(np.round(x * 40 + 128), 0, 255).astype("uint8")[..., None]
        names = tuple(map(str, range(classes)))
        found.append(Level(name=name, x=pixels, y=y, names=names, control=rng.integers(0, 8, n)))
    return found


def composing():
    """Matched filters; then three times "the first here and the second a step away", for each way to stand.

    hard_sigmoid is 0 below -3 and 1 above 3: an answer is yes or no, and stays so through all layers.
    """
    wide = [("marks", 3, 1), *zip(("pairs", "fours", "eights"), (4, 4, 4), STEPS, strict=True)]
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            *(
                layers.Conv2D(kinds, 3, padding="same", dilation_rate=step, activation="hard_sigmoid", name=name)
                for name, kinds, step in wide
            ),
        ]
    )
    filters = MARKS / (MARKS**2).sum(axis=(1, 2), keepdims=True)
    set_kernel(model.layers[0], 24 * filters.transpose(1, 2, 0)[:, :, None], -18.0)
    for layer in model.layers[1:]:
        kernel = np.zeros(layer.kernel.shape)
        for kind, (down, right) in enumerate(AROUND):
            kernel[1, 1, 0, kind] = kernel[1 + down, 1 + right, 1, kind] = 12
        set_kernel(layer, kernel, -18.0)
    return model


def test_each_way_to_stand_has_one_unit_that_answers_once():
    """The network is what it is meant to be: of every thing, one unit of its level answers, at one place."""
    model = composing()
    for i, level in enumerate(composed(SIDE, SIDE, 1, n=24, seed=1)):
        part = keras.Model(model.inputs, model.layers[i].output)
        answers = np.asarray(part.predict_on_batch((level.x.astype("float32") - 128) / 40))
        assert np.array_equal(answers.max(axis=(1, 2)).argmax(axis=1), level.y)
        assert ((answers > 0.4).sum(axis=(1, 2, 3)) == 1).all()


def test_four_levels_in_four_layers_are_a_hierarchy_of_tau_one(bare, monkeypatch):  # noqa: F811
    """Each layer gains its own level and no other: tau 1, and p is one order of twenty-four."""
    monkeypatch.setattr(pictures, "levels", composed)
    monkeypatch.setattr(strip, "STIMULI", 240)
    fed = Stimuli(
        entry="pictures",
        make={"height": SIDE, "width": SIDE, "channels": 1},
        feed=lambda level: (lambda some: (level.x[some].astype("float32") - 128) / 40, None),
    )
    found = inspected(subject(composing(), stimuli=fed), "standard")
    hierarchy = found["hierarchy"]
    assert hierarchy["order"] == list(NAMES)
    assert hierarchy["tau"] == 1
    assert hierarchy["p"] == pytest.approx(1 / 24)
    assert found["verdict"].startswith("A measurable hierarchy (tau = 1.00, p = 0.042)")
    for depth, (name, row) in enumerate(zip(NAMES, rows(found).values(), strict=True), 1):
        assert hierarchy["emergence"][name]["value"] == pytest.approx(depth, abs=0.1)
        assert row["label"].startswith(name)
        assert row["levels"][name]["trained"] > 0.95
