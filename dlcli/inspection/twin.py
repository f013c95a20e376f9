"""The untrained twin: the same network with the weights that it might have begun with.

What an untrained network lets a linear reader see is no merit of training (a random transformer
tells topics apart), so every level is measured on the twin as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import layers

from dlcli.inspection.drawing_weights import drawn
from dlcli.inspection.tap import Tap


@contextmanager
def untrained(model: keras.Model, x, *, seed: int) -> Iterator[keras.Model]:
    """The model itself with fresh weights; its own come back at the end.

    Weights are drawn as their layer's own initialisers draw, alike on every backend; those that have none keep their
    values in another order. Batch normalisation learns its statistics from the batch x, layer by layer, as a network
    would have them that was run and not trained; with x None it has those of a new network.
    """
    kept = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.variables]
    try:
        renew(model, seed=seed)
        if x is not None:
            _settle(model, x)
        yield model
    finally:
        for variable, value in zip(model.variables, kept, strict=True):
            variable.assign(value)


def renew(model: keras.Model, *, seed: int) -> None:
    """Fresh weights for good."""
    _renew(model, np.random.default_rng([seed, 7]))


def _renew(model: keras.Model, rng: np.random.Generator) -> None:
    done = set()
    for layer in [model, *model._flatten_layers(include_self=False)]:
        own = layer._trainable_variables + layer._non_trainable_variables
        for variable in own:
            if id(variable) in done or "float" not in str(variable.dtype):
                continue
            done.add(id(variable))
            if isinstance(layer, layers.Normalization):  # what it learned is the scale of the data
                continue
            if any(variable is one for one in layer._non_trainable_variables) and not _initializer(
                layer, variable.name
            ):
                continue  # a table that was computed, such as waves for places
            variable.assign(_fresh(layer, variable, rng))


def _fresh(layer, variable, rng: np.random.Generator):
    initializer = _initializer(layer, variable.name)
    if initializer is None:
        values = keras.ops.convert_to_numpy(variable)
        return rng.permutation(values.reshape(-1)).reshape(values.shape)
    values = drawn(initializer, tuple(variable.shape), rng)
    if variable.name == "bias" and getattr(layer, "unit_forget_bias", False):
        values[layer.units : 2 * layer.units] = 1  # as Keras builds an LSTM: its gates begin open
    return values


def _initializer(layer, name: str):
    """What a layer draws the weight of this name from, or None. Keras names most initialisers after their weight."""
    others = {"recurrent_kernel": "recurrent", "pointwise_kernel": "pointwise", "depthwise_kernel": "depthwise"}
    for word in (name, others.get(name, name), "depthwise" if name == "kernel" else name):
        if (found := getattr(layer, f"{word}_initializer", None)) is not None:
            return found
    return keras.initializers.Ones() if name == "scale" else None


def _settle(model: keras.Model, x) -> None:
    """Run once with every batch normalisation taking the batch's statistics for good."""
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]
    if not norms:
        return
    before = [(layer.momentum, layer.trainable) for layer in norms]
    try:
        for layer in norms:
            layer.momentum = 0.0
            layer.trainable = True  # a frozen one would not take any

        def training(layer, arguments):
            return {**arguments, "training": True} if isinstance(layer, layers.BatchNormalization) else arguments

        with Tap(arguments=training):
            model(x, training=False)
    finally:
        for layer, (momentum, trainable) in zip(norms, before, strict=True):
            layer.momentum, layer.trainable = momentum, trainable
