"""A network that was trained on every level has a hierarchy; the same network before it was trained has none."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlcli.stimuli import pictures
from tests.test_inspect_known import bare, drawn, inspected, subject  # noqa: F401 - a fixture

SIDE = 32
OTHER = -1.0  # of a class of another level than the one that is asked


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_training_makes_the_hierarchy(seed, bare):  # noqa: F811
    """The stimuli that measure are drawn by another seed than those that were learned from."""
    levels = pictures.levels(SIDE, SIDE, 3, n=2000, seed=1000 + seed)
    x, y = asked(levels)
    model = network(seed, y.shape[1])
    found = subject(model, stimuli=drawn(model))
    before = inspected(found, "standard", seed=seed)["hierarchy"]
    model.compile(keras.optimizers.Adam(2e-3), among_those_asked)
    model.fit(x, y, batch_size=64, epochs=4, verbose=0)
    after = inspected(found, "standard", seed=seed)["hierarchy"]
    assert before["said"] == "no measurable hierarchy"
    assert after["tau"] > 0.7
    assert after["p"] < 0.05
