"""GPT (Radford et al., 2019): a transformer in which every position sees only those before it.

Short runs of characters are most of what a small text teaches, and attention is slow to learn which neighbour is which:
a causal convolution before the first block tells it (as in Primer, So et al., 2021, who convolve within attention).
After 500 steps of 12 windows of 64 characters of tinyshakespeare the validation part is at 2.000 nats with it and at
2.232 without, after 2 000 steps at 1.725 and 1.735 (AdamW): faster, and hardly better in the end.

Muon (Jordan et al., 2024: with it 3.7 billion tokens did for a GPT-2 what 5 had done) is better in the end too: 1.593 nats
after those 2 000 steps against 1.725 with AdamW at 1e-3, in 1.4 times the seconds, and 1.760 on the test part (1.737 to
1.783). It was chosen on the text without that part: 1.587 after 2 000 steps and 1.766 after 500, 1.604 and 1.824 at half the
rate, 1.916 after 500 at a fourth of it, and 2.002 with AdamW at 2e-3.

All of seed 0, by the command of the row tinyshakespeare/gpt of `benchmarks/published.toml`, with task.windows=6000 for 500
steps and fit.optimizer, fit.learning_rate and arch.neighbours set.
"""

from keras import layers

from dlcli.architectures.transformer._block import stack
from dlcli.layers import MaskedConv1D

OFFERS = {"tokens", "causal"}
TINY = {"width": 8, "depth": 1, "heads": 2}
SCALE = {"depth": "depth", "width": "width", "multiple": 4}
FIT = {
    "epochs": 5,
    "steps": 2000,
    "batch_size": 16,
    "optimizer": "muon",
    "learning_rate": 4e-3,
    "final": 0.1,
    "warmup": 0.05,
    "weight_decay": 0.1,
    "beta_2": 0.99,
}


def build(
    task,
    *,
    width: int = 128,
    depth: int = 4,
    heads: int = 4,
    mlp_ratio: float = 4.0,
    dropout: float = 0.0,
    neighbours: int = 4,
):
    """The sizes are nanoGPT's for a CPU, but for the neighbours.  width: features per position.  depth: blocks.  heads:
    of attention, which share the width.  mlp_ratio: features between a block's dense layers, in widths.  dropout:
    fraction of what each block adds; 0.2 where the text is small for the model.  neighbours: positions, itself the last,
    that the convolution before the blocks looks at; 1 is none.
    """
    x = task.embed(width)  # (B, T, width)
    if neighbours > 1:
        y = MaskedConv1D(width, neighbours, padding="causal", activation="relu", name="local_conv")(x)
        x = layers.Add(name="local_add")([x, y])
    return task.model(stack(x, depth=depth, heads=heads, mlp_ratio=mlp_ratio, dropout=dropout, causal=True))
