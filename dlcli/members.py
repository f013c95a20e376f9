"""Many members of one network: they share its weights, look through scales of their own and answer by heads of their own."""

from typing import Literal

import keras
from keras import layers, ops, random


@keras.saving.register_keras_serializable("dlcli")
class Members(layers.Layer):
    """(B, C) -> (B, M, C): what each of `members` sees of the features, by scales of its own that begin at 1 and -1
    (Gorishniy et al., 2025, TabM-mini)."""

    def __init__(self, members: int, **kwargs):
        super().__init__(**kwargs)
        self.members = members

    def build(self, shape):
        self.scale = self.add_weight(shape=(self.members, shape[-1]), initializer=_signs, name="scale")

    def call(self, x):
        return x[:, None] * ops.cast(self.scale, x.dtype)

    def compute_output_shape(self, shape):
        return (shape[0], self.members, shape[-1])

    def get_config(self):
        return super().get_config() | {"members": self.members}


@keras.saving.register_keras_serializable("dlcli")
class MeanOfMembers(layers.Layer):
    """(B, M, K) -> (B, K): the mean of what members answer, and in training the loss that each would have by itself.

    of: "numbers", of which the squared error is the loss, or "logits", of which the cross-entropy is. The members' mean
    loss is that of their mean answer and how far they are apart, which no target is needed for: their variance (Krogh &
    Vedelsby, 1995), or their divergence from the mean of their logarithms (Heskes, 1998). That is added here. By the
    loss of the mean answer alone they would learn to lean on each other (Gorishniy et al., 2025).
    """

    def __init__(self, of: Literal["numbers", "logits"], **kwargs):
        super().__init__(**kwargs)
        self.of = of

    def call(self, x, training=False):
        mean = ops.mean(x, axis=1)
        if training and self.of == "numbers":
            self.add_loss(ops.mean(ops.square(x - mean[:, None])))
        elif training:
            self.add_loss(-ops.mean(ops.logsumexp(ops.mean(ops.log_softmax(x), axis=1), axis=-1)))
        return mean

    def get_config(self):
        return super().get_config() | {"of": self.of}


def heads(features, outputs: int, of: Literal["numbers", "logits"]):
    """A linear head for every member, and the mean of what they say.  (B, M, C) -> (B, outputs)"""
    _, members, width = features.shape
    reach = (6 / (width + outputs)) ** 0.5  # Glorot's, whose own rule would take the members for inputs
    x = layers.EinsumDense(
        "bmc,mck->bmk",
        output_shape=(members, outputs),
        bias_axes="mk",
        kernel_initializer=keras.initializers.RandomUniform(-reach, reach),
        dtype="float32",
        name="head_members",
    )(features)
    return MeanOfMembers(of, dtype="float32", name="head_logits" if of == "logits" else "head_value")(x)


def _signs(shape, dtype=None):
    return ops.cast(ops.where(random.uniform(shape) < 0.5, -1.0, 1.0), dtype or "float32")
