"""Columns of a table as numbers: what is learned from the training rows, and its application.

A learned column is a plain dictionary (it goes into spec.json). Cells come as stripped strings, so
that nothing was lost before a column's kind was known. No Keras here: formats use this file too.
"""

import re
from collections import Counter
from statistics import NormalDist

import numpy as np
import polars as pl

from dlcli.cells import moments, numbers, time_format, times
from dlcli.errors import DataError, some

KNOTS = 256  # of the quantile transform: enough that 0.4 % of the rows lie between two
WORD = re.compile(r"\w+|[^\w\s]")


# ---- learning --------------------------------------------------------------------------------


def learn(frame: pl.DataFrame, kinds: dict[str, str], *, numeric: str, bins: int, words: int) -> list[dict]:
    """What encode() needs, from the training rows alone.

    kinds: numeric, category, time or text by column name. numeric: "quantile" or "standard".
    """
    if numeric not in ("quantile", "standard"):
        raise DataError(f"task.numeric={numeric!r} is not known.", "it is quantile or standard.")
    makers = {
        "numeric": lambda cells: _learn_numeric(cells, numeric, bins),
        "category": _learn_category,
        "time": _learn_time,
        "text": lambda cells: _learn_text(cells, words),
    }
    return [
        {"name": name, "kind": kind, **makers[kind](_cells(frame[name], kind))}
        for name, kind in kinds.items()
        if kind in makers
    ]


def _cells(cells: pl.Series, kind: str) -> pl.Series:
    """Strings without nulls; numbers may stay numbers."""
    if kind == "numeric" and cells.dtype.is_numeric():
        return cells
    return cells.cast(pl.String).fill_null("")


def _learn_numeric(cells: pl.Series, transform: str, bins: int) -> dict:
    values = numbers(cells).drop_nulls().to_numpy()
    if len(values) == 0:
        values = np.zeros(1)
    at, to = _quantile_map(values) if transform == "quantile" else _standard_map(values)
    edges = np.unique(np.interp(_bin_edges(values, bins), at, to)) if bins else np.zeros(0)
    return {
        "at": at.tolist(),
        "to": to.tolist(),
        "bins": edges.tolist() if len(edges) > 2 else [],
        "fill": float(np.median(values)),
        "missing": bool(len(values) < cells.len()),
    }


def _quantile_map(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Knots that turn the column's distribution into a normal one of unit variance, as networks on
    tables want it (Gorishniy et al., 2021, "Revisiting Deep Learning Models for Tabular Data")."""
    count = min(KNOTS, len(values))
    share = np.clip(np.linspace(0, 1, count), 0.5 / count, 1 - 0.5 / count)
    knots = np.quantile(values, np.linspace(0, 1, count))
    at, group = np.unique(knots, return_inverse=True)
    middle = np.bincount(group, weights=share) / np.bincount(group)  # ties share their mean rank
    to = np.array([NormalDist().inv_cdf(p) for p in middle])
    mapped = np.interp(values, at, to)
    return at, (to - mapped.mean()) / (mapped.std() or 1.0)


def _bin_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Between two there are equally many rows, in so many bins. Where many rows are of one value, as of an amount that is
    mostly 0, edges fall together; then as many bins more have equally many different values between theirs."""
    share = np.linspace(0, 1, bins + 1)
    edges = np.unique(np.quantile(values, share))
    if len(edges) > bins:
        return edges
    different = np.unique(values)
    return np.union1d(edges, different if len(different) <= bins else np.quantile(different, share))


def _standard_map(values: np.ndarray, reach: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """(value - mean) / deviation, cut at 10 deviations: the same form with two knots."""
    mean, deviation = values.mean(), values.std() or 1.0
    return mean + reach * deviation * np.array([-1.0, 1.0]), reach * np.array([-1.0, 1.0])


def _learn_category(cells: pl.Series) -> dict:
    """Values seen often enough, the most frequent first; all others count as one."""
    rare = max(1, min(5, cells.len() // 100))
    counts = Counter(cells.to_list())
    often = sorted(((-n, value) for value, n in counts.items() if n >= rare))
    return {"vocabulary": [value for _, value in often[:1000]]}


TIME_PARTS = ("days", "year_sin", "year_cos", "week_sin", "week_cos", "day_sin", "day_cos")


def _learn_time(cells: pl.Series) -> dict:
    pattern = time_format(cells)
    if pattern is None:  # only other splits have times
        return {"format": None, "parts": [], "mean": [], "deviation": []}
    parts = _time_parts(moments(cells, pattern))
    mean, deviation = np.nanmean(parts, axis=0), np.nanstd(parts, axis=0)
    used = [i for i in range(len(TIME_PARTS)) if deviation[i] > 1e-6]
    return {
        "format": pattern,
        "parts": [TIME_PARTS[i] for i in used],
        "mean": mean[used].tolist(),
        "deviation": deviation[used].tolist(),
    }


def _learn_text(cells: pl.Series, words: int) -> dict:
    documents = [WORD.findall(cell.lower()) for cell in cells.to_list()]
    counts = Counter(word for document in documents for word in document)
    often = sorted((-n, word) for word, n in counts.items() if n >= 2)
    lengths = sorted(len(document) for document in documents)
    length = lengths[int(0.95 * (len(lengths) - 1))] if lengths else 0
    return {"vocabulary": [word for _, word in often[:words]], "length": min(128, max(1, length)) + 1}


# ---- application -----------------------------------------------------------------------------


def encode(frame: pl.DataFrame, columns: list[dict]) -> dict[str, np.ndarray]:
    """Rows as arrays.

    numeric (n, F) float32 · marks (n, G) float32, what was missing and parts of times ·
    categories (n, M) int32, each column with its own range of numbers, its
    first for "other" · words_<i> (n, T) int32, 0 is padding, 1 stands first, 2 is an unknown word.
    A key is left out when no column has its kind.
    """
    absent = [column["name"] for column in columns if column["name"] not in frame.columns]
    if absent:
        raise DataError(
            f"columns that the model was trained on are missing: {some(absent)}.",
            f"the data has {some(frame.columns, 8)}.",
        )
    values, marks, categories, words, offset = [], [], [], [], 0
    # numbers in one go: of thousands of columns each would cost more than its cells
    names = [column["name"] for column in columns if column["kind"] == "numeric"]
    read = iter(frame[names].cast(pl.Float64, strict=False).to_numpy().T)
    for column in columns:
        if column["kind"] == "numeric":
            found = next(read)
            missing = ~np.isfinite(found)
            values.append(np.interp(np.where(missing, column["fill"], found), column["at"], column["to"]))
            if column["missing"]:
                marks.append(missing)
            continue
        cells = _cells(frame[column["name"]], column["kind"])
        if column["kind"] == "time":
            marks.extend(_encode_time(cells, column).T)
        elif column["kind"] == "category":
            index = {value: offset + 1 + i for i, value in enumerate(column["vocabulary"])}
            categories.append([index.get(cell, offset) for cell in cells.to_list()])
            offset += 1 + len(index)
        else:
            words.append(_encode_text(cells, column))
    arrays = {}
    if values:
        arrays["numeric"] = np.stack(values, axis=1).astype(np.float32)
    if marks:
        arrays["marks"] = np.stack(marks, axis=1).astype(np.float32)
    if categories:
        arrays["categories"] = np.array(categories, dtype=np.int32).T.copy()
    return arrays | {f"words_{i}": ids for i, ids in enumerate(words)}


def _encode_time(cells: pl.Series, column: dict) -> np.ndarray:
    # a few rows alone do not tell days from months: the format of training does, unless none of them is written so
    known = column.get("format")  # runs from before it was kept have to guess
    found = moments(cells, known) if known else None
    if found is None or found.null_count() == cells.len():
        found = times(cells)
    if found is None:
        found = pl.Series([None] * cells.len(), dtype=pl.Datetime("us"))
    used = [TIME_PARTS.index(part) for part in column["parts"]]
    parts = (_time_parts(found)[:, used] - column["mean"]) / column["deviation"]
    return np.nan_to_num(parts, nan=0.0)


def _time_parts(found: pl.Series) -> np.ndarray:
    """(n, 7): days since 1970, then sine and cosine of the place in the year, week and day."""
    days = found.dt.epoch("us").cast(pl.Float64).fill_null(np.nan).to_numpy() / 86_400e6
    years = days / 365.2425
    weeks = (days + 3) / 7  # 1970-01-01 was a Thursday
    turns = 2 * np.pi * np.stack([years, weeks, days], axis=1)
    cyclic = np.stack([np.sin(turns), np.cos(turns)], axis=2).reshape(len(days), 6)
    return np.concatenate([days[:, None], cyclic], axis=1)


def _encode_text(cells: pl.Series, column: dict) -> np.ndarray:
    index = {word: i for i, word in enumerate(column["vocabulary"], 3)}
    ids = np.zeros((cells.len(), column["length"]), np.int32)
    ids[:, 0] = 1  # so that the mean over an empty text exists
    for row, cell in enumerate(cells.to_list()):
        found = [index.get(word, 2) for word in WORD.findall(cell.lower())][: column["length"] - 1]
        ids[row, 1 : 1 + len(found)] = found
    return ids


def sizes(columns: list[dict]) -> dict:
    """Shapes that follow from what was learned: numbers, marks, categories and all their values,
    (length, vocabulary size) of each text."""
    marks = sum(column["missing"] for column in columns if column["kind"] == "numeric")
    marks += sum(len(column["parts"]) for column in columns if column["kind"] == "time")
    categories = [column for column in columns if column["kind"] == "category"]
    return {
        "numeric": sum(column["kind"] == "numeric" for column in columns),
        "marks": marks,
        "categories": len(categories),
        "values": sum(1 + len(column["vocabulary"]) for column in categories),
        "words": [(c["length"], 3 + len(c["vocabulary"])) for c in columns if c["kind"] == "text"],
    }


def bins(columns: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset (T, F), so that a number times scale plus offset, cut to 0..1, says how far
    it fills each bin of its column: the piecewise-linear encoding of Gorishniy et al., 2022, "On
    Embeddings for Numerical Features". Columns with fewer bins have zeros."""
    edges = [np.array(column["bins"]) for column in columns if column["kind"] == "numeric"]
    scale = np.zeros((max([len(own) - 1 for own in edges if len(own)], default=0), len(edges)))
    offset = np.zeros_like(scale)
    for i, own in enumerate(edges):
        if len(own):
            scale[: len(own) - 1, i] = 1 / np.diff(own)
            offset[: len(own) - 1, i] = -own[:-1] / np.diff(own)
    return scale, offset


def flat(arrays: dict[str, np.ndarray], columns: list[dict]) -> np.ndarray:
    """Encoded rows as one float32 matrix (n, d): numbers, marks, one-hot categories, words present."""
    shape = sizes(columns)
    n = len(next(iter(arrays.values())))
    parts = [arrays[name] for name in ("numeric", "marks") if name in arrays]
    if "categories" in arrays:
        parts.append(_marked(arrays["categories"], n, shape["values"]))
    for i, (_, vocabulary) in enumerate(shape["words"]):
        parts.append(_marked(arrays[f"words_{i}"], n, vocabulary)[:, 2:])
    return np.concatenate(parts, axis=1).astype(np.float32)


def _marked(ids: np.ndarray, n: int, width: int) -> np.ndarray:
    marks = np.zeros((n, width), np.float32)
    marks[np.arange(n)[:, None], ids] = 1.0
    return marks
