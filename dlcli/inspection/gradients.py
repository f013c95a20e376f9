"""Gradients of a score with respect to the input or to the output of any layer, on both backends.

A tensor of zeros is added to a layer's output while a tap is open ("zero-tap"): the gradient with
respect to those zeros is the gradient with respect to the output, and no sub-model is made.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from dlcli.backend import value_and_gradients
from dlcli.inspection.tap import Tap, mask_of


def gradients(function: Callable, arguments: list) -> tuple[float, list[np.ndarray]]:
    """A scalar function(*tensors) at some arrays, and its gradient with respect to each of them."""
    tensors = [ops.convert_to_tensor(x, dtype="float32") for x in arguments]
    value, slopes = value_and_gradients(function, tensors)
    return float(ops.convert_to_numpy(value)), [ops.convert_to_numpy(slope) for slope in slopes]


def at_layers(model: keras.Model, x, keys: list[str], score: Callable) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Outputs and gradients, alike in shape, of the layers with these keys, from one pass forward and one back.

    score(output of the model, {key: output}) -> scalar tensor.
    """
    outputs = seen(model, x, keys)
    found = [key for key in keys if key in outputs]

    def function(*deltas):
        added = dict(zip(found, deltas, strict=True))
        reached = {}

        def change(visit):
            if visit.key not in added:
                return None
            reached[visit.key] = changed(visit.output, visit.output + ops.cast(added[visit.key], visit.output.dtype))
            return reached[visit.key]

        with Tap(change=change):
            output = model(x, training=False)
        return score(output, reached)

    _, slopes = gradients(function, [np.zeros(outputs[key].shape, np.float32) for key in found])
    return outputs, dict(zip(found, slopes, strict=True))


def seen(model: keras.Model, x, keys: list[str], channels: dict[str, list[int]] | None = None) -> dict[str, np.ndarray]:
    """What the layers with these keys give for the batch x. channels: of each only some, by their numbers."""
    wanted = set(keys)
    found = {}

    def look(visit):
        if visit.key in wanted:
            # chosen before they are copied: whole maps of a large network are gigabytes
            some = visit.output if channels is None else ops.take(visit.output, channels[visit.key], axis=-1)
            found[visit.key] = ops.convert_to_numpy(some)

    with Tap(change=look):
        model(x, training=False)
    return found


def run(model: keras.Model, x, changes: dict[str, Callable]):
    """The model's output for the batch x when the output of some layers is changed: key -> function of the tensor."""

    def change(visit):
        function = changes.get(visit.key)
        return None if function is None else changed(visit.output, function(visit.output))

    with Tap(change=change):
        return model(x, training=False)


def changed(before, after):
    """`after` with the mask that `before` carries: a new tensor has none, and padding would count."""
    mask = mask_of(before)
    return after if mask is None else _Masked(mask)(after)


class _Masked(keras.layers.Layer):
    """Keras' own way to put a mask on a tensor."""

    def __init__(self, mask):
        super().__init__(name="masked")
        self._mask = [mask]

    def call(self, inputs):
        return inputs

    def compute_mask(self, inputs, previous_mask=None):
        return self._mask[0]
