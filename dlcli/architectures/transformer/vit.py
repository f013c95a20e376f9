"""Vision transformer (Dosovitskiy et al., 2020): a picture is a row of patches, each of which looks at all others.

With Muon (Jordan et al., 2024) and a stem of convolutions, 0.570 of 5 000 pictures set aside from CIFAR-10's training part (JPEG)
are right after one pass over the others at a rate of 4e-3, and 0.568 at 2e-3 (seed 0, no dropout, four
heads, GELU, float32; `dlcli train D/cifar10-jpg/train --arch vit --set data.parts=0.9,0.1,0 --set fit.steps=1 --epochs 1` with those
by --set arch. and --precision). AdamW was not run beside it. For
much data two heads, squared ReLU (So et al., 2021) and bfloat16 bring it to 0.573 there by half the work of a step
(benchmarks/step_cost.py).
"""

from typing import Literal

from keras import layers

from dlcli.architectures.transformer._block import stack

OFFERS = {"pixels"}
TINY = {"width": 8, "depth": 1, "heads": 2}
SCALE = {"depth": "depth", "width": "width", "multiple": 4}
MANY = {
    "examples": 20_000,
    "options": {"dropout": 0.0, "heads": 2, "activation": "squared_relu"},
    "precision": "bfloat16",
}
FIT = {
    "epochs": 30,
    "steps": 3000,
    "batch_size": 128,
    "optimizer": "muon",
    "learning_rate": 4e-3,
    "weight_decay": 0.05,
    "warmup": 0.1,
}


def build(
    task,
    *,
    width: int = 64,
    depth: int = 6,
    heads: int = 4,
    patch: int | None = None,
    stem: Literal["conv", "linear"] = "conv",
    activation: Literal["gelu", "squared_relu"] = "gelu",
    dropout: float = 0.1,
):
    """width: features per patch.  depth: blocks.  heads: of attention, which share the width.  patch: side of a patch
    in pixels (default: about eight patches along the shorter side, 16 pixels at most).  stem: conv makes the patches by
    a row of 3 x 3 convolutions, which Xiao et al. (2021) found to learn faster; linear is the paper's.  dropout:
    fraction of what each block adds.  activation: between a block's two dense layers.

    Patches are averaged at the end; there is no class token.
    """
    x = task.embed()  # (B, H, W, C)
    size = patch or max(1, min(16, round(min(x.shape[1:3]) / 8)))
    if stem == "conv":
        x, size = _convolutions(x, width, size)
    x = layers.Conv2D(width, size, size, padding="same", name="stem_patches")(x)
    x = layers.Reshape((-1, width), name="stem_sequence")(x)  # (B, T, width)
    return task.model(stack(x, depth=depth, heads=heads, activation=activation, dropout=dropout))


def _convolutions(x, width: int, size: int):
    """Halved as often as the side of a patch can be, and how much of that side is left.  (B, H, W, C) -> (B, H / 2**n,
    W / 2**n, width)

    No norms: what a picture gives must not depend on the others of its batch.
    """
    halvings = (size & -size).bit_length() - 1
    for i, stride in enumerate([1, *[2, 1] * halvings]):
        x = layers.Conv2D(
            width if i else max(1, width // 2),
            3,
            stride,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"stem_conv{i}",
        )(x)
    return x, size >> halvings
