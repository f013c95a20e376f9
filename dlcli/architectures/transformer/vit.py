"""Vision transformer (Dosovitskiy et al., 2020): a picture is a row of patches, each of which looks at all others."""

from typing import Literal

from keras import layers

from dlcli.architectures.transformer._block import stack

OFFERS = {"pixels"}
TINY = {"width": 8, "depth": 1, "heads": 2}
SCALE = {"depth": "depth", "width": "width", "multiple": 4}
FIT = {"epochs": 30, "steps": 3000, "batch_size": 128, "learning_rate": 1e-3, "weight_decay": 0.05, "warmup": 0.1}


def build(
    task,
    *,
    width: int = 64,
    depth: int = 6,
    heads: int = 4,
    patch: int | None = None,
    stem: Literal["conv", "linear"] = "conv",
    dropout: float = 0.1,
):
    """width: features per patch.  depth: blocks.  patch: side of a patch in pixels (default: about
    eight patches along the shorter side, 16 pixels at most).  stem: conv looks at 3 x 3 pixels
    first, which little data needs (Xiao et al., 2021); linear is the paper's.  dropout: fraction of
    what each block adds.  Patches are averaged at the end; there is no class token."""
    x = task.embed()  # (B, H, W, C)
    size = patch or max(1, min(16, round(min(x.shape[1:3]) / 8)))
    if stem == "conv":
        # No norm: what a picture gives must not depend on the others of its batch.
        x = layers.Conv2D(width // 2, 3, padding="same", activation="relu", name="stem_conv")(x)
    x = layers.Conv2D(width, size, size, padding="same", name="stem_patches")(x)
    x = layers.Reshape((-1, width), name="stem_sequence")(x)  # (B, T, width)
    return task.model(stack(x, depth=depth, heads=heads, dropout=dropout))
