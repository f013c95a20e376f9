"""When the rows of a table were: the columns that say it, the step between the moments, and the season."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from dlcli.cells import numbers, times

TIME_NAMES = {
    "date",
    "time",
    "timestamp",
    "timestamps",
    "timestamp_(min)",
    "datetime",
    "month",
    "ds",
    "day",
    "week",
    "year",
}
TIME_NAMES |= {"ts", "epoch", "unix"}
# Years, months and days number their own beside other parts of a date.
STEP_NAMES = TIME_NAMES - {"year", "month", "week", "day", "date"} | {"step", "timestep", "time_step", "time_idx", "t"}
EVEN = 0.9  # share of the steps between such numbers that must be alike
UNIX = 1e8  # seconds or milliseconds since 1970 are above it, and steps below
# 17:24 or 18.00.00; two numbers with a point between are one.
TIME_OF_DAY = r"^([01]?\d|2[0-3])(?:[:.]([0-5]\d)[:.]([0-5]\d(?:\.\d+)?)|:([0-5]\d))$"
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
            return _with_hours(Clock(found.to_numpy().astype("datetime64[us]"), [name]), frame, lower)
    return _first(frame) or _anew(frame, kinds)


def _first(frame: pl.DataFrame) -> Clock | None:
    """A first column that is called so: Unix times, or what only orders the rows."""
    first = frame.columns[0]
    if first.lower() not in TIME_NAMES:
        return None
    days = frame[first].str.to_datetime("%Y%m%d", time_unit="us", strict=False)  # 20240131
    if days.null_count() == 0 and frame[first].str.contains(r"^\d{8}$").all():
        return _with_hours(Clock(days.to_numpy(), [first]), frame, {name.lower(): name for name in frame.columns})
    values = numbers(frame[first])
    ordered = values.is_sorted() or values.is_sorted(descending=True)
    if values.null_count() == 0 and values.min() > UNIX and ordered:
        return _unix(values, first)
    if frame[first].n_unique() == frame.height and (values.null_count() or values.is_sorted()):
        return Clock(np.arange(frame.height).astype("datetime64[us]"), [first], order=True)
    return None


def _anew(frame: pl.DataFrame, kinds: dict[str, str]) -> Clock | None:
    """A column of evenly spaced whole numbers, each of which stands several times: steps that each series counts anew."""
    for name, kind in kinds.items():
        values = numbers(frame[name]) if kind == "numeric" and name.lower() in STEP_NAMES else None
        if values is None or values.null_count() or (values != values.round()).any():
            continue
        steps = np.diff(values.unique().sort().to_numpy())
        if 1 < len(steps) < frame.height / 2 and np.mean(steps == _commonest(steps)) >= EVEN:
            if values.min() > UNIX:
                return _unix(values, name)
            return Clock(values.to_numpy().astype("int64").astype("datetime64[us]"), [name], order=True)
    return None


def _unix(values: pl.Series, name: str) -> Clock:
    scale = 1_000 if values.max() > 1e11 else 1_000_000  # Unix time in milliseconds or seconds
    return Clock((values.to_numpy() * scale).astype("int64").astype("datetime64[us]"), [name])


def _with_hours(clock: Clock, frame: pl.DataFrame, lower: dict[str, str]) -> Clock:
    """Days whose hours, or times of day, stand in a column of their own."""
    if (clock.moments != clock.moments.astype("datetime64[D]")).any():
        return clock
    name = lower.get("hour", lower.get("hr"))
    if name is not None:
        hours = numbers(frame[name])
        if hours.null_count() or not hours.is_between(0, 24).all() or not (hours == hours.round()).all():
            return clock
        moments = clock.moments + hours.to_numpy().astype(int).astype("timedelta64[h]")
        return Clock(moments, [*clock.columns, name])
    for name in frame.columns:
        if not frame[name].head(20).str.contains(TIME_OF_DAY).all():
            continue
        hours, minutes, seconds, short = (numbers(frame[name].str.extract(TIME_OF_DAY, i)) for i in (1, 2, 3, 4))
        if hours.null_count() == 0:
            seconds = 3600 * hours + 60 * minutes.fill_null(short) + seconds.fill_null(0)
            moments = clock.moments + (seconds.to_numpy() * 1e6).round().astype("timedelta64[us]")
            return Clock(moments, [*clock.columns, name])
    return clock


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


def known_season(frequency: Frequency | None, clock: Clock) -> int | None:
    """Steps after which a regular series repeats; None where the values, or the usual step, have to tell (`windows.season_of`)."""
    if frequency:
        return frequency.season if frequency.places is not None else None
    name = clock.columns[0].lower() if clock.columns else ""
    return {"month": 12, "day": 7, "week": 52, "year": 1}.get(name)
