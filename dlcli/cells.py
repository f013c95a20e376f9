"""Cells of a table, read as text, taken as numbers or as moments."""

import re

import polars as pl

MISSING = (
    "",
    "?",
    "NA",
    "N/A",
    "#N/A",
    "na",
    "n/a",
    "nan",
    "NaN",
    "NAN",
    "null",
    "NULL",
    "None",
    "none",
    "-",
)
TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    *(
        f"{day}{clock}"
        for clock in (" %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y")
    ),
)
MONTH = re.compile(r"^\d{4}[-/]\d{1,2}$")
TIME_LIKE = re.compile(r"^\d{1,4}([-/.]\d{1,2}|[- ][A-Z][a-z]{2}[- ])")
# Of a clock time. Without it the times are those of the place, which is what days and seasons go by.
OFFSET = r"(:\d\d(?:\.\d+)?)\s?(?:Z|UTC|[+-]\d\d:?(?:\d\d)?)$"


def numbers(cells: pl.Series) -> pl.Series:
    """Cells as Float64; null where a cell is no finite number."""
    values = cells.cast(pl.Float64, strict=False)
    return values.set(~values.is_finite().fill_null(False), None)


def times(cells: pl.Series) -> pl.Series | None:
    """Cells as Datetime, null where missing; None when they are not all times of one format."""
    cells = cells.cast(pl.String)
    missing = cells.is_in(list(MISSING))
    filled = cells.filter(~missing)
    if filled.len() == 0 or not all(TIME_LIKE.match(cell) for cell in filled.head(20)):
        return None
    if all(MONTH.match(cell) for cell in filled.head(20)):
        cells, filled = cells + "-01", filled + "-01"
    cells = cells.str.replace(OFFSET, "$1").set(missing, None)
    filled = filled.str.replace(OFFSET, "$1")
    fitting = []
    for pattern in TIME_FORMATS:
        if _parse(filled.head(20), pattern).null_count() == 0 and _parse(filled, pattern).null_count() == 0:
            fitting.append(_parse(cells, pattern))
    # 03/04/2020: days and months are told apart by what makes the times go on evenly.
    return min(fitting, key=_unevenness) if fitting else None


def _unevenness(moments: pl.Series) -> tuple[bool, float]:
    """Whether times both rise and fall, and the longest step of the sorted ones beside the median step."""
    moments = moments.drop_nulls()
    steps = moments.unique().sort().diff().drop_nulls().dt.total_microseconds()
    return (
        not (moments.is_sorted() or moments.is_sorted(descending=True)),
        steps.max() / steps.median() if steps.len() else 0.0,
    )


def _parse(cells: pl.Series, pattern: str) -> pl.Series:
    return cells.str.to_datetime(pattern, time_unit="us", strict=False)
