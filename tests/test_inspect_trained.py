"""A network that was trained on every level has a hierarchy; the same network before it was trained has none."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlcli.inspection import measuring
from dlcli.inspection.subject import Stimuli, Subject
from dlcli.stimuli import pictures

SIDE = 32
OTHER = -1.0  # of a class of another level than the one that is asked


def feed(level):
    return lambda rows: np.asarray(level.x[rows], "float32") / 255, None


def asked(levels) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of all levels, and for each the classes of all levels: 1 the right one, 0 wrong, -1 not asked."""
    ends = np.cumsum([0, *(len(level.names) for level in levels)])
    answers = []
    for level, begin, end in zip(levels, ends, ends[1:], strict=False):
        rows = np.full((len(level.y), ends[-1]), OTHER, "float32")
        rows[:, begin:end] = np.eye(len(level.names), dtype="float32")[level.y]
        answers.append(rows)
    return np.concatenate([np.asarray(level.x, "float32") / 255 for level in levels]), np.concatenate(answers)


def among_those_asked(truth, logits):
    """Cross entropy over the classes of one level."""
    logits = ops.where(truth == OTHER, -1e9, logits)
    return -ops.sum(ops.maximum(truth, 0.0) * ops.log_softmax(logits, axis=-1), axis=-1)


def network(seed: int, classes: int) -> keras.Model:
    """Six convolutions, every second of which halves the sides."""
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input((SIDE, SIDE, 3))
    for i in range(6):
        x = layers.Conv2D(16 * (1 + i // 2), 3, padding="same", strides=1 + i % 2, name=f"conv{i}", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


def hierarchy(model: keras.Model, seed: int) -> dict:
    found = Subject(
        model=model,
        title="hand-made",
        source="tests",
        family="cnn",
        read=None,
        count=0,
        labels=None,
        stimuli=Stimuli(entry="pictures", make={"height": SIDE, "width": SIDE, "channels": 3}, feed=feed),
    )
    return measuring.inspect(found, budget="standard", only=[], seed=seed)[0]["hierarchy"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_training_makes_the_hierarchy(seed, monkeypatch):
    """The stimuli that measure are drawn by another seed than those that were learned from."""
    monkeypatch.setattr(measuring, "registry", SimpleNamespace(entries=lambda _: {}))
    levels = pictures.levels(SIDE, SIDE, 3, n=2000, seed=1000 + seed)
    x, y = asked(levels)
    model = network(seed, y.shape[1])
    before = hierarchy(model, seed)
    model.compile(keras.optimizers.Adam(2e-3), among_those_asked)
    model.fit(x, y, batch_size=64, epochs=4, verbose=0)
    after = hierarchy(model, seed)
    assert before["said"] == "no measurable hierarchy"
    assert after["tau"] > 0.7
    assert after["p"] < 0.05
