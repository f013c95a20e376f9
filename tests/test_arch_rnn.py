"""Recurrent stacks: the layers' formulas, causality, and depth."""

import dataclasses

import keras
import numpy as np
import pytest

from dlcli.architectures.rnn import bilstm, gru, lstm, simple_rnn
from dlcli.data import Data, Examples
from dlcli.tasks.sequence_classification import Task

ALL = [simple_rnn, lstm, gru, bilstm]

# XLA compiles these longer than it runs them; but JAX without it runs operation by operation.
JIT = keras.backend.backend() == "jax"


@pytest.fixture
def task(rng):
    train = Examples(x=[rng.normal(size=(6, 2)).astype(np.float32) for _ in range(4)], y=["a", "b"] * 2)
    return Task.learn(train, Data(kind="sequences", splits={"train": train}))


def inner(model, *names):
    return keras.Model(model.input, [model.get_layer(name).output for name in names])


def weights(model, name):
    return [keras.ops.convert_to_numpy(w) for w in model.get_layer(name).weights]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_lstm_block_equals_the_formula(task, rng):
    """LayerNorm -> gates i, f, g, o -> added to the block's input, by hand."""
    model = lstm.build(task, units=5, depth=1)
    x = rng.normal(size=(3, 6, 2)).astype(np.float32)
    before, after = inner(model, "stem_patches", "block0_add").predict(x, verbose=0)
    z = (before - before.mean(-1, keepdims=True)) / np.sqrt(before.var(-1, keepdims=True) + 1e-3)
    kernel, recurrent, bias = weights(model, "block0_rnn")
    h = c = np.zeros((3, 5))
    for t in range(6):
        i, f, g, o = np.split(z[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        assert np.allclose(before[:, t] + h, after[:, t], atol=1e-5)


def test_simple_rnn_block_equals_the_formula(task, rng):
    model = simple_rnn.build(task, units=5, depth=1)
    x = rng.normal(size=(3, 6, 2)).astype(np.float32)
    before, after = inner(model, "block0_norm", "block0_rnn").predict(x, verbose=0)
    kernel, recurrent, bias = weights(model, "block0_rnn")
    h = np.zeros((3, 5))
    for t in range(6):
        h = np.tanh(before[:, t] @ kernel + h @ recurrent + bias)
        assert np.allclose(h, after[:, t], atol=1e-5)


@pytest.mark.parametrize("arch", [simple_rnn, lstm, gru])
def test_one_direction_sees_only_the_past(arch, task, rng):
    """What OFFERS calls causal; the bidirectional one sees all, and does not offer it."""
    assert "causal" in arch.OFFERS
    assert "causal" not in bilstm.OFFERS
    model = inner(arch.build(task, units=6, depth=2), "features")
    x = rng.normal(size=(1, 6, 2)).astype(np.float32)
    other = x.copy()
    other[:, 4:] += 1
    a, b = (np.array(model(v)) for v in (x, other))
    assert np.allclose(a[:, :4], b[:, :4], atol=1e-6)
    assert not np.allclose(a[:, 4:], b[:, 4:], atol=1e-3)


@pytest.mark.parametrize("arch", ALL)
def test_all_build_with_named_layers_and_train_in_bfloat16(arch, task, rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = arch.build(task, **arch.TINY)
    finally:
        keras.config.set_dtype_policy("float32")
    assert not [layer.name for layer in model.layers if layer.name[-2:] in ("_1", "_2")]
    assert model.output.dtype == "float32"
    model.compile("adam", loss=task.loss(), jit_compile=JIT)
    x, y = rng.normal(size=(4, 6, 2)).astype(np.float32), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    before = model.get_weights()
    assert np.isfinite(model.train_on_batch(x, y))
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True) if a.ndim > 1)


def test_gradients_reach_the_first_of_thirty_layers(task, rng):
    """A residual stack: the update of block 0 is of the order of that of block 29."""
    keras.utils.set_random_seed(0)
    model = simple_rnn.build(task, units=8, depth=30)
    model.compile(keras.optimizers.SGD(1.0), loss=task.loss(), run_eagerly=True)
    x, y = rng.normal(size=(4, 6, 2)).astype(np.float32), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    before = {name: weights(model, name)[0] for name in ("block0_rnn", "block29_rnn")}
    model.train_on_batch(x, y)
    moved = {name: np.linalg.norm(weights(model, name)[0] - w) for name, w in before.items()}
    assert moved["block0_rnn"] > 0.1 * moved["block29_rnn"] > 0


def test_the_task_is_json(task):
    assert dataclasses.asdict(task)["classes"] == ["a", "b"]
