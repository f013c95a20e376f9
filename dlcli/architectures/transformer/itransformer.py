"""iTransformer (Liu et al., 2024): a forecasting transformer whose tokens are whole columns."""

from keras import layers

from dlcli.architectures.transformer._block import block

OFFERS = {"forecast"}
MIXES = True  # columns: a window is one example, however many it has
TINY = {"width": 8, "depth": 1, "heads": 2}
SCALE = {"depth": "depth", "width": "width", "multiple": 8}
# 400 steps: of 180 months ten passes are ten steps, and their validation error was 0.26; 0.048 with this
FIT = {"epochs": 10, "steps": 400, "batch_size": 32, "learning_rate": 3e-4, "patience": 3}


def build(task, *, width: int = 256, depth: int = 2, heads: int = 8, mlp_ratio: float = 1.0, dropout: float = 0.1):
    """width: features per column.  depth: blocks.  heads: of attention, which share the width.  mlp_ratio: features
    between a block's dense layers, in widths.  dropout: fraction of what each block adds.

    The defaults are the paper's for ETTh1. Attention is between columns; their order does not count."""
    x = task.embed()  # (B, L, C)
    x = layers.Permute((2, 1), name="columns")(x)  # (B, C, L)
    x = layers.Dense(width, name="embedding")(x)
    x = layers.Dropout(dropout, name="stem_dropout")(x)
    for i in range(depth):
        x = block(x, name=f"block{i}", heads=heads, mlp_ratio=mlp_ratio, dropout=dropout, depth=depth)
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    x = layers.Identity(name="features")(x)  # (B, C, width)
    x = layers.Dense(task.horizon, name="head_forecast")(x)
    return task.wrap(task.restore(layers.Permute((2, 1), name="head_steps")(x)))
