"""Numbers with commas in them: before the decimals, as in 1,5 and 1.234,5, or between thousands, as in 1,234.5."""

import polars as pl

from dlcli.cells import MISSING, numbers
from dlcli.formats._kinds import STRAY

STYLES = ("decimal commas", "commas between thousands")
DECIMAL = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+$"
THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
DOTTED = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?$"


def style_of(cells: pl.Series, mark: str = "", *, strays: float = STRAY) -> str | None:
    """Which of the two styles a column has; None where no cell has a comma, or too many are neither missing nor a number.

    mark: what stands between the cells. 1,234 alone may be either: where that is a comma too, or 950 has no decimals beside
    it, thousands are meant; between semicolons they are not.  strays: share of cells that may be no numbers.
    """
    filled = cells.filter(~cells.is_in(list(MISSING)))
    has = filled.str.contains(",", literal=True)
    if not has.any():
        return None
    lost = {
        style: numbers(plain(filled, style)).null_count()
        for style, pattern in zip(STYLES, (DECIMAL, THOUSANDS), strict=True)
        if filled.str.contains(pattern).any()
    }
    least = min(lost.values(), default=filled.len())
    fitting = [style for style, count in lost.items() if count == least <= strays * filled.len()]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    others = filled.filter(~has)
    return STYLES[mark == "," or (mark != ";" and others.len() > 0) or others.str.contains(".", literal=True).any()]


def plain(cells: pl.Series, style: str) -> pl.Series:
    """The numbers of a style as 1234.5; other cells stay as they are."""
    if style == STYLES[1]:
        return cells.str.replace_all(",", "", literal=True).zip_with(cells.str.contains(THOUSANDS), cells)
    if cells.str.contains(r"\.\d{3},").any():  # then 1.234 is no fraction either
        cells = cells.str.replace_all(".", "", literal=True).zip_with(cells.str.contains(DOTTED), cells)
    return cells.str.replace(r"^([+-]?\d+),(\d+)$", "$1.$2")
