"""What the two tabular tasks share: rows of a table as the inputs and the stem of a model."""

import keras
import numpy as np
import polars as pl
from keras import layers

from dlcli import columns as prepared
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some


def learn(train: Examples, data: Data, *, numeric: str, bins: int | None, words: int) -> list[dict]:
    """Columns as columns.learn() describes them, from the training rows.

    bins None: up to 48, with 200 rows in each; no more than 4 000 in all columns together.
    """
    kinds = data.about.get("columns")
    if kinds is None:  # a format of plain arrays: its own types tell
        target = data.about.get("target")
        kinds = {
            name: "numeric" if dtype.is_numeric() else "category"
            for name, dtype in train.x.schema.items()
            if name != target
        }
    if bins is None:
        numbers = sum(kind == "numeric" for kind in kinds.values())
        bins = min(48, len(train) // 200, 4000 // max(1, numbers))
    if bins < 2:
        bins = 0
    learned = prepared.learn(train.x, kinds, numeric=numeric, bins=bins, words=words)
    if not learned:
        raise DataError(f"the table has no column to learn from; it has {some(train.x.columns, 8)}.")
    return learned


def answers(examples: Examples, target: str | None) -> np.ndarray | None:
    """The targets of a split, whether they came apart or as a column; None where there are none."""
    if examples.y is not None:
        return np.asarray(examples.y)
    if target is None or target not in examples.x.columns:
        return None
    cells = examples.x[target]
    return cells.to_numpy() if cells.dtype.is_float() else np.array(cells.cast(pl.String).to_list(), dtype=str)


def inputs(columns: list[dict]) -> dict:
    """numeric (B, F) · marks (B, G) · categories (B, M) numbers of values · words_<i> (B, T) numbers of words."""
    shape = prepared.sizes(columns)
    found = {}
    for name in ("numeric", "marks"):
        if shape[name]:
            found[name] = keras.Input((shape[name],), name=name)
    if shape["categories"]:
        found["categories"] = keras.Input((shape["categories"],), dtype="int32", name="categories")
    for i, (length, _) in enumerate(shape["words"]):
        found[f"words_{i}"] = keras.Input((length,), dtype="int32", name=f"words_{i}")
    return found


def stem(inputs: dict, columns: list[dict], *, category_width: int, width: int | None):
    """(B, C): numbers and how they fill their bins, marks, embedded categories and the mean of
    embedded words; with a width, mapped to so many."""
    shape = prepared.sizes(columns)
    parts = [inputs[name] for name in ("numeric", "marks") if name in inputs]
    scale, offset = prepared.bins(columns)
    if len(scale):
        # float32: a narrow bin is a small difference of large numbers
        x = layers.RepeatVector(len(scale), dtype="float32", name="stem_bins_repeat")(inputs["numeric"])
        x = layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32", name="stem_bins")(x)
        x = layers.ReLU(max_value=1.0, dtype="float32", name="stem_bins_fill")(x)  # (B, bins, F)
        parts.append(layers.Flatten(dtype="float32", name="stem_bins_flat")(x))
    if "categories" in inputs:
        x = layers.Embedding(
            shape["values"],
            category_width,
            embeddings_initializer=_spread(category_width),
            name="stem_categories",
        )(inputs["categories"])
        parts.append(layers.Flatten(name="stem_categories_flat")(x))
    for i, (_, vocabulary) in enumerate(shape["words"]):
        x = layers.Embedding(
            vocabulary,
            4 * category_width,
            mask_zero=True,
            embeddings_initializer=_spread(category_width),
            name=f"stem_words_{i}",
        )(inputs[f"words_{i}"])
        parts.append(layers.GlobalAveragePooling1D(name=f"stem_words_{i}_mean")(x))
    x = layers.Concatenate(name="stem_columns")(parts) if len(parts) > 1 else parts[0]
    return x if width is None else layers.Dense(width, name="stem_project")(x)


def _spread(width: int):
    """Vectors of about unit length, as the standardised numbers beside them have unit variance."""
    return keras.initializers.RandomUniform(-(width**-0.5), width**-0.5)


def names(examples: Examples) -> list[str]:
    """What to call each row."""
    return list(examples.names) if examples.names is not None else [f"row {i}" for i in range(1, len(examples) + 1)]


def summary(columns: list[dict]) -> str:
    """ "6 numeric columns, 8 categories"."""
    words = {"numeric": "numeric", "category": "category", "time": "time", "text": "text"}
    counts = {word: sum(column["kind"] == kind for column in columns) for kind, word in words.items()}
    return ", ".join(f"{n} {word} column{'s' if n > 1 else ''}" for word, n in counts.items() if n)
