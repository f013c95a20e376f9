"""Learning rates by depth: each layer moves by its own share of the rate, whatever the optimizer."""

import keras
import numpy as np
import pytest
from keras import layers

from dlcli.config import FitConfig
from dlcli.optimize import layerwise, optimizer


def chain(frozen: int = 0) -> keras.Model:
    """Eight dense layers of one weight each, and a head; the first `frozen` do not learn."""
    inputs = x = keras.Input((1,))
    for i in range(8):
        x = layers.Dense(1, use_bias=False, name=f"body{i}", kernel_initializer="ones", trainable=i >= frozen)(x)
    return keras.Model(inputs, layers.Dense(1, use_bias=False, name="head_logits", kernel_initializer="ones")(x))


def moves(model: keras.Model, decay: float, kind: str) -> dict[str, float]:
    """How far each weight goes in one step of a training whose gradient is the same for all."""
    fit = FitConfig(
        optimizer=kind, learning_rate=0.01, layer_decay=decay, weight_decay=0, schedule="constant", warmup=0,
        clip_norm=None,
    )  # fmt: skip
    before = {weight.path: float(np.asarray(weight).item()) for weight in model.weights}
    model.compile(layerwise(optimizer(fit, 10), model, fit.layer_decay), loss="mse")
    model.train_on_batch(np.ones((2, 1)), np.zeros((2, 1)))
    return {weight.path: before[weight.path] - float(np.asarray(weight).item()) for weight in model.weights}


@pytest.mark.parametrize("kind", ["sgd", "adamw", "lion"])
def test_each_fourth_of_the_body_learns_so_much_slower_than_what_follows(kind):
    """All weights are 1 and have the same gradient, so that a plain optimizer moves all alike."""
    plain = moves(chain(), 1.0, kind)
    assert max(plain.values()) == pytest.approx(min(plain.values()), rel=1e-3)
    found = moves(chain(), 2.6, kind)
    whole = plain["head_logits/kernel"]
    assert found["head_logits/kernel"] == pytest.approx(whole, rel=1e-3)
    for i in range(8):
        assert found[f"body{i}/kernel"] == pytest.approx(whole / 2.6 ** (4 - i // 2), rel=1e-2), i


def test_freezing_layers_changes_nothing_for_the_others():
    found, less = moves(chain(), 2.0, "sgd"), moves(chain(frozen=3), 2.0, "sgd")
    assert [less[f"body{i}/kernel"] for i in range(3)] == [0, 0, 0]
    for i in range(3, 8):
        assert less[f"body{i}/kernel"] == pytest.approx(found[f"body{i}/kernel"], rel=1e-3)


def test_muon_turns_attention_and_convolutions_as_the_matrices_they_are():
    """A step is a matrix of equal singular values, 0.2 sqrt(longer side) of the rate each (Liu et al., 2025): Newton
    and Schulz's iteration leaves them between 0.7 and 1.2. What is no matrix goes by the rate, as AdamW's first step."""
    inputs = x = keras.Input((6, 8, 16))
    x = layers.Conv2D(32, 3, name="conv")(x)
    x = layers.DepthwiseConv2D(2, name="thin")(x)
    x = layers.Reshape((-1, 32))(x)
    x = layers.MultiHeadAttention(4, 8, name="attention")(x, x)
    model = keras.Model(inputs, layers.Dense(3, name="head_logits")(x))
    fit = FitConfig(
        optimizer="muon", learning_rate=0.01, weight_decay=0, schedule="constant", warmup=0, clip_norm=None
    )  # fmt: skip
    sides = {"conv/kernel": (144, 32), "attention/attention_output/kernel": (32, 32)}
    sides |= {f"attention/{name}/kernel": (32, 32) for name in ("query", "key", "value")}
    rng = np.random.default_rng(0)
    gradients = {weight.path: rng.normal(size=weight.shape) for weight in model.weights}
    for path, side in sides.items():  # singular values from 0.2 to 1
        u, _, v = np.linalg.svd(gradients[path].reshape(side), full_matrices=False)
        gradients[path] = ((u * np.linspace(0.2, 1, len(v))) @ v).reshape(gradients[path].shape)
    before = [weight.numpy() for weight in model.weights]
    optimizer(fit, 10).apply([gradients[weight.path].astype("float32") for weight in model.weights], model.weights)
    moved = {weight.path: old - weight.numpy() for weight, old in zip(model.weights, before, strict=True)}
    for path, side in sides.items():
        values = np.linalg.svd(moved[path].reshape(side), compute_uv=False) / (0.01 * 0.2 * max(side) ** 0.5)
        assert values == pytest.approx(0.95, abs=0.3), path
    for path in ("thin/kernel", "head_logits/kernel", "attention/value/bias", "conv/bias"):
        assert np.abs(moved[path]) == pytest.approx(0.01, rel=0.01), path
