"""LeNet-5 (LeCun et al., 1998): two convolutions, two poolings, two dense layers."""

from typing import Literal

from keras import layers

OFFERS = {"pixels"}
TINY = {"width": 2}
SCALE = {"width": "width"}
FIT = {"epochs": 20, "steps": 2000, "batch_size": 128, "learning_rate": 2e-3, "weight_decay": 0.01}


def build(task, *, width: int = 6, activation: Literal["tanh", "relu"] = "tanh"):
    """width: filters of the first convolution; the other layers grow with it. 6 is the paper's:
    61,706 weights for ten classes.  activation: after each layer but the last.

    The paper's C3 left out some connections, to save time in 1998."""
    x = task.embed()  # (B, H, W, C)
    # The paper puts 28 x 28 digits into 32 x 32, which is what "same" does here.
    x = _convolution(x, "conv0", width, activation, padding="valid" if min(x.shape[1:3]) >= 32 else "same")
    x = layers.AveragePooling2D(2, padding="same", name="pool0")(x)
    x = _convolution(x, "conv1", width * 16 // 6, activation, padding="valid" if min(x.shape[1:3]) >= 10 else "same")
    x = layers.AveragePooling2D(2, padding="same", name="pool1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(width * 20, activation=activation, name="dense0")(x)
    x = layers.Dense(width * 14, activation=activation, name="dense1")(x)
    return task.model(x)


def _convolution(x, name: str, filters: int, activation: str, *, padding: str):
    return layers.Conv2D(filters, 5, padding=padding, activation=activation, name=name)(x)
