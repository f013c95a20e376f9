"""ConvNeXt (Liu et al., 2022): a convolutional network with the proportions of a vision transformer."""

from keras import initializers, layers

from dlcli.layers import gelu_tanh

OFFERS = {"pixels"}
TINY = {"width": 8, "depth": 1}
SCALE = {"depth": "depth", "width": "width"}
FIT = {"epochs": 20, "steps": 2000, "batch_size": 128, "learning_rate": 3e-3, "weight_decay": 0.05}


def build(task, *, width: int = 32, depth: int = 2, kernel: int = 5, dropout: float = 0.0):
    """width: channels of the first stage, twice as many in each next.  depth: blocks per stage;
    the third of four has three times as many, as in the paper.  kernel: side of the depthwise
    filters (7 in the paper, for 224 pixels).  dropout: before the head.

    Pictures of up to 64 pixels are cut into 2 x 2 patches for two stages, larger ones into 4 x 4 for four.
    """
    x = task.embed()  # (B, H, W, C)
    patch, stages = (2, (1, 1)) if min(x.shape[1:3]) <= 64 else (4, (1, 1, 3, 1))
    x = layers.Conv2D(width, patch, patch, padding="same", name="stem_patches")(x)
    x = _norm(x, "stem_norm")
    for stage, share in enumerate(stages):
        if stage:
            x = _norm(x, f"stage{stage}_norm")
            x = layers.Conv2D(width * 2**stage, 2, 2, padding="same", name=f"stage{stage}_patches")(x)
        for i in range(depth * share):
            x = _block(x, f"stage{stage}_block{i}", kernel, blocks=depth * sum(stages))
    x = _norm(x, "norm")
    if dropout:
        x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    return task.model(x)


def _block(x, name: str, kernel: int, blocks: int):
    """Look around within each channel, then mix the channels of each place; added to x.  (B, H, W, C)"""
    width = x.shape[-1]
    y = layers.DepthwiseConv2D(kernel, padding="same", name=f"{name}_depthwise")(x)
    y = _norm(y, f"{name}_norm")
    y = layers.Dense(4 * width, name=f"{name}_expand")(y)
    y = layers.Activation(gelu_tanh, name=f"{name}_gelu")(y)
    y = layers.Dense(width, name=f"{name}_contract")(y)
    # LayerScale (Touvron et al., 2021): a factor per channel. The paper's 1e-6 is for 300 epochs.
    small = initializers.Constant(min(0.1, 1 / blocks))
    y = layers.EinsumDense("bhwc,c->bhwc", (None, None, width), kernel_initializer=small, name=f"{name}_scale")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def _norm(x, name: str):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)
