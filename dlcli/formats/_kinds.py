"""What a column of a table holds, found from its cells."""

import re
from pathlib import Path

import polars as pl

from dlcli.cells import MISSING, numbers, times
from dlcli.formats._image_files import SUFFIXES

ID_NAME = re.compile(r"(^|[_\s-])(id|no|nr|index|key|uuid|rowid|unnamed: 0)$|Id$|ID$", re.IGNORECASE)
CODE = re.compile(r"^0\d+$")
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
STRAY = 0.005  # share of cells in a numeric column that may be no numbers (and count as missing)


def kind_of(name: str, cells: pl.Series, *, few: bool = False) -> tuple[str, str]:
    """Kind and, where something deserves to be told, a note.

    Kinds: numeric, category, text, time, image, and those that teach nothing: id, constant, empty.
    few: that rows have one value everywhere may be for they are few: it is no constant.
    """
    filled = cells.filter(~cells.is_in(list(MISSING)))
    distinct = filled.n_unique()
    if filled.len() == 0:
        return "empty", ""
    if distinct == 1 and filled.len() == cells.len() and not few:
        return "constant", ""
    values = numbers(filled)
    strays = filled.cast(pl.Float64, strict=False).null_count()
    if strays <= STRAY * filled.len() and values.null_count() < filled.len() and not _codes(filled):
        note = ""
        if values.null_count():  # infinities and what overflows, such as 1e999, besides strays
            odd = filled.filter(values.is_null()).unique().sort().head(3).to_list()
            note = f"{values.null_count()} of {filled.len()} values of column {name!r} are no finite numbers"
            note += f" and count as missing: {', '.join(odd)}"
        return ("id" if _counts(name, values, cells.len()) else "numeric"), note
    if times(filled) is not None:
        return "time", ""
    if sum(Path(cell).suffix.lower() in SUFFIXES for cell in filled.head(100)) > 90 * min(100, filled.len()) // 100:
        return "image", ""
    if distinct > 0.5 * filled.len() and distinct > 2 and _words(filled) >= 3:
        return "text", ""
    if distinct == cells.len() and distinct >= 20:
        return "id", ""
    return "category", ""


def _words(cells: pl.Series) -> float:
    """On average; in scripts that put no spaces between words, two letters count as one."""
    head = cells.head(1000)
    return ((head.str.split(" ").list.len() + head.str.count_matches(UNSPACED) / 2).mean()) or 0.0


def _codes(cells: pl.Series) -> bool:
    """00501 is a name made of digits, not the number 501."""
    return any(CODE.match(cell) for cell in cells.filter(cells.str.starts_with("0")).to_list())


def _counts(name: str, values: pl.Series, rows: int) -> bool:
    """Whether a column only counts its rows, or names each by a number."""
    if values.null_count() or values.len() < rows or rows < 3 or values.n_unique() < rows:
        return False
    if not (values == values.round()).all():
        return False
    if ID_NAME.search(name):
        return True
    steps = values.diff().drop_nulls()
    return rows >= 20 and values[0] in (0, 1) and bool((steps == 1).all())
