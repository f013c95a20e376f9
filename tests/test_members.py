"""Members that share a network: their mean, the loss that each has by itself, and tables learned by them."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import log_softmax, softmax

from dlcli import members
from tests.test_runs import dlcli

RNG = np.random.default_rng(0)
ANSWERS = RNG.normal(size=(7, 4, 3)).astype("float32") * 3


def added(of: str, answers) -> tuple[np.ndarray, float]:
    """The mean of the answers, and what their spread adds to the loss in training."""
    layer = members.MeanOfMembers(of)
    mean = np.asarray(layer(answers, training=True))
    return mean, float(sum(layer.losses))


def test_logits_have_the_mean_of_the_members_cross_entropies():
    """Also for labels that are shared out among classes, as smoothing and mixup do."""
    labels = RNG.dirichlet(np.ones(3), size=7)
    mean, spread = added("logits", ANSWERS)
    each = -(labels[:, None] * log_softmax(ANSWERS.astype(float), axis=-1)).sum(-1).mean()
    together = -(labels * log_softmax(mean.astype(float), axis=-1)).sum(-1).mean()
    assert spread > 0.1
    assert together + spread == pytest.approx(each, rel=1e-5)


def test_numbers_have_the_mean_of_the_members_squared_errors():
    y = RNG.normal(size=(7, 1))
    mean, spread = added("numbers", ANSWERS[:, :, :1])
    each = np.square(ANSWERS[:, :, :1] - y[:, None]).mean()
    assert np.square(mean - y).mean() + spread == pytest.approx(each, rel=1e-5)


@pytest.mark.parametrize("of", ["numbers", "logits"])
def test_nothing_is_added_but_in_training(of):
    layer = members.MeanOfMembers(of)
    assert np.asarray(layer(ANSWERS)) == pytest.approx(ANSWERS.mean(axis=1), rel=1e-5)
    assert layer.losses == []


def test_every_member_sees_by_scales_and_answers_by_a_head_of_its_own(tmp_path):
    """And a saved model gives what it gave."""
    inputs = keras.Input((5,))
    seen = members.Members(4, name="members")(inputs)
    model = keras.Model(inputs, members.heads(seen, 3, "logits"))
    scale = np.asarray(model.get_layer("members").scale)
    assert set(np.unique(scale)) == {-1.0, 1.0}
    model.get_layer("head_members").bias.assign(RNG.normal(size=(4, 3)))
    kernel, bias = (np.asarray(w) for w in model.get_layer("head_members").weights)
    x = RNG.normal(size=(6, 5)).astype("float32")
    expected = np.mean([(x * scale[m]) @ kernel[m] + bias[m] for m in range(4)], axis=0)
    assert np.asarray(model(x)) == pytest.approx(expected, abs=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(np.asarray(again(x)), np.asarray(model(x)))


def test_members_learn_apart():
    """By the loss of each their mean is learned; what they answer stays different where nothing was learned."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((1,))
    x = layers.ReLU()(members.Members(8)(layers.Dense(32)(inputs)))
    told = members.heads(x, 1, "numbers")
    model = keras.Model(inputs, told)
    apart = keras.Model(inputs, model.get_layer("head_members").output)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = np.linspace(-1, 1, 256, dtype="float32")[:, None]
    model.fit(x, np.sin(3 * x), epochs=60, batch_size=32, verbose=0)
    spread = np.asarray(apart(np.array([[0.0], [6.0]], "float32")))[..., 0].std(axis=1)
    assert np.square(np.asarray(model(x)) - np.sin(3 * x)).mean() < 0.01
    assert spread[1] > 5 * spread[0]


def test_a_table_of_all_kinds_of_columns_is_learned_and_opened(tmp_path):
    """Its inputs have names that are not in the order of the alphabet, so Keras takes them by name alone."""
    shown = dlcli("train", "people", "--epochs", 2, "--inspect", "--out", tmp_path / "run")
    assert "tabular-classification with tabm" in shown
    document = json.loads(dlcli("inspect-layers", tmp_path / "run", "--budget", "static", "--json"))
    names = [row["name"] for row in document["layers"]]
    assert "members" in names


def test_probabilities_are_the_members_geometric_mean():
    mean, _ = added("logits", ANSWERS)
    product = np.exp(log_softmax(ANSWERS.astype(float), axis=-1).mean(axis=1))
    assert softmax(mean.astype(float), axis=-1) == pytest.approx(product / product.sum(-1, keepdims=True), rel=1e-4)
