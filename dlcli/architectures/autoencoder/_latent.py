"""A code that is drawn from a distribution (Kingma & Welling, 2014)."""

import keras
from keras import layers, ops


def draw(x, size: int, *, weight: float):
    """(B, ...) -> latent (B, size): "code" is its mean. weight: of the KL divergence in the loss."""
    mean = layers.Dense(size, name="code")(x)
    # Begins with a standard deviation of 1: the prior's, so that the first steps pay no divergence.
    log_variance = layers.Dense(size, kernel_initializer="zeros", name="code_log_variance")(x)
    return Latent(weight, name="latent")([mean, log_variance])


@keras.saving.register_keras_serializable("dlcli")
class Latent(layers.Layer):
    """[mean (B, Z), log variance (B, Z)] -> a draw when training, the mean otherwise.

    Adds weight * KL(draw || standard normal), in nats per example, to the loss. `kl` (Z,) holds
    its running mean for each number of the code: those near 0 nats carry nothing.
    """

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)  # the exponential overflows in float16
        self.weight = weight
        self.seeds = keras.random.SeedGenerator(0)

    def build(self, input_shape):
        self.kl = self.add_weight(shape=(input_shape[0][-1],), initializer="zeros", trainable=False, name="kl")

    def call(self, inputs, training=False):
        mean, log_variance = inputs
        log_variance = ops.clip(log_variance, -20.0, 20.0)
        divergence = divergences(mean, log_variance)
        self.add_loss(self.weight * ops.mean(ops.sum(divergence, axis=-1)))
        if not training:
            return mean
        self.kl.assign(0.99 * self.kl + 0.01 * ops.mean(divergence, axis=0))
        return mean + ops.exp(log_variance / 2) * keras.random.normal(ops.shape(mean), seed=self.seeds)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


def divergences(mean, log_variance):
    """KL of a normal from the standard normal, for each number of the code, in nats."""
    return 0.5 * (ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance)
