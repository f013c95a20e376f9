"""The lens on a discriminator."""

from types import SimpleNamespace

import keras
import numpy as np
from keras import layers

from dlcli.lenses import discriminator


def judge():
    """Two convolutions: the first keeps the brightness, the second throws it away."""
    pictures = keras.Input((8, 8, 1))
    x = layers.Conv2D(1, 1, name="keeps")(pictures)
    x = layers.Conv2D(1, 1, name="loses")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(pictures, layers.Dense(1, name="logits")(x), name="discriminator")
    one = np.ones((1, 1, 1, 1))
    model.set_weights([one, np.zeros(1), 0 * one, np.zeros(1), np.ones((1, 1)), np.full(1, 0.5)])
    return model


def test_real_and_generated_are_told_apart_where_their_difference_is():
    """Real pictures are brighter: told from the first layer, guessed from the second, which is flat."""
    rng = np.random.default_rng(0)
    real = rng.normal(1, 0.1, (60, 8, 8, 1)).astype("float32")
    fake = rng.normal(-1, 0.1, (60, 8, 8, 1)).astype("float32")
    places, correct, logits = discriminator.told_apart(judge(), real, fake, 32)
    assert [place.name for place in places] == ["discriminator/keeps", "discriminator/loses"]
    assert correct[0].mean() == 1
    assert correct[1].mean() <= 0.6
    assert np.allclose(logits, 0.5)


def test_without_real_pictures_there_is_nothing_to_compare_with():
    """A subject that gives noise and no pictures."""
    model = SimpleNamespace(discriminator=judge())
    view = SimpleNamespace(subject=SimpleNamespace(model=model, truth=None), examples=lambda n: np.zeros((4, 2)))
    assert discriminator.look(view) is None
    pictures = np.random.default_rng(0).normal(size=(40, 8, 8, 1)).astype("float32")

    subject = SimpleNamespace(model=_Generator(), truth=lambda rows: pictures[rows] + 2, count=40)
    view = SimpleNamespace(subject=subject, examples=lambda n: pictures, batch_size=16)
    table = discriminator.look(view).tables[0]
    assert table["rows"][0][:2] == ["keeps", 1.0]
    assert "right for 0.50; margin between the mean logits: 0.00" in table["note"]


class _Generator:
    def __init__(self):
        self.discriminator = judge()

    def __call__(self, x, training):
        return x
