"""Llama (Touvron et al., 2023): a causal transformer with rotated positions, gated dense layers and no biases."""

import keras
from keras import initializers, layers, ops

from dlcli.errors import DlcliError

OFFERS = {"tokens", "causal"}
TINY = {"width": 8, "depth": 1, "heads": 2, "key_value_heads": 1}
SCALE = {"depth": "depth", "width": "width", "multiple": 8}
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


def build(
    task,
    *,
    width: int = 128,
    depth: int = 4,
    heads: int = 4,
    key_value_heads: int | None = None,
    hidden: int | None = None,
    dropout: float = 0.0,
):
    """width: features per position.  depth: blocks.  heads: of attention, which share the width.  key_value_heads:
    fewer than heads share keys and values (Ainslie et al., 2023; default: one for each head).  hidden: features between
    the dense layers (default: 8/3 of the width, for three matrices have then as many weights as two with 4).  dropout:
    fraction of what each block adds.
    """
    shared = key_value_heads or heads
    if width % heads or (width // heads) % 2 or heads % shared:
        raise DlcliError(
            f"a width of {width} with {heads} heads and {shared} of keys and values does not divide evenly.",
            "width / heads must be an even number, and heads a multiple of key_value_heads.",
        )
    x = task.embed(width)  # (B, T, width)
    x = layers.Dropout(dropout, name="stem_dropout")(x)
    for i in range(depth):
        x = _block(
            x,
            f"block{i}",
            heads=heads,
            key_value_heads=shared,
            hidden=hidden or -(-8 * width // 24) * 8,
            dropout=dropout,
            shrink=(2 * depth) ** -0.5,  # as in _block.py: the sum does not grow with the number of blocks
        )
    return task.model(_norm(x, "norm"))


def _block(x, name: str, *, heads: int, key_value_heads: int, hidden: int, dropout: float, shrink: float):
    """Attention, then the gated dense layers, each added to its input.  x (B, T, C) -> (B, T, C)."""
    width = x.shape[-1]
    y = _norm(x, f"{name}_attention_norm")
    attention = RotaryAttention(
        width // heads,
        heads,
        key_value_heads,
        use_bias=False,
        kernel_initializer=_normal(width),
        name=f"{name}_attention",
    )
    y = attention(y, y, use_causal_mask=True)
    for weight in attention.weights:
        if weight.path.endswith("attention_output/kernel"):
            weight.assign(weight * shrink)
    y = layers.Dropout(dropout, name=f"{name}_attention_dropout")(y)
    x = layers.Add(name=f"{name}_attention_add")([x, y])

    y = _norm(x, f"{name}_mlp_norm")
    gate = _dense(y, f"{name}_mlp_gate", hidden)
    gate = layers.Activation("silu", name=f"{name}_mlp_silu")(gate)
    y = layers.Multiply(name=f"{name}_mlp_gated")([gate, _dense(y, f"{name}_mlp_in", hidden)])
    y = _dense(y, f"{name}_mlp_out", width, shrink)
    y = layers.Dropout(dropout, name=f"{name}_mlp_dropout")(y)
    return layers.Add(name=f"{name}_mlp_add")([x, y])


def _norm(x, name: str):
    return MaskedRMSNormalization(epsilon=1e-5, name=name)(x)


def _dense(x, name: str, width: int, scale: float = 1.0):
    return layers.Dense(width, use_bias=False, kernel_initializer=_normal(x.shape[-1], scale), name=name)(x)


def _normal(fan_in: int, scale: float = 1.0):
    return initializers.RandomNormal(stddev=scale * fan_in**-0.5)


@keras.saving.register_keras_serializable("dlcli")
class MaskedRMSNormalization(layers.RMSNormalization):
    """An RMSNormalization that hands the mask on, which that of Keras takes away."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True


@keras.saving.register_keras_serializable("dlcli")
class RotaryAttention(layers.GroupQueryAttention):
    """Self-attention in which queries and keys are turned by their position (Su et al., 2021).

    Features 2i and 2i + 1 of a head are a point in the plane that turns by longest^(-2i / head_dim) per
    step, so that what two positions make of each other depends on how far apart they are.
    """

    def __init__(self, *args, longest: float = 10_000.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.longest = longest

    def build(self, query_shape, value_shape, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        # what carries a mask goes through them as it is; Keras would warn that it does not
        for dense in (self._query_dense, self._key_dense, self._value_dense):
            dense.supports_masking = True

    def _compute_attention(self, query, key, value, **kwargs):
        return super()._compute_attention(self._turned(query), self._turned(key), value, **kwargs)

    def _turned(self, x):
        """x (B, T, heads, C) -> the same."""
        steps, size = ops.shape(x)[1], x.shape[-1]
        # float32: in bfloat16 there is no step 257
        speed = self.longest ** (-ops.arange(0, size, 2, dtype="float32") / size)
        angle = ops.arange(steps, dtype="float32")[:, None] * speed  # (T, C / 2)
        cosine, sine = ops.cos(angle)[None, :, None], ops.sin(angle)[None, :, None]
        pairs = ops.cast(x, "float32")
        even, odd = pairs[..., 0::2], pairs[..., 1::2]
        turned = ops.stack([even * cosine - odd * sine, even * sine + odd * cosine], axis=-1)
        return ops.cast(ops.reshape(turned, ops.shape(x)), x.dtype)

    def get_config(self):
        return {**super().get_config(), "longest": self.longest}
