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
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
    *(
        f"{day}{clock}"
        for clock in (" %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y")
    ),
)
MONTHLY = "%Y-%m"  # of the first of each month; Polars reads no date without a day
MONTH = re.compile(r"^\d{4}[-/]\d{1,2}$")
TIME_LIKE = re.compile(r"^(\d{1,4}([-/.]\d{1,2}|[- ][A-Z][a-z]{2,8}[- ])|[A-Z][a-z]{2,8} \d{1,2}, \d{4})")
# Of a clock time. Without it the times are those of the place, which is what days and seasons go by.
OFFSET = r"(:\d\d(?:\.\d+)?)\s?(?:Z|UTC|[+-]\d\d:?(?:\d\d)?)$"


def numbers(cells: pl.Series) -> pl.Series:
    """Cells as Float64; null where a cell is no finite number."""
    values = cells.cast(pl.Float64, strict=False)
    return values.set(~values.is_finite().fill_null(False), None)


def times(cells: pl.Series) -> pl.Series | None:
    """Cells as Datetime, null where missing; None when they are not all times of one format."""
    pattern = time_format(cells)
    return None if pattern is None else moments(cells, pattern)


def time_format(cells: pl.Series) -> str | None:
    """The format that all cells which are not missing have; None when they are not all times of one."""
    cells = cells.cast(pl.String)
    filled = cells.filter(~cells.is_in(list(MISSING)))
    if filled.len() == 0 or not all(TIME_LIKE.match(cell) for cell in filled.head(20)):
        return None
    monthly = all(MONTH.match(cell) for cell in filled.head(20))
    fitting = {}
    for pattern in (MONTHLY,) if monthly else TIME_FORMATS:
        if moments(filled.head(20), pattern).null_count() == 0:
            found = moments(filled, pattern)
            if found.null_count() == 0:
                fitting[pattern] = _unevenness(found)
    # 03/04/2020: days and months are told apart by what makes the times go on evenly.
    return min(fitting, key=fitting.get) if fitting else None


def moments(cells: pl.Series, pattern: str) -> pl.Series:
    """Cells as Datetime by a format that time_format() found; null where missing, or where it does not fit."""
    cells = cells.cast(pl.String)
    cells = cells.set(cells.is_in(list(MISSING)), None)
    if pattern == MONTHLY:
        cells, pattern = cells + "-01", "%Y-%m-%d"
    return cells.str.replace(OFFSET, "$1").str.to_datetime(pattern, time_unit="us", strict=False)


def _unevenness(found: pl.Series) -> tuple[bool, float]:
    """Whether times both rise and fall, and the longest step of the sorted ones beside the median step."""
    found = found.drop_nulls()
    steps = found.unique().sort().diff().drop_nulls().dt.total_microseconds()
    return (
        not (found.is_sorted() or found.is_sorted(descending=True)),
        steps.max() / steps.median() if steps.len() else 0.0,
    )
