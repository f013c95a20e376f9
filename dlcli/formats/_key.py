"""The columns of a long table that say which series a row belongs to."""

from itertools import combinations

import numpy as np
import polars as pl

from dlcli.cells import numbers
from dlcli.errors import DataError, some
from dlcli.registry import nearest

REPEATED = 0.1  # share of rows whose time stood before, above which a table without names of series is none
SPARSE = 5  # times and series, in pairs, for each row: names have most pairs, measured values hardly any
MOST = 10  # columns that are tried together


def key_of(frame: pl.DataFrame, kinds: dict[str, str], moments: np.ndarray, channels: list[str]) -> list[str]:
    """The columns with which no time stands twice: few rather than many, words before whole numbers,
    then those that make the fewest series. [] where times do not repeat, or no columns do it.

    channels: columns of numbers, of which one at least must be left to be read.
    """
    repeated = share_repeated(moments)
    if repeated < 0.01:  # a moment that was written down twice, or the hour that autumn repeats
        return []
    columns, times = _candidates(frame, kinds, repeated, channels), len(np.unique(moments))
    codes = {name: frame[name].rank("dense").alias(name) for name in columns}
    timed = pl.DataFrame([pl.Series("__time", moments.astype("int64")), *codes.values()])
    for count in (1, 2, 3):
        if count == 2:  # the more values, the more of them are measured
            columns = dict(sorted(columns.items(), key=lambda item: (item[1], codes[item[0]].max()))[:MOST])
        found = []
        for names in combinations([name for name in timed.columns[1:] if name in columns], count):
            if channels and set(channels) <= set(names):
                continue
            groups = timed[list(names)].n_unique()
            dense = groups * times <= SPARSE * frame.height or (count == 1 and columns[names[0]] == 0)
            if 2 <= groups <= frame.height // 3 and dense and timed[["__time", *names]].n_unique() == frame.height:
                found.append((sum(columns[name] for name in names), groups, list(names)))
        if found:
            return min(found)[2]
    return []


def named(frame: pl.DataFrame, given: str, where: str) -> list[str]:
    """The columns that the user names. Raises: DataError for one that is not there."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in frame.columns:
            raise DataError(f"{where} has no column {name!r} to tell series apart.", nearest(name, frame.columns))
    return names


def labels(frame: pl.DataFrame, key: list[str]) -> pl.Series:
    """The name of each row's series: its values, a slash between."""
    joined = frame[key[0]]
    for name in key[1:]:
        joined = joined + "/" + frame[name]
    return joined.alias("series")


def share_repeated(moments: np.ndarray, names: pl.Series | None = None) -> float:
    """Share of the rows whose time stood before, in the same series."""
    timed = pl.DataFrame({"time": moments.astype("int64")})
    if names is not None:
        timed = timed.with_columns(names)
    return 1 - timed.n_unique() / max(1, len(moments))


def check_times(where: str, share: float, key: list[str], time: list[str]) -> None:
    """Raises: DataError where times stand twice so often that rows would be thrown away."""
    if share > REPEATED:
        within = f" in the series that {some(key)} names" if key else ", and no column was found that names the series"
        raise DataError(
            f"in {where}, {share:.0%} of the rows have a time that stood before{within}.",
            "name the columns that tell series apart: --set data.series=NAME,NAME; or take the rows in order: "
            f"--set data.drop={','.join(time)}.",
        )


def _candidates(frame, kinds, repeated: float, channels) -> dict[str, int]:
    """Columns that can name series, in their order, each with its rank: 0 words, 1 whole numbers. Fractions are measured."""
    ranks = {}
    for name, kind in kinds.items():
        if kind in ("category", "id"):
            ranks[name] = 0
        elif kind == "numeric" and repeated >= REPEATED:
            values = numbers(frame[name])
            if values.null_count() == 0 and (values == values.round()).all():
                ranks[name] = 1
    return ranks
