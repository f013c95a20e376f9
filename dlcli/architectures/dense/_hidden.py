"""Hidden layers, one after another, each of all that the one before gives."""

from keras import initializers, layers


def hidden(x, *, width: int, depth: int, dropout: float):
    """(…, C) -> (…, width).

    From the third on, layers have the input added to what they give (He et al., 2015): without it a network of 100
    would not learn.
    """
    for i in range(depth):
        x = _layer(x, f"layer{i}", width, dropout) if i < 2 else _added(x, f"layer{i}", dropout, count=depth - 2)
    return x


def _layer(x, name: str, width: int, dropout: float, gain: float = 2.0):
    """(…, C) -> (…, width)."""
    start = initializers.VarianceScaling(gain, "fan_in", "truncated_normal")  # 2 is He's
    x = layers.Dense(width, kernel_initializer=start, name=f"{name}_dense")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.Dropout(dropout, name=f"{name}_dropout")(x)


def _added(x, name: str, dropout: float, count: int):
    """x and what a layer makes of it, one of `count`.  (…, C) -> (…, C)

    ReLU adds nothing negative, so the sum of many would grow with their number: each begins with
    1 / count of the usual weights.
    """
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)
    y = _layer(y, name, x.shape[-1], dropout, gain=2 / count**2)
    return layers.Add(name=f"{name}_add")([x, y])
