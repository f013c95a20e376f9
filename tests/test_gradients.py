"""Gradients with respect to inputs and to layers."""

import keras
import numpy as np
from keras import layers, ops

from dlcli.inspection import gradients
from dlcli.lenses import inversion


def test_the_gradient_of_a_polynomial_is_exact():
    """d/dx sum(x^3) + 2 y = 3 x^2 and 2; an argument without a part in it has a gradient of zeros."""
    x, y, z = np.array([1.0, -2.0]), np.array(5.0), np.ones(3)
    value, (dx, dy, dz) = gradients.gradients(lambda a, b, c: ops.sum(a**3) + 2 * b, [x, y, z])
    assert value == 3.0
    assert np.allclose(dx, 3 * x**2)
    assert dy == 2.0
    assert np.array_equal(dz, np.zeros(3))


def test_the_gradient_at_the_layer_before_a_linear_head_is_the_heads_weights():
    """Exactly: d logit_c / d h = W[:, c]; and one layer before, through ReLU, W1 masked."""
    inputs = keras.Input((4,))
    hidden = layers.Dense(6, activation="relu", name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(3, name="head")(hidden), name="net")
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    outputs, slopes = gradients.at_layers(
        model, x, ["net/hidden", "net/head"], lambda output, seen: ops.sum(output[:, 1])
    )
    head = model.get_layer("head").get_weights()[0]
    assert np.array_equal(slopes["net/hidden"], np.tile(head[:, 1], (5, 1)))
    assert np.array_equal(slopes["net/head"], np.tile([0, 1, 0], (5, 1)))
    weights, bias = model.get_layer("hidden").get_weights()
    assert np.allclose(outputs["net/hidden"], np.maximum(x @ weights + bias, 0), atol=1e-6)


def test_nothing_of_the_model_changes():
    """A layer that adds to its losses and normalises leaves no trace behind."""

    class Penalised(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x))
            return x

    model = keras.Sequential(
        [keras.Input((4,)), layers.BatchNormalization(), Penalised(), layers.Dense(2, name="head")]
    )
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    before, output = [w.copy() for w in model.get_weights()], ops.convert_to_numpy(model(x))
    gradients.at_layers(model, x, [f"{model.name}/head"], lambda out, seen: ops.sum(out))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert np.array_equal(ops.convert_to_numpy(model(x)), output)
    assert len(model.losses) == 1  # of the last call, and a value and not a tracer
    assert np.isfinite(ops.convert_to_numpy(model.losses[0]))


def test_a_changed_output_keeps_its_mask():
    """A mean over unmasked steps stays one when the layer before is changed."""
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True, name="embed")(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling1D(name="mean")(x), name="net")
    tokens = np.array([[3, 4, 0, 0], [1, 2, 5, 6]])
    table = model.get_layer("embed").get_weights()[0]
    output = ops.convert_to_numpy(gradients.run(model, tokens, {"net/embed": lambda x: 2 * x}))
    assert np.allclose(output, 2 * np.stack([table[[3, 4]].mean(0), table[[1, 2, 5, 6]].mean(0)]), atol=1e-6)


def test_a_drawn_picture_drives_its_unit_beyond_real_ones_and_shows_what_it_looks_for():
    """A unit for bright right and dark left, beside its opposite: right is drawn brighter, and beyond grey noise."""
    model = keras.Sequential([keras.Input((12, 12, 1)), layers.Conv2D(2, 5, name="look")], name="net")
    kernel = np.zeros((5, 5, 1, 2))
    kernel[:, :2, 0, 0], kernel[:, 3:, 0, 0] = -1, 1
    kernel[..., 1] = -kernel[..., 0]
    model.get_layer("look").set_weights([kernel, np.zeros(2)])
    x = np.random.default_rng(0).uniform(80, 170, (40, 12, 12, 1)).astype("float32")
    drawn = inversion.invert(model, x, "net/look", [0, 1], seed=0)
    assert drawn.shape == (2, 12, 12, 1)
    assert 0 <= drawn.min() < drawn.max() <= 255
    right, left = drawn[:, 4:9, 7:9].mean(axis=(1, 2, 3)), drawn[:, 4:9, 4:6].mean(axis=(1, 2, 3))
    assert right[0] > left[0] + 50
    assert left[1] > right[1] + 50
    best = gradients.seen(model, x, ["net/look"])["net/look"].max(axis=(0, 1, 2))
    assert all(ratio > 1 for ratio, _ in inversion.compared(model, drawn, "net/look", [0, 1], best))
    values = np.zeros((1, 12, 12, 1), np.float32)
    values[0, :, 6:] = 100.0
    assert inversion.compared(model, values, "net/look", [0], np.array([500.0, 500.0])) == [(2.0, 1)]
    assert inversion.compared(model, 100 - values, "net/look", [0], np.array([500.0, 500.0]))[0][1] == 2
