"""Tables whose rows are moments: time series, one per file (wide) or many under one another (long)."""

import numpy as np
import polars as pl

from dlcli.cells import numbers
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError, some
from dlcli.formats import _anomalies, _key
from dlcli.formats._clock import Clock, clock_of, frequency_of, known_season


def read(
    sheets: dict,
    kinds: dict[str, str],
    names: dict[str, str],
    *,
    target: str | None,
    forced: bool,
    warnings: list[str],
    series: str = "",
) -> Data | None:
    """All sheets as one set of series, what comes later with what came before as its history; None when they are none.

    kinds: of the first sheet's columns; a sheet that lacks one that is forecast is left out.  names: what a series is
    called whose sheet does not say it.
    """
    first, found, notes = None, {}, []
    for part, frame in sheets.items():
        own = {column: kind for column, kind in kinds.items() if column in frame.columns}
        absent = [column for column in first.about["columns"] if column not in own] if first else []
        if absent:
            notes.append(f"the {part} file has no {some(absent)}: it is not used")
            continue
        data = _series_of(frame, own, name=names[part], target=target, forced=forced, series=series)
        if data is None:
            return None
        first = first or data
        _check_channels(first, data)
        found[part] = data
    alone = len(found) == 1
    splits = {}
    for part, data in found.items():
        notes += data.warnings if alone else [f"{part}: {warning}" for warning in data.warnings]
        examples = data.splits["all"]
        splits[part] = after(splits[list(splits)[-1]], examples) if splits else examples
    if alone:
        splits = {"all": examples}
    return Data(kind="series", splits=splits, about=first.about, warnings=warnings + notes)


def _series_of(
    frame: pl.DataFrame, kinds: dict[str, str], *, name: str, target: str | None, forced: bool, series: str
) -> Data | None:
    """The table as series, or None when it is none.

    forced: the user said so; then irregular times are taken in order instead of being refused.
    series: the columns that name them, with commas between, instead of those that are found.
    Raises: DataError when forced and the times of many rows stood before.
    """
    clock = clock_of(frame, kinds)
    if clock is None:
        if not forced:
            return None
        clock = Clock(np.arange(frame.height).astype("datetime64[us]"), [], order=True)
    measured = [column for column in kinds if column not in (*clock.columns, target)]
    label = _anomalies.column_of(frame, measured)
    if label is not None:
        frame, kinds = frame.with_columns(_anomalies.as_numbers(frame[label]).alias(label)), {**kinds, label: "numeric"}
        kinds |= dict.fromkeys(_anomalies.changes_of(frame, measured), "label")
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
    if series:
        key = _key.named(frame, series, name)
    else:
        columns = {column: kind for column, kind in kinds.items() if column not in (*clock.columns, target, label)}
        key = _key.key_of(frame, columns, clock.moments, channels)
    names = _key.labels(frame, key) if key else None
    share = _key.share_repeated(clock.moments, names)
    if not forced and share > _key.REPEATED:
        return None  # sales by day: rows that are no moments of one thing
    _key.check_times(name, share, key, clock.columns)
    channels = [column for column in channels if column not in key]
    others = [column for column in kinds if column not in (*channels, *clock.columns, *key)]
    warnings = []
    if clock.order and clock.columns and numbers(frame[clock.columns[0]]).null_count():
        warnings.append(
            f"column {clock.columns[0]!r} is not written as times are: rows are taken in the order of the file"
        )
    if len(key) > 1 and not series:
        warnings.append(f"series are told apart by {some(key)} (say otherwise with --set data.series=NAME,NAME)")
    spans, frequency, irregular = _cut(frame, clock, channels, names, name, warnings)
    teaching = [column for column in others if kinds[column] in ("category", "text", "image")]
    if not forced and ((irregular and teaching) or not set(channels) - {label}):
        return None
    if others:
        warnings.append(f"columns not used, as they are no numbers or only count rows: {some(others, 8)}")
    if label is not None:
        warnings.append(
            f"column {label!r} is taken to say which rows are anomalies (otherwise: --set data.drop={label})"
        )
    _count_missing(spans, channels, warnings)
    about = {
        "columns": channels,
        "target_columns": [target] if target else [column for column in channels if column != label],
        "frequency": frequency.name if frequency else "row",
        # None: told from the times, or from the values, when a task asks
        "season": known_season(frequency, clock),
        "time_columns": clock.columns,
        "series_column": ",".join(key) or None,
    }
    if label is not None:
        about["anomaly_column"] = label
    examples = Examples(x=spans, names=[span.name for span in spans])
    return Data(kind="series", splits={"all": examples}, about=about, warnings=warnings)


def _cut(frame, clock: Clock, channels, names: pl.Series | None, name, warnings):
    """Spans, their frequency (None: rows in order), and whether times had no regular step."""
    values = np.zeros((frame.height, len(channels)), np.float32)
    for i, column in enumerate(channels):
        values[:, i] = numbers(frame[column]).to_numpy()
    groups = {name: np.arange(frame.height)}
    if names is not None:  # in the order in which they come
        parts = pl.DataFrame({"name": names, "row": groups[name]}).group_by("name", maintain_order=True).agg("row")
        groups = {label: np.array(rows) for label, rows in parts.iter_rows()}
    counts = {"sorted": 0, "doubled": 0, "inserted": 0, "irregular": 0, "steps": 0}
    spans, frequency = [], None
    for label, rows in groups.items():
        moments, own = clock.moments[rows], values[rows]
        if (np.diff(moments) < np.timedelta64(0)).any():
            counts["sorted"] += 1
            order = np.argsort(moments, kind="stable")
            moments, own, rows = moments[order], own[order], rows[order]
        fresh = np.concatenate([[True], np.diff(moments) > np.timedelta64(0)])
        counts["doubled"] += int((~fresh).sum())
        moments, own = moments[fresh], own[fresh]
        if clock.order:
            stamps = frame[clock.columns[0]].gather(rows[fresh]).to_list() if clock.columns else None
            spans.append(Span(own, 0, len(own), label, stamps))
            continue
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


def _check_channels(first: Data, other: Data) -> None:
    """Raises: DataError when two files of one data set have different numeric columns."""
    if first.about["columns"] != other.about["columns"]:
        different = set(first.about["columns"]) ^ set(other.about["columns"])
        raise DataError(f"the files have different numeric columns: {some(sorted(different))}.")
