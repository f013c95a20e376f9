"""What all transformers here are made of: learned positions, pre-norm blocks, a last norm.

Pre-norm (Xiong et al., 2020): what a block adds goes round its normalisation, so the gradient
reaches the first block undamped. The matrices that write into that sum start smaller by
sqrt(2 depth) (GPT-2), so the sum does not grow with the number of blocks: 100 of them train.
"""

import keras
from keras import initializers, layers

from dlcli.errors import DlcliError
from dlcli.layers import gelu_tanh, squared_relu

ACTIVATIONS = {"gelu": gelu_tanh, "squared_relu": squared_relu}


def stack(x, *, depth: int, heads: int, mlp_ratio=4, dropout=0.1, causal=False, activation="gelu"):
    """Positions, `depth` blocks and the norm that pre-norm blocks leave to the end.

    x (B, T, C) -> (B, T, C). T must be known. Masked steps are not looked at.
    """
    x = Positions(name="positions")(x)
    x = layers.Dropout(dropout, name="stem_dropout")(x)
    for i in range(depth):
        x = block(
            x,
            name=f"block{i}",
            heads=heads,
            mlp_ratio=mlp_ratio,
            dropout=dropout,
            causal=causal,
            activation=activation,
            depth=depth,
        )
    return layers.LayerNormalization(epsilon=1e-5, name="norm")(x)


def block(x, *, name: str, heads: int, mlp_ratio=4, dropout=0.1, causal=False, activation="gelu", depth: int = 12):
    """Attention, then two dense layers, each added to its input.  x (B, T, C) -> (B, T, C).

    `depth` is the number of blocks in the stack. A Keras mask on x (padding) is respected. Dropout is on
    what is added and not on the attention weights, where it would forbid the fused kernels.
    """
    width = x.shape[-1]
    if width % heads:
        raise DlcliError(
            f"a width of {width} cannot be shared evenly by {heads} heads.",
            f"choose a width that is a multiple of {heads}, or other heads.",
        )
    hidden = int(mlp_ratio * width)
    shrink = (2 * depth) ** -0.5

    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_attention_norm")(x)
    attention = layers.MultiHeadAttention(
        heads, width // heads, kernel_initializer=_normal(width), name=f"{name}_attention"
    )
    y = attention(y, y, use_causal_mask=causal)
    # Keras has one initialiser for all four matrices; the last writes into the sum.
    for weight in attention.weights:
        if weight.path.endswith("attention_output/kernel"):
            weight.assign(weight * shrink)
    y = layers.Dropout(dropout, name=f"{name}_attention_dropout")(y)
    x = layers.Add(name=f"{name}_attention_add")([x, y])

    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_mlp_norm")(x)
    y = layers.Dense(hidden, kernel_initializer=_normal(width), name=f"{name}_mlp_in")(y)
    y = layers.Activation(ACTIVATIONS[activation], name=f"{name}_mlp_{activation}")(y)
    y = layers.Dense(width, kernel_initializer=_normal(hidden, shrink), name=f"{name}_mlp_out")(y)
    y = layers.Dropout(dropout, name=f"{name}_mlp_dropout")(y)
    return layers.Add(name=f"{name}_mlp_add")([x, y])


def _normal(fan_in: int, scale=1.0):
    return initializers.RandomNormal(stddev=scale * fan_in**-0.5)


@keras.saving.register_keras_serializable("dlcli")
class Positions(layers.Layer):
    """Adds a learned vector to every position.  x (B, T, C) -> (B, T, C), T fixed."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        self.positions = self.add_weight(
            shape=tuple(input_shape[1:]), initializer=initializers.RandomNormal(stddev=0.02), name="positions"
        )

    def call(self, x):
        return x + self.positions
