"""Transformer encoder (Vaswani et al., 2017) with norms before the blocks, sized for little data."""

from dlcli.architectures.transformer._block import stack

OFFERS = {"tokens", "series", "bidirectional"}
TINY = {"width": 8, "depth": 1, "heads": 2}
SCALE = {"depth": "depth", "width": "width", "multiple": 4}
FIT = {"epochs": 12, "batch_size": 64, "learning_rate": 5e-4, "weight_decay": 0.05, "patience": 4}


def build(task, *, width: int = 64, depth: int = 2, heads: int = 4, mlp_ratio: float = 4.0, dropout: float = 0.3):
    """width: features per position.  depth: blocks.  dropout: fraction of what each block adds."""
    x = task.embed(width)  # (B, T, width)
    return task.model(stack(x, depth=depth, heads=heads, mlp_ratio=mlp_ratio, dropout=dropout))
