"""Windows of series for forecasting, cut when asked for; and what time stamps tell."""

import statistics
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from dlcli import least_squares, sequences
from dlcli.data import Data, Examples, Span
from dlcli.scaling import Scale

STEPS = 96  # ahead: so far all windows are taken in a pass


@dataclass(frozen=True)
class Windows:
    """All windows of some spans, gathered from the standardised rows when asked for.

    x, y: all spans' rows one after another (N, C), without and with gaps, and F rows of gaps
    behind each. span, at (n,): a window's span, and the row where its target begins.
    offset: the row where a span begins.  scales: of the columns, one for each span.
    """

    x: np.ndarray
    y: np.ndarray
    span: np.ndarray
    at: np.ndarray
    offset: np.ndarray
    scales: list[Scale]
    lookback: int
    horizon: int

    @classmethod
    def cut(cls, task, spans: list[Span]) -> "Windows":
        xs, ys, numbers, begins, offsets, offset = [], [], [], [], [], 0
        scales = [task.scale(span) for span in spans]
        history_only = [i for i, name in enumerate(task.columns) if name not in task.targets]
        for number, (span, scale) in enumerate(zip(spans, scales, strict=True)):
            rows = scale.inside(span.values).astype(np.float32)
            rows[~np.isfinite(rows)] = np.nan
            after = np.full((task.horizon, rows.shape[1]), np.nan, np.float32)
            ys.append(np.concatenate([rows, after]))
            ys[-1][:, history_only] = np.nan
            xs.append(np.concatenate([sequences.carried_forward(rows), after]))
            begin = starts(span, task.lookback, task.horizon)
            if span.start < len(span.values):
                begin = begin[_observed(ys[-1], begin, task.horizon)]
            begins.append(begin + offset)
            numbers.append(np.full(len(begin), number))
            offsets.append(offset)
            offset += len(xs[-1])
        return cls(
            np.concatenate(xs),
            np.concatenate(ys),
            np.concatenate(numbers),
            np.concatenate(begins),
            np.array(offsets),
            scales,
            task.lookback,
            task.horizon,
        )

    def __len__(self) -> int:
        return len(self.at)

    @property
    def at_once(self) -> int:
        """Windows that a model is given at a time for a score: fewer where each is many series."""
        return least_squares.enough(256, self.x.shape[1])

    def some(self, most: int) -> "Windows":
        """At most so many of them, evenly."""
        if len(self) <= most:
            return self
        rows = np.linspace(0, len(self) - 1, most).astype(int)
        return replace(self, span=self.span[rows], at=self.at[rows])

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        at = self.at[indices][:, None]
        first = self.offset[self.span[indices]][:, None]
        history = np.maximum(at + np.arange(-self.lookback, 0), first)
        return self.x[history], self.y[at + np.arange(self.horizon)]


@dataclass(frozen=True)
class Sample:
    """`count` of the windows in every pass: number i is drawn anew from the i-th of equal stretches."""

    windows: Windows
    count: int

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        at = (np.asarray(indices) + rng.random(len(indices))) * len(self.windows) / self.count
        return self.windows.batch(at.astype(np.int64), rng)


@dataclass(frozen=True)
class Mirrored:
    """Half of the windows upside down, drawn anew every time (flipping; Wen et al., 2021).

    A network that has seen both cannot take for a rule that what went up in the few months of a table came down again.
    Trained on the first two thirds of ETTh2's training part (look-back 96), patchtst has on the last third, where levels
    are others, 1.04 to 1.32 times the error of the linear map, more with every pass; with this 1.02 down to 1.00
    (geometric means over columns).
    """

    windows: Windows | Sample

    def __len__(self) -> int:
        return len(self.windows)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        x, y = self.windows.batch(indices, rng)
        sign = rng.choice(np.float32([-1, 1]), size=(len(indices), 1, 1))
        return sign * x, sign * y


def trained_on(windows: Windows, most: int, *, mirror: bool) -> Windows | Sample | Mirrored:
    """What training draws from: at most so many of the windows in a pass, and where targets are long, one in so many.

    Targets of 336 steps overlap so much that more are too many: of ETTh1 (look-back 336) patchtst's validation error went
    from 1.02 to 1.08 times that of the linear map in eight passes over every second window, and from 1.03 to 1.00 in six
    over every third.
    """
    each = np.bincount(windows.span)  # those of different spans do not overlap
    most = min(most, int(np.ceil(each / max(1, windows.horizon // STEPS)).sum()))
    source = Sample(windows, most) if len(windows) > most else windows
    return Mirrored(source) if mirror else source


def starts(span: Span, lookback: int, horizon: int) -> np.ndarray:
    """Rows where a target of `horizon` rows may begin inside the span: with a whole history before
    it, or at least with one row where the series is too short for that."""
    first = span.start if span.start > 0 else max(1, min(lookback, span.stop - horizon))
    return np.arange(first, span.stop - horizon + 1)


def ending_at(spans: list[Span], length: int, *, label: int | None = None, most: int | None = None) -> Examples:
    """For every row of the spans the `length` rows that end with it, (length, C), gaps carried forward.

    A window may reach back before its span. label: a column that is no value but says, not 0, that the
    row is an anomaly; y is then "anomaly" or "normal".  most: windows taken at most, evenly.
    """
    x, y, names = [], [], []
    for span in spans:
        values = np.asarray(span.values, np.float32)[: span.stop]
        known = sequences.carried_forward(values if label is None else np.delete(values, label, axis=1))
        if len(known) < length:
            continue
        cut = np.lib.stride_tricks.sliding_window_view(known, length, axis=0).swapaxes(1, 2)  # (n, length, C)
        first = max(span.start, length - 1)
        x += list(cut[first - length + 1 :])
        names += [f"{span.name} {time_at(span, row)}".strip() for row in range(first, span.stop)]
        if label is not None:
            marked = np.nan_to_num(values[first:, label]) != 0
            y += np.where(marked, "anomaly", "normal").tolist()
    found = Examples(x=x, y=y if label is not None else None, names=names)
    if most and len(x) > most:
        found = found.take(np.linspace(0, len(x) - 1, most).astype(np.int64))
    return found


def _observed(rows: np.ndarray, begin: np.ndarray, horizon: int) -> np.ndarray:
    """Which of the targets have any value at all."""
    known = np.concatenate([[0], np.cumsum(np.isfinite(rows).any(axis=1))])
    return known[begin + horizon] > known[begin]


def gaps(data: Data) -> list[str]:
    """A warning of values that are not known."""
    spans = {id(span.values): span.values for examples in data.splits.values() for span in examples.x}
    unknown = sum(int((~np.isfinite(values)).sum()) for values in spans.values())
    if not unknown:
        return []
    total = sum(values.size for values in spans.values())
    return [f"{unknown} of {total} values are gaps: histories take the last known value there, targets leave them out"]


def default_lookback(rows: int, horizon: int) -> int:
    """Four horizons within 96..336 (336: Zeng et al., 2023), and at most half of a series."""
    return max(1, min(336, max(96, 4 * horizon), (rows - horizon) // 2))


def season_of(span: Span) -> int:
    """Steps in a day, week or year, from the time stamps; without them from the autocorrelation."""
    step = _step(span.times)
    if step is None:
        return _autocorrelated(sequences.carried_forward(span.values[: span.stop]))
    days = step / timedelta(days=1)
    if days < 1:
        return max(1, round(1 / days))
    for longest, season in ((1.5, 7), (8, 52), (32, 12), (93, 4)):
        if days < longest:
            return season
    return 1


def _step(times) -> timedelta | None:
    """The usual distance between time stamps."""
    if times is None or len(times) < 3:
        return None
    try:
        stamps = [datetime.fromisoformat(str(text)) for text in times[-50:]]
        step = statistics.median(later - sooner for sooner, later in pairwise(stamps))
    except (ValueError, TypeError):
        return None
    return step if step > timedelta(0) else None


def _autocorrelated(values: np.ndarray) -> int:
    """The first lag whose autocorrelation is a peak above 0.3, beyond chance, and nearly the highest; 1 if none."""
    n = min(len(values), 5000)
    x = np.diff(values[-n:].astype(np.float64), axis=0)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    lags = min(n // 3, 400)
    least = max(0.3, 4 / n**0.5)
    r = np.array([np.mean(x[lag:] * x[: len(x) - lag]) if lag else 1.0 for lag in range(lags)])
    peaks = [lag for lag in range(2, lags - 1) if r[lag] > least and r[lag] >= max(r[lag - 1], r[lag + 1])]
    return next((lag for lag in peaks if r[lag] >= 0.9 * max(r[peaks])), 1)


def time_at(span: Span, row: int) -> str:
    """The time stamp of a row, continued after the last; without stamps, the row's number."""
    if span.times is not None and row < len(span.times):
        return str(span.times[row])
    step = _step(span.times)
    if step is None:
        return str(row)
    last, ahead = datetime.fromisoformat(str(span.times[-1])), row - len(span.times) + 1
    months = round(step.days / 30.4)
    if months and step.days >= 28 and abs(step.days / months - 30.4) < 2.5:
        month = last.month - 1 + months * ahead
        year, month = last.year + month // 12, month % 12 + 1
        for day in (last.day, 30, 29, 28):
            try:
                moved = last.replace(year=year, month=month, day=day)
                break
            except ValueError:
                continue
    else:
        moved = last + ahead * step
    text = str(span.times[-1])
    return moved.date().isoformat() if len(text) <= 10 else moved.isoformat(sep=text[10])
