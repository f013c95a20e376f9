"""Numbers with a mark of money or of parts beside them: $1,234.50, -$3, 12 €, 12.5 %."""

import polars as pl

from dlcli.cells import MISSING
from dlcli.formats._kinds import STRAY

_MONEY = "[$€£¥₹]"
_BEFORE = rf"^([+-]?)({_MONEY})\s?([+-]?\d[\d.,]*)$"
_BEHIND = rf"^([+-]?\d[\d.,]*)\s?({_MONEY}|%)$"


def unit_of(cells: pl.Series, *, strays: float = STRAY) -> str | None:
    """The one mark that the numbers of a column have; None where they have none, or marks of several sorts, which are no
    numbers of one scale.

    strays: share of cells that may have none.
    """
    filled = cells.filter(~cells.is_in(list(MISSING)))
    found = filled.str.extract(_BEFORE, 2).fill_null(filled.str.extract(_BEHIND, 2))
    marks = found.drop_nulls().unique().to_list()
    if len(marks) != 1 or found.null_count() > strays * filled.len():
        return None
    return marks[0]


def bare(cells: pl.Series) -> pl.Series:
    """The numbers without their marks; other cells stay as they are."""
    return cells.str.replace(_BEFORE, "$1$3").str.replace(_BEHIND, "$1")
