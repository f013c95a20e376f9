"""Stacks of dense layers around a code: whatever the data's shape, it is seen as one row of values."""

import math

import keras
from keras import layers, ops


def encode(x, widths: list[int]):
    """(B, ...) -> (B, widths[-1]), or the flat values when there are no widths."""
    if len(x.shape) > 2:
        x = FlattenMasked(name="encoder_flat")(x)
    for i, width in enumerate(widths):
        x = layers.Dense(width, activation="relu", kernel_initializer="he_normal", name=f"encoder_dense{i}")(x)
    return x


def decode(x, widths: list[int], shape: list[int]):
    """(B, Z) -> (B, *shape), through the widths in reverse."""
    for i, width in enumerate(reversed(widths)):
        x = layers.Dense(width, activation="relu", kernel_initializer="he_normal", name=f"decoder_dense{i}")(x)
    x = layers.Dense(math.prod(shape), name="decoder_values")(x)
    return layers.Reshape(shape, name="decoder_shape")(x)


@keras.saving.register_keras_serializable("dlcli")
class FlattenMasked(layers.Layer):
    """A Flatten to which masked (padding) steps are zeros, and which hands no mask on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is not None:
            inputs = inputs * ops.cast(mask[..., None], inputs.dtype)
        return ops.reshape(inputs, (-1, math.prod(inputs.shape[1:])))

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], math.prod(input_shape[1:]))
