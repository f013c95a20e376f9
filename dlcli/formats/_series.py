"""Tables whose rows are moments: time series, one per file (wide) or many under one another (long)."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from dlcli.cells import numbers, times
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError, some

TIME_NAMES = {"date", "time", "timestamp", "datetime", "month", "ds", "day", "week", "year", "ts", "epoch", "unix"}
DAY = 86_400
# Season by step; a shorter step than a day has the day as its season.
SEASONS = {DAY: 7, 7 * DAY: 52, "month": 12, "quarter": 4, "year": 1, "business day": 5}
SPARSE = 10  # steps between the first and the last row, at most, for each row
REGULAR = 0.5  # share of steps that must have the commonest length


@dataclass
class Clock:
    """The moments of the rows. `order`: they could not be read, only their order counts."""

    moments: np.ndarray  # datetime64[us]
    columns: list[str]
    order: bool = False


@dataclass
class Frequency:
    """A step in words, the season in steps, and the place of every row on the grid (or None)."""

    name: str
    season: int
    places: np.ndarray | None
    grid: np.ndarray | None


def clock_of(frame: pl.DataFrame, kinds: dict[str, str]) -> Clock | None:
    """The column, or the columns year, month, day, hour, that say when each row was."""
    lower = {name.lower(): name for name in frame.columns}
    if {"year", "month", "day"} <= set(lower):
        names = [lower[part] for part in ("year", "month", "day", "hour") if part in lower]
        moments = _assembled(frame[names])
        if moments is not None:
            return Clock(moments, names)
    for name, kind in kinds.items():
        if kind == "time":
            found = times(frame[name])
            if found is None or found.null_count():
                return None
            return Clock(found.to_numpy().astype("datetime64[us]"), [name])
    first = frame.columns[0]
    if first.lower() not in TIME_NAMES:
        return None
    values = numbers(frame[first])
    ordered = values.is_sorted() or values.is_sorted(descending=True)
    if values.null_count() == 0 and values.min() > 1e8 and ordered:
        scale = 1_000 if values.max() > 1e11 else 1_000_000  # Unix time in milliseconds or seconds
        return Clock((values.to_numpy() * scale).astype("int64").astype("datetime64[us]"), [first])
    if frame[first].n_unique() == frame.height and (values.null_count() or values.is_sorted()):
        return Clock(np.arange(frame.height).astype("datetime64[us]"), [first], order=True)
    return None


def _assembled(parts: pl.DataFrame) -> np.ndarray | None:
    """Moments from columns of years, months, days and, perhaps, hours; None where one is no date."""
    values = [numbers(parts[name]).fill_null(0 if i == 3 else -1).to_numpy() for i, name in enumerate(parts.columns)]
    for value, (low, high) in zip(values, ((1, 9999), (1, 12), (1, 31), (0, 24)), strict=False):
        if (value < low).any() or (value > high).any() or (value % 1 != 0).any():
            return None
    year, month, day, *hour = (value.astype(int) for value in values)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (days.astype("datetime64[M]") != months).any():  # 31 February
        return None
    moments = days.astype("datetime64[us]")
    return moments + hour[0].astype("timedelta64[h]") if hour else moments


def series_of(
    frame: pl.DataFrame, kinds: dict[str, str], *, name: str, target: str | None, forced: bool
) -> Data | None:
    """The table as series, or None when it is none.

    forced: the user said so; then irregular times are taken in order instead of being refused.
    """
    clock = clock_of(frame, kinds)
    if clock is None:
        if not forced:
            return None
        clock = Clock(np.arange(frame.height).astype("datetime64[us]"), [], order=True)
    channels = [
        column
        for column, kind in kinds.items()
        if kind in ("numeric", "constant")
        and column not in clock.columns
        and numbers(frame[column]).null_count() < frame.height
    ]
    if target is not None and target not in channels:
        return None
    rest = [column for column in kinds if column not in (*channels, *clock.columns)]
    if rest and not any(kinds[column] == "numeric" for column in channels):
        return None
    key = _key(frame, kinds, clock, channels)
    channels = [column for column in channels if column != key]
    others = [column for column in kinds if column not in (*channels, *clock.columns, key)]
    warnings = []
    spans, frequency, irregular = _cut(frame, clock, channels, key, name, warnings)
    teaching = [column for column in others if kinds[column] in ("category", "text", "image")]
    if not forced and ((irregular and teaching) or not channels):
        return None
    if others:
        warnings.append(f"columns not used, as they are no numbers or only count rows: {some(others, 8)}")
    _count_missing(spans, channels, warnings)
    about = {
        "columns": channels,
        "target_columns": [target] if target else channels,
        "frequency": frequency.name if frequency else "row",
        # None: told from the times, or from the values, when a task asks
        "season": _season(frequency, clock),
        "time_columns": clock.columns,
        "series_column": key,
    }
    examples = Examples(x=spans, names=[span.name for span in spans])
    return Data(kind="series", splits={"all": examples}, about=about, warnings=warnings)


def _key(frame, kinds, clock: Clock, channels) -> str | None:
    """The column that names the series, where times repeat: with it, no time stands twice."""
    repeated = 1 - len(np.unique(clock.moments)) / frame.height
    if repeated < 0.01:  # a moment that was written down twice, or the hour that autumn repeats
        return None
    timed = frame.with_columns(pl.Series("__time", clock.moments.astype("int64")))
    for column, kind in kinds.items():
        if column in clock.columns or kind not in ("category", "id", "numeric"):
            continue
        if kind == "numeric" and (len(channels) < 2 or repeated < 0.1):
            continue
        count = frame[column].n_unique()
        if 2 <= count <= frame.height // 3 and timed[[column, "__time"]].n_unique() == frame.height:
            return column
    return None


def _cut(frame, clock: Clock, channels, key, name, warnings):
    """Spans, their frequency (None: rows in order), and whether times had no regular step."""
    values = np.zeros((frame.height, len(channels)), np.float32)
    for i, column in enumerate(channels):
        values[:, i] = numbers(frame[column]).to_numpy()
    groups = {name: np.arange(frame.height)}
    if key:
        labels = frame[key].to_numpy()
        groups = {str(label): np.flatnonzero(labels == label) for label in dict.fromkeys(labels.tolist())}
    counts = {"sorted": 0, "doubled": 0, "inserted": 0, "irregular": 0, "steps": 0}
    spans, frequency = [], None
    for label, rows in groups.items():
        moments, own = clock.moments[rows], values[rows]
        if clock.order:
            stamps = frame[clock.columns[0]].gather(rows).to_list() if clock.columns else None
            spans.append(Span(own, 0, len(own), label, stamps))
            continue
        if (np.diff(moments) < np.timedelta64(0)).any():
            counts["sorted"] += 1
            order = np.argsort(moments, kind="stable")
            moments, own = moments[order], own[order]
        fresh = np.concatenate([[True], np.diff(moments) > np.timedelta64(0)])
        counts["doubled"] += int((~fresh).sum())
        moments, own = moments[fresh], own[fresh]
        found = frequency_of(moments)
        frequency = frequency or found
        if found is None or found.places is None:
            counts["irregular"] += 1
            counts["steps"] = len(np.unique(np.diff(moments)))
            stamps = moments
        else:
            counts["inserted"] += len(found.grid) - len(moments)
            full = np.full((len(found.grid), own.shape[1]), np.nan, np.float32)
            full[found.places] = own
            own, stamps = full, found.grid
        spans.append(Span(own, 0, len(own), label, [str(s) for s in np.datetime_as_string(stamps, unit="s")]))
    if counts["sorted"]:
        warnings.append(f"times do not increase in {counts['sorted']} series: rows were sorted by time")
    if counts["doubled"]:
        warnings.append(f"{counts['doubled']} rows have a time that stood before: left out")
    if counts["inserted"]:
        warnings.append(f"{counts['inserted']} missing times were inserted as gaps")
    if counts["irregular"]:
        warnings.append(f"times have no regular step ({counts['steps']} different ones): rows are taken in order")
    return spans, frequency, counts["irregular"] > 0


def frequency_of(moments: np.ndarray) -> Frequency | None:
    """The step between increasing moments (datetime64), when most steps have one length."""
    if len(moments) < 3:
        return None
    # Months, quarters and years are dated by one of their days, or by their last one, the day before a first.
    for early in (np.timedelta64(0, "us"), np.timedelta64(DAY * 1_000_000, "us")):
        found = _of_months(moments + early)
        if found is not None:
            found.grid = found.grid - early
            return found
    seconds = np.diff(moments).astype("timedelta64[us]").astype(np.int64) / 1e6
    step = _commonest(seconds)
    if np.mean(seconds == step) < REGULAR:
        return None
    exact = np.concatenate([[0], np.cumsum(seconds)]) / step
    name, season = _words(step)
    if exact[-1] > SPARSE * len(moments):  # one wrong date must not make a grid of a billion steps
        return Frequency(name, season, None, None)
    places = np.round(exact).astype(int)
    if np.abs(exact - places).max() > 0.01 or len(np.unique(places)) < len(places):
        return Frequency(name, season, None, None)
    count = int(places[-1]) + 1
    grid = moments[0] + np.arange(count) * np.timedelta64(int(step * 1e6), "us")
    if step == DAY and count > len(places):
        absent = np.setdiff1d(np.arange(count), places)
        weekday = (grid[absent].astype("datetime64[D]").astype(int) + 3) % 7  # 0 is Monday
        if np.mean(weekday >= 5) > 0.9 and len(absent) > 0.2 * count:
            return Frequency("1 business day", SEASONS["business day"], np.arange(len(moments)), moments)
    if count > 2 * len(places):
        return Frequency(name, season, None, None)
    return Frequency(name, season, places, grid)


def _of_months(moments: np.ndarray) -> Frequency | None:
    """Steps of whole months, between moments that lie equally far into theirs."""
    months = moments.astype("datetime64[M]")
    rest = moments - months.astype("datetime64[us]")
    steps = np.diff(months).astype(int)
    if (rest != rest[0]).any() or (steps <= 0).any():
        return None
    step = _commonest(steps)
    places = np.cumsum(np.concatenate([[0], steps])) / step
    word = {1: "month", 3: "quarter", 12: "year"}.get(step)
    if word and np.mean(steps == step) >= REGULAR and (places % 1 == 0).all() and places[-1] <= SPARSE * len(places):
        count = int(places[-1]) + 1
        grid = (months[0] + np.arange(count) * step).astype("datetime64[us]") + rest[0]
        return Frequency(f"1 {word}", SEASONS[word], places.astype(int), grid)
    return None


def _commonest(steps: np.ndarray):
    values, counts = np.unique(steps, return_counts=True)
    return values[counts.argmax()]


def _words(step: float) -> tuple[str, int]:
    if step in SEASONS:
        return {DAY: "1 day", 7 * DAY: "1 week"}[step], SEASONS[step]
    season = round(DAY / step) if step < DAY and round(DAY / step) <= 1440 else 1
    for unit, size in (("day", DAY), ("hour", 3600), ("minute", 60), ("second", 1)):
        if step >= size and step % size == 0:
            return f"{int(step // size)} {unit}", season
    return f"{step:g} second", season


def _season(frequency: Frequency | None, clock: Clock) -> int | None:
    if frequency:
        return frequency.season if frequency.places is not None else None
    name = clock.columns[0].lower() if clock.columns else ""
    return {"month": 12, "day": 7, "week": 52, "year": 1}.get(name)


def _count_missing(spans, channels, warnings) -> None:
    total = sum(len(span.values) for span in spans)
    missing = sum(np.isnan(span.values).sum(axis=0) for span in spans)
    gaps = [f"{name} {count}" for name, count in zip(channels, missing, strict=True) if count]
    if gaps:
        warnings.append(f"missing values among {total} moments: {some(gaps, 8)}")


def after(history: Examples, later: Examples) -> Examples:
    """Spans of a later file with the earlier file as their history, where the series are the same."""
    before = dict(zip(history.names, history.x, strict=True))
    if len(history) == len(later) == 1:
        before = {later.names[0]: history.x[0]}
    spans = []
    for span in later.x:
        past = before.get(span.name)
        if past is None or (past.times and span.times and past.times[-1] >= span.times[0]):
            spans.append(span)
            continue
        values = np.concatenate([past.values, span.values])
        stamps = [*past.times, *span.times] if past.times and span.times else None
        spans.append(Span(values, len(past.values), len(values), span.name, stamps))
    return Examples(x=spans, names=later.names)


def check_channels(first: Data, other: Data) -> None:
    """Raises: DataError when two files of one data set have different numeric columns."""
    if first.about["columns"] != other.about["columns"]:
        different = set(first.about["columns"]) ^ set(other.about["columns"])
        raise DataError(f"the files have different numeric columns: {some(sorted(different))}.")
