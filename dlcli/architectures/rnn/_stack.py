"""Recurrent layers on one another."""

from keras import layers


def stack(task, cell, *, units: int, depth: int, dropout: float):
    """A whole model of `depth` recurrent layers.

    `cell(units, name)` makes a layer (B, T, C) -> (B, T, units). Each is one block of a pre-norm
    residual stack, x + dropout(cell(norm(x))), so a hundred of them train as well as two.
    Masked steps leave the state as it was.
    """
    x = task.embed(units)  # (B, T, units)
    for i in range(depth):
        name = f"block{i}"
        update = layers.LayerNormalization(name=f"{name}_norm")(x)
        update = cell(units, f"{name}_rnn")(update)
        update = layers.Dropout(dropout, name=f"{name}_dropout")(update)
        x = layers.Add(name=f"{name}_add")([x, update])
    return task.model(layers.LayerNormalization(name="final_norm")(x))
