"""AlexNet (Krizhevsky et al., 2012): five convolutions, overlapping pooling, two wide dense layers with dropout."""

import keras
from keras import layers, ops

OFFERS = {"pixels"}
TINY = {"width": 6, "dense": 8}
SCALE = {"width": "width"}
FIT = {"epochs": 20, "steps": 2000, "batch_size": 128, "learning_rate": 5e-4, "weight_decay": 0.02}


def build(task, *, width: int = 24, dense: int = 256, dropout: float = 0.5, local_response: bool = False):
    """width: filters of the first convolution; the paper's 96 with dense=4096 make 62 million weights.  dense: units of
    both dense layers.  dropout: fraction of theirs dropped.  local_response: normalise over neighbouring channels, as
    the paper did.

    Pictures below 128 pixels begin with 5 x 5 filters without a stride; the two groups into which the paper split its
    layers, for two GPUs, are joined.
    """
    x = task.embed()  # (B, H, W, C)
    large = min(x.shape[1:3]) >= 128
    size, stride, padding = (11, 4, "valid") if large else (5, 1, "same")
    x = layers.Conv2D(width, size, stride, padding, activation="relu", name="conv0")(x)
    x = _pool(_normalized(x, "response0", local_response), "pool0")
    x = _convolution(x, "conv1", width * 8 // 3, size=5)
    x = _pool(_normalized(x, "response1", local_response), "pool1")
    x = _convolution(x, "conv2", width * 4)
    x = _convolution(x, "conv3", width * 4)
    x = _pool(_convolution(x, "conv4", width * 8 // 3), "pool2")
    x = layers.Flatten(name="flatten")(x)
    for i in range(2):
        x = layers.Dense(dense, activation="relu", kernel_initializer="he_normal", name=f"dense{i}")(x)
        x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    return task.model(x)


def _convolution(x, name: str, filters: int, size: int = 3):
    return layers.Conv2D(filters, size, padding="same", activation="relu", kernel_initializer="he_normal", name=name)(x)


def _pool(x, name: str):
    """Overlapping: 3 x 3, 2 apart. What is smaller than that stays."""
    return layers.MaxPooling2D(3, 2, name=name)(x) if min(x.shape[1:3]) >= 3 else x


def _normalized(x, name: str, wanted: bool):
    return LocalResponse(name=name)(x) if wanted else x


@keras.saving.register_keras_serializable("dlcli")
class LocalResponse(layers.Layer):
    """x / (2 + 1e-4 sum of x^2 over five neighbouring channels)^0.75, constants of the paper."""

    def call(self, x):
        squares = ops.pad(ops.square(ops.cast(x, "float32")), [[0, 0], [0, 0], [0, 0], [2, 2]])
        channels = x.shape[-1]
        total = sum(squares[..., i : i + channels] for i in range(5))
        return ops.cast(ops.cast(x, "float32") / ops.power(2 + 1e-4 * total, 0.75), x.dtype)
