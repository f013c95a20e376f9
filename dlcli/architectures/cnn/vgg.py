"""VGG (Simonyan & Zisserman, 2014): nothing but 3 x 3 convolutions, twice as many after each pooling."""

from typing import Literal

from keras import layers

OFFERS = {"pixels"}
TINY = {"width": 2, "dense": 8}
SCALE = {"depth": "depth", "width": "width"}
FIT = {"epochs": 15, "steps": 2000, "batch_size": 128, "learning_rate": 1e-3, "weight_decay": 0.02}

# Convolutions in each stage, by the number of layers with weights.
_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def build(
    task,
    *,
    width: int = 16,
    depth: Literal[11, 13, 16, 19] = 11,
    dense: int = 128,
    dropout: float = 0.5,
    norm: bool = True,
):
    """width: filters of the first stage (64 in the paper), twice as many in each of the next three.
    depth: layers with weights, as in VGG-16.  dense: units of the two dense layers (4096 in the
    paper), 0 for none.  dropout: fraction of theirs dropped.  norm: batch normalisation, which came a year later.

    A stage that would be left with less than one pixel is left out."""
    x = task.embed()  # (B, H, W, C)
    for stage, count in enumerate(_STAGES[depth]):
        if stage and min(x.shape[1:3]) < 2:
            break
        for i in range(count):
            x = _convolution(x, f"stage{stage}_conv{i}", width * min(2**stage, 8), norm)
        if min(x.shape[1:3]) >= 2:
            x = layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    if dense:
        x = layers.Flatten(name="flatten")(x)
        for i in range(2):
            x = layers.Dense(dense, activation="relu", kernel_initializer="he_normal", name=f"dense{i}")(x)
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    return task.model(x)


def _convolution(x, name: str, filters: int, norm: bool):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=not norm, kernel_initializer="he_normal", name=name)(x)
    if norm:
        # 0.9: the statistics that prediction uses must have caught up at the end of a short training
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
