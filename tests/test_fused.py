"""Batch normalisation by one kernel against NumPy and against what Keras writes out."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the kernel is TensorFlow's", allow_module_level=True)

import tensorflow as tf

from dlcli import fused

fused.install()

WRITTEN_OUT = keras.layers.BatchNormalization.call.__wrapped__


def made(**options):
    layer = keras.layers.BatchNormalization(momentum=0.8, epsilon=1e-4, **options)
    return layer


def batch(shape, seed=0):
    return np.random.default_rng(seed).normal(3, 2, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (6, 7, 3), (2, 1, 1, 3)])
def test_it_is_what_the_paper_says(shape):
    layer, x = made(), batch(shape)
    layer.build(shape)
    layer.gamma.assign([1.0, 2.0, 0.5])
    layer.beta.assign([0.0, -1.0, 3.0])
    axes = tuple(range(len(shape) - 1))
    mean, variance = x.mean(axes), x.var(axes)
    y = np.asarray(layer(x, training=True))
    wanted = (x - mean) / np.sqrt(variance + 1e-4) * [1.0, 2.0, 0.5] + [0.0, -1.0, 3.0]
    np.testing.assert_allclose(y, wanted, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.2 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.8 + 0.2 * variance, rtol=1e-4)
    known = (x - layer.moving_mean.numpy()) / np.sqrt(layer.moving_variance.numpy() + 1e-4)
    y = np.asarray(layer(x, training=False))
    np.testing.assert_allclose(y, known * [1.0, 2.0, 0.5] + [0.0, -1.0, 3.0], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"trainable": False}])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_what_keras_writes_out(options, training):
    layer, x = made(**options), tf.constant(batch((8, 4, 4, 3)))
    weight = tf.constant(batch((8, 4, 4, 3), seed=1))
    layer.build(x.shape)
    found = []
    for call in (type(layer).call, WRITTEN_OUT):
        with tf.GradientTape() as tape:
            tape.watch(x)
            told = tf.reduce_sum(weight * call(layer, x, training=training))
        by = [variable.value for variable in (layer.gamma, layer.beta) if variable is not None]
        found.append(tape.gradient(told, [x, *by]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_other_axes_and_masks_are_left_to_keras():
    x = batch((4, 3, 5))
    first = made(axis=1)
    first(x, training=True)
    np.testing.assert_allclose(first.moving_mean.numpy(), 0.2 * x.mean((0, 2)), rtol=1e-5)
    masked, mask = made(), np.arange(3) < np.array([[1], [2], [3], [3]])
    masked(x, training=True, mask=mask)
    np.testing.assert_allclose(masked.moving_mean.numpy(), 0.2 * x[mask].mean(0), rtol=1e-5)


def test_half_precision_keeps_its_statistics_in_float32():
    layer, x = made(dtype="mixed_bfloat16"), batch((16, 8, 8, 3))
    y = layer(x, training=True)
    assert y.dtype == tf.bfloat16
    rounded = np.asarray(tf.cast(tf.cast(x, tf.bfloat16), tf.float32))
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.2 * rounded.mean((0, 1, 2)), rtol=1e-4)


def test_a_saved_network_is_of_keras_layers_alone(tmp_path):
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, made()(inputs)).save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.layers[1].get_config()["momentum"] == 0.8
