"""LSTM autoencoder (Srivastava et al., 2015): a series into a code, and back from its end."""

import keras
from keras import layers, ops

OFFERS = {"series", "bottleneck"}
TINY = {"units": 8, "depth": 1}
SCALE = {"depth": "depth", "width": "units"}
FIT = {"optimizer": "adam", "learning_rate": 2e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 60, "steps": 300}


def build(task, *, units: int = 64, depth: int = 1):
    """units: of each LSTM layer.  depth: of these layers on either side."""
    steps, channels = task.shape
    x = task.embed()
    for i in range(depth):
        x = layers.LSTM(units, return_sequences=i + 1 < depth, name=f"encoder_lstm{i}")(x)
    x = layers.Dense(task.code, name="code")(x)
    x = layers.RepeatVector(steps, name="decoder_repeat")(x)
    for i in range(depth):
        x = layers.LSTM(units, return_sequences=True, name=f"decoder_lstm{i}")(x)
    x = layers.Dense(channels, name="decoder_values")(x)
    # The last step is written first, right after it was read: the paper found that easier to learn.
    return task.model(Reverse(name="decoder_reverse")(x))


@keras.saving.register_keras_serializable("dlcli")
class Reverse(layers.Layer):
    """(B, T, C) -> the same with its steps from the last to the first."""

    def call(self, inputs):
        return ops.flip(inputs, axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape
