"""InceptionTime (Fawaz et al., 2020): filters of 10, 20 and 40 steps side by side."""

from keras import layers

from dlcli.layers import MaskedConv1D, MaskedMaxPooling1D

OFFERS = {"series"}
TINY = {"width": 8, "depth": 3}
SCALE = {"depth": "depth", "width": "width"}
# jit: XLA runs these convolutions slower on a CPU than oneDNN does.
# bfloat16: with 60 % of the training parts of SwedishLeaf, FaceAll, MelbournePedestrian and Strawberry 0.934, 0.991, 0.946 and
# 0.959 of the others were right so, and 0.924, 0.991, 0.946 and 0.963 in float32; a step took 0.82 times as long over 128 time
# steps, 0.57 times over 500 (benchmarks/step_cost.py).
MANY = {"examples": 1_000, "precision": "bfloat16"}
FIT = {"epochs": 30, "steps": 1500, "batch_size": 16, "learning_rate": 1e-3, "jit": False}


def build(task, *, width: int = 32, depth: int = 6, longest: int = 40):
    """One network of the paper's ensemble of five.

    width: filters per branch (four branches).  depth: inception modules, a shortcut over every
    three.  longest: steps of the longest filter; the others have a half and a quarter.
    """
    x = task.embed()  # (B, T, C)
    shortcut = x
    for i in range(depth):
        x = _module(x, f"module{i}", width, (longest, longest // 2, longest // 4))
        if i % 3 == 2:
            shortcut = MaskedConv1D(4 * width, 1, use_bias=False, name=f"shortcut{i}_conv")(shortcut)
            shortcut = layers.BatchNormalization(momentum=0.9, name=f"shortcut{i}_norm")(shortcut)
            x = layers.Add(name=f"shortcut{i}_add")([x, shortcut])
            shortcut = x = layers.ReLU(name=f"shortcut{i}_relu")(x)
    return task.model(x)


def _module(x, name: str, width: int, sizes: tuple[int, ...]):
    narrow = x
    if x.shape[-1] > 1:  # the bottleneck
        narrow = MaskedConv1D(width, 1, use_bias=False, name=f"{name}_narrow")(x)
    branches = [
        MaskedConv1D(width, max(size, 1), use_bias=False, name=f"{name}_conv{i}")(narrow)
        for i, size in enumerate(sizes)
    ]
    pool = MaskedMaxPooling1D(3, name=f"{name}_pool")(x)
    branches.append(MaskedConv1D(width, 1, use_bias=False, name=f"{name}_pool_conv")(pool))
    x = layers.Concatenate(name=f"{name}_concat")(branches)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
