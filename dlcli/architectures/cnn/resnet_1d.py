"""ResNet for series (Wang, Yan & Oates, 2017): residual blocks of 8, 5 and 3 steps."""

from keras import layers

from dlcli.layers import MaskedConv1D

OFFERS = {"series"}
TINY = {"width": 8, "depth": 1}
SCALE = {"depth": "depth", "width": "width"}
# 1500 steps: the archive's training sets are tens of series; the paper runs 1500 epochs.
# jit: XLA runs these convolutions slower on a CPU than oneDNN does.
FIT = {"epochs": 30, "steps": 1500, "batch_size": 16, "learning_rate": 1e-3, "jit": False}


def build(task, *, width: int = 64, depth: int = 3):
    """width: filters of the first block, twice as many in the others.  depth: blocks."""
    x = task.embed()  # (B, T, C)
    for i in range(depth):
        x = _block(x, f"block{i}", width if i == 0 else 2 * width)
    return task.model(x)


def _block(x, name: str, filters: int):
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = MaskedConv1D(filters, 1, use_bias=False, name=f"{name}_project")(x)
        shortcut = layers.BatchNormalization(momentum=0.9, name=f"{name}_project_norm")(shortcut)
    for i, size in enumerate((8, 5, 3)):
        x = MaskedConv1D(filters, size, use_bias=False, name=f"{name}_conv{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm{i}")(x)
        if i < 2:
            x = layers.ReLU(name=f"{name}_relu{i}")(x)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_out")(x)
