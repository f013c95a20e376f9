"""The column of a series that says where something was wrong, known by its name."""

import re

import polars as pl

from dlcli.cells import MISSING

# Of Yahoo's S5, SKAB, SWaT and others.
NAME = re.compile(r"(is_?)?(anomal(y|ies|ous)|outliers?|(normal/)?attack)(_?label)?$", re.IGNORECASE)
CHANGE = re.compile(r"(is_?)?change_?points?$", re.IGNORECASE)  # another label beside it
NORMAL = ["0", "0.0", "normal", "false", "no"]


def column_of(frame: pl.DataFrame, columns: list[str]) -> str | None:
    """The first column of that name whose cells say normal or one other thing."""
    return next((name for name in columns if NAME.match(name) and _is_label(frame[name])), None)


def changes_of(frame: pl.DataFrame, columns: list[str]) -> list[str]:
    """Labels of where something began to be wrong: neither measured nor asked for."""
    return [name for name in columns if CHANGE.match(name) and _is_label(frame[name])]


def as_numbers(cells: pl.Series) -> pl.Series:
    """0 and 1, as text, for normal and not; what is missing counts as normal."""
    normal = cells.str.to_lowercase().is_in(NORMAL) | cells.is_in(list(MISSING))
    return (~normal).cast(pl.Int8).cast(pl.String)


def _is_label(cells: pl.Series) -> bool:
    found = cells.filter(~cells.is_in(list(MISSING))).str.to_lowercase().unique()
    return found.len() <= 2 and found.is_in(NORMAL).any()
