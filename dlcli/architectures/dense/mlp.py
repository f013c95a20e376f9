"""Multilayer perceptron (Rosenblatt, 1958; Rumelhart et al., 1986): dense layers one after another."""

from keras import layers

from dlcli.architectures.dense._hidden import hidden

OFFERS = {"pixels", "columns", "series", "tokens"}
TINY = {"width": 8, "depth": 1}
SCALE = {"depth": "depth", "width": "width"}
WITH = {"tabular-regression": {"dropout": 0.05}}
# Weights of single pixels know nothing of a shape that has moved. Accuracy and loss on validation pictures (`dlcli train
# D/fashion-mnist --arch mlp --set task.shift=…`), with a crop's usual shift, this one, and task.augment=none: Fashion-MNIST 0.874, 0.335;
# 0.898, 0.277; 0.903, 0.306; MNIST 0.984, 0.045; 0.988, 0.044; 0.982, 0.086.
TASK = {"shift": 0.04}
FIT = {"epochs": 30, "steps": 2000, "batch_size": 128, "learning_rate": 1e-3, "weight_decay": 0.01}


def build(task, *, width: int = 256, depth: int = 2, dropout: float = 0.2):
    """width: units per layer.  depth: hidden layers; 0 is the linear model, 1 the shallow network.
    From the third on, layers of equal width have the input added to what they give (He et al.,
    2015): without it a network of 100 would not learn.  dropout: fraction of units left out."""
    # Text alone needs a width: of the vectors whose mean is the whole of what this network reads.
    words = "tokens" in task.NEEDS
    x = task.embed(width if words else None)
    if words:
        x = layers.GlobalAveragePooling1D(name="mean")(x)
    elif len(x.shape) > 2:
        x = layers.Flatten(name="flatten")(x)
    return task.model(hidden(x, width=width, depth=depth, dropout=dropout))
