"""Whether the first line of a table holds the names of its columns."""

import polars as pl

from dlcli.cells import MISSING, numbers, times
from dlcli.formats import _commas, _units

# Names that a data row would hardly hold in every column.
USUAL = {
    "label",
    "labels",
    "target",
    "class",
    "text",
    "message",
    "sentence",
    "category",
    "id",
    "date",
    "file",
}


def is_header(first: list[str], frame) -> bool:
    """Whether the first line is of another sort than the lines below it."""
    filled = [cell for cell in first if cell]  # spreadsheets leave columns without a name
    distinct = len(set(filled)) == len(filled)
    if frame.height == 0:
        return distinct and not any(_is_number(cell) for cell in first)
    if len(first) > 2 and first in (
        [str(i) for i in range(len(first))],
        [str(i + 1) for i in range(len(first))],
    ):
        return True  # 0, 1, 2, …: names that a program gave
    head = frame.head(1000)
    new, seen, typed = 0, 0, False
    for cell, name in zip(first, frame.columns, strict=True):
        filled = head[name].filter(~head[name].is_in(list(MISSING)))
        if filled.len() == 0:
            continue
        if _units.unit_of(filled) is not None:
            filled, cell = _units.bare(filled), _units.bare(pl.Series([cell]))[0]
        style = _commas.style_of(filled)
        if style is not None:
            filled, cell = _commas.plain(filled, style), _commas.plain(pl.Series([cell]), style)[0]
        is_number = numbers(filled).is_not_null().mean() > 0.9
        if is_number or times(filled) is not None:
            typed = True
            if not _is_number(cell) and cell not in MISSING and (is_number or _not_time(cell)):
                return True
        elif filled.n_unique() <= max(2, filled.len() // 3):
            new, seen = new + (cell not in filled), seen + (cell in filled)
    if typed or seen or not distinct:
        return False
    return new > 0 or bool({cell.lower() for cell in first} & USUAL)


def _not_time(cell: str) -> bool:
    return times(pl.Series([cell])) is None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
