"""GPT (Radford et al., 2019): a transformer in which every position sees only those before it."""

from dlcli.architectures.transformer._block import stack

OFFERS = {"tokens", "causal"}
TINY = {"width": 8, "depth": 1, "heads": 2}
SCALE = {"depth": "depth", "width": "width", "multiple": 4}
FIT = {
    "epochs": 5,
    "steps": 2000,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "final": 0.1,
    "warmup": 0.05,
    "weight_decay": 0.1,
    "beta_2": 0.99,
}


def build(task, *, width: int = 128, depth: int = 4, heads: int = 4, mlp_ratio: float = 4.0, dropout: float = 0.0):
    """The defaults are nanoGPT's for a CPU.  width: features per position.  depth: blocks.
    dropout: fraction of what each block adds; 0.2 where the text is small for the model."""
    x = task.embed(width)  # (B, T, width)
    return task.model(stack(x, depth=depth, heads=heads, mlp_ratio=mlp_ratio, dropout=dropout, causal=True))
