"""The lens on neural collapse, on networks whose features are known."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from dlcli.inspection.tap import Tap
from dlcli.lenses import collapse

FRAME = (np.eye(4) - 1 / 4).astype("float32")


def view(x, labels, kernel=FRAME, *, classes="abcd"):
    """A network whose features are what goes in, and whose head has this kernel."""
    given = keras.Input((4,))
    features = layers.Dense(4, use_bias=False, name="features")(given)
    model = keras.Model(given, layers.Dense(4, activation="softmax", name="head")(features))
    model.set_weights([np.eye(4), kernel, np.zeros(4)])
    with Tap() as visits:
        model(x[:1], training=False)
    subject = SimpleNamespace(
        model=model, classes=list(classes), labels=labels, count=len(x), read=lambda rows: x[rows]
    )
    return SimpleNamespace(subject=subject, visits=visits, batch_size=16)


def test_a_simplex_with_its_own_head_has_collapsed():
    labels = np.arange(40) % 4
    table = collapse.look(view(FRAME[labels], labels)).tables[0]
    assert [float(value) for value in table["rows"][0]] == pytest.approx([0] * 5, abs=1e-5)


def test_noise_spreads_and_a_head_of_other_classes_disagrees():
    """Columns of the head in reverse order: every example goes into another class than that of the nearest mean."""
    labels = np.arange(40) % 4
    x = FRAME[labels] + np.random.default_rng(0).normal(0, 0.05, (40, 4)).astype("float32")
    spread, _, _, head, disagree = map(float, collapse.look(view(x, labels, FRAME[:, ::-1])).tables[0]["rows"][0])
    assert 0.001 < spread < 1
    assert head > 1
    assert disagree == 1


def test_what_has_no_classes_or_not_all_of_them_is_left_out():
    labels = np.arange(40) % 4
    assert collapse.look(view(FRAME[labels], None)) is None
    assert collapse.look(view(FRAME[labels % 3], labels % 3)) is None
    assert collapse.look(view(FRAME[labels], labels, classes="ab")) is None
