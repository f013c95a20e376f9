"""ResNet (He et al., 2015; blocks of 2016): residual blocks in stages, norms and activations before convolutions.

Muon (Jordan et al., 2024) learns faster than AdamW. Of 5 000 pictures that were set aside from the training part of CIFAR-10
(JPEG) 0.805 were right after four of five passes over the others at a rate of 5e-3, 0.769 with AdamW at the same; after one pass
0.695 at 2e-2 and 0.696 at 1e-2. Of the validation part of `shapes`, after twelve passes (156 steps): 0.952 with AdamW,
0.805, 0.975, 0.997 and 0.997 with Muon at 5e-3, 1e-2, 2e-2 and 4e-2.

Where there are many pictures a network of twice the width learns more in the same time: of 6 000 of Fashion-MNIST's training
part 0.935 after a quarter of an hour on one core, against 0.929 after 23 minutes at width 16 (AdamW both times; the
wider one in bfloat16).

All of seed 0: `dlcli train D/cifar10-jpg/train --set data.parts=0.9,0.1,0 --set fit.steps=1 --epochs 5` (or 1) with
--set fit.optimizer and --learning-rate; `dlcli train sample_data/shapes --epochs 12`; `dlcli train D/fashion-mnist --time 25m`
(or its training files alone, with --time 15m and the same parts).
"""

from typing import Literal

from keras import initializers, layers

OFFERS = {"pixels"}
TINY = {"width": 4, "depth": 1}
SCALE = {"depth": "depth", "width": "width"}
MANY = {"examples": 20_000, "options": {"width": 32}, "precision": "bfloat16"}
FIT = {"epochs": 15, "steps": 2000, "batch_size": 128, "optimizer": "muon", "learning_rate": 2e-2, "weight_decay": 0.02}


def build(
    task,
    *,
    width: int = 16,
    depth: int = 1,
    block: Literal["basic", "bottleneck"] = "basic",
    dropout: float = 0.0,
    shortcut: Literal["add", "none"] = "add",
):
    """width: filters of the first stage, twice as many in each next.  depth: blocks per stage.
    block: two 3 x 3 convolutions, or 1 x 1, 3 x 3 and 1 x 1 to four times the width.
    dropout: before the head.  shortcut: none is the plain network of the paper's first figure.

    Pictures of up to 64 pixels: a 3 x 3 stem and three stages, so width=16 depth=3 is the paper's
    ResNet-20; larger ones: a 7 x 7 stem with pooling and four stages, so width=64 depth=2 is ResNet-18.
    """
    x = task.embed()  # (B, H, W, C)
    large = min(x.shape[1:3]) > 64
    stages = 4 if large else 3
    x = _stem(x, width, large)
    for stage in range(stages):
        for i in range(depth):
            x = _residual(
                x,
                f"stage{stage}_block{i}",
                filters=width * 2**stage,
                stride=2 if stage and i == 0 else 1,
                bottleneck=block == "bottleneck",
                blocks=stages * depth,
                plain=shortcut == "none",
            )
    x = _activated(x, "norm")
    if dropout:
        x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    return task.model(x)


def _stem(x, width: int, large: bool):
    if not large:
        return _convolution(x, "stem_conv", width, 3)
    x = _convolution(x, "stem_conv", width, 7, stride=2)
    return layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)


def _residual(x, name: str, *, filters: int, stride: int, bottleneck: bool, blocks: int, plain: bool):
    """x plus what a few convolutions make of it; the latter alone where `plain`.  (B, H, W, C) -> (B, H/stride, W/stride, filters or 4 filters)

    The last convolution begins small, so that all `blocks` branches together add as much as x
    holds: a stack of any depth begins near the identity, and yet every weight has a gradient from
    the first step, as it has not where that convolution begins at zero.
    """
    last = filters * 4 if bottleneck else filters
    y = _activated(x, f"{name}_norm0")
    if not plain and (stride > 1 or x.shape[-1] != last):
        x = _convolution(y, f"{name}_shortcut", last, 1, stride)
    steps = [(filters, 3, stride), (last, 3, 1)]
    if bottleneck:
        steps = [(filters, 1, 1), (filters, 3, stride), (last, 1, 1)]
    for i, (width, size, step) in enumerate(steps):
        if i:
            y = _activated(y, f"{name}_norm{i}")
        gain = 2 / blocks if i == len(steps) - 1 and not plain else 2
        y = _convolution(y, f"{name}_conv{i}", width, size, step, gain=gain)
    return y if plain else layers.Add(name=f"{name}_add")([x, y])


def _activated(x, name: str):
    # 0.9: the statistics that prediction uses must have caught up at the end of a short training
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
    return layers.ReLU(name=name.replace("norm", "relu"))(x)


def _convolution(x, name: str, filters: int, size: int, stride: int = 1, gain: float = 2.0):
    return layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=initializers.VarianceScaling(gain, "fan_in", "truncated_normal"),
        name=name,
    )(x)
