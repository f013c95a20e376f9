"""The next values of one or many series, from their last ones."""

import dataclasses
import itertools
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import keras
import numpy as np
from keras import layers, ops

from dlcli import metrics, sequences, task
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError, some
from dlcli.layers import ChannelsApart, ChannelsTogether, InstanceRestore, InstanceStandardize


@dataclass(kw_only=True)
class Task(task.Task):
    """Windows (L, C) of the past -> the next F steps of all C columns ("M" of the literature).

    Every column of every series is standardised by its training rows (a series that training did
    not have: by its own history). x and y are in those units; MSE and MAE too, as published.
    Windows are one step apart, and their targets lie wholly inside a span's rows, so no target is
    shared between splits; histories may reach before the span. Gaps in a history take the last
    known value; gaps in a target count nowhere. Where a history has fewer than L rows, its first
    row is repeated in front.
    """

    KINDS = {"series"}
    NEEDS = {"forecast"}
    LABELS = "none"
    PREFERS = ("patchtst", "lstm")
    headline = "mse"
    higher_is_better = False

    columns: list[str]
    targets: list[str]
    horizon: int
    lookback: int
    season: int
    instance_norm: str
    independent: bool
    linear: bool
    patch: int
    # By the series' names: the mean and spread of each column in training, and the mean absolute
    # difference between values one season apart there (the denominator of MASE; 0: none), original units.
    mean: dict[str, list[float]]
    spread: dict[str, list[float]]
    seasonal: dict[str, list[float]]
    windows: int

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        horizon: int | None = None,
        lookback: int | None = None,
        season: int | None = None,
        instance_norm: str = "revin",
        independent: bool = True,
        linear: bool = True,
        patch: int | None = None,
    ) -> "Task":
        """horizon: steps to forecast (default: the test rows of an archive, else 24).  lookback:
        steps of history that the model sees.  season: steps after which the series repeats.
        instance_norm: revin, last or none.  independent: every column by itself, through the same
        weights.  linear: what the network gives is added to a linear map of the window.  patch:
        steps between the patches that it reads."""
        if instance_norm not in ("revin", "last", "none"):
            raise DataError(f"instance_norm is {instance_norm!r}.", "it must be revin, last or none.")
        if not len(train):
            raise DataError("there are no training series.", "check the path and the split.")
        widths = {span.values.shape[1] for span in train.x}
        if len(widths) > 1:
            raise DataError(f"series have different numbers of columns: {some(sorted(widths))}.")
        horizon = horizon or data.about.get("horizon") or 24
        rows = [span.stop for span in train.x]
        if max(rows) <= horizon:
            raise DataError(
                f"the longest training series has {max(rows)} rows, and the horizon is {horizon}.",
                "choose a shorter --horizon.",
            )
        lookback = lookback or default_lookback(int(np.median(rows)), horizon)
        season = season or data.about.get("season") or season_of(train.x[0])
        _count_gaps(data)
        mean, spread, seasonal = {}, {}, {}
        for span in train.x:
            known = span.values[: span.stop]
            mean[span.name], spread[span.name] = sequences.statistics([known])
            seasonal[span.name] = np.nan_to_num(metrics.seasonal_scale(known, season)).tolist()
        columns = list(data.about.get("columns") or [f"column{i}" for i in range(widths.pop())])
        return cls(
            columns=columns,
            targets=list(data.about.get("target_columns") or columns),
            horizon=horizon,
            lookback=lookback,
            season=season,
            instance_norm=instance_norm,
            independent=independent,
            linear=linear,
            patch=patch or sequences.default_patch(lookback, 42),
            mean=mean,
            spread=spread,
            seasonal=seasonal,
            windows=sum(len(_starts(span, lookback, horizon)) for span in train.x),
        )

    # ---- data --------------------------------------------------------------------------------

    def source(self, examples: Examples, *, training: bool) -> "Windows":
        wrong = [span for span in examples.x if span.values.shape[1] != len(self.columns)]
        if wrong:
            raise DataError(
                f"series {wrong[0].name!r} has {wrong[0].values.shape[1]} columns, not {len(self.columns)}.",
                f"the model was trained on {some(self.columns, 8)}.",
            )
        self._scored = Windows.cut(self, examples.x)
        return self._scored

    def scale(self, span: Span) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (C,) of a series' columns, original units."""
        if span.name in self.mean:
            return np.array(self.mean[span.name]), np.array(self.spread[span.name])
        mean, spread = sequences.statistics([span.values[: max(span.start, 1)]])
        return np.array(mean), np.array(spread)

    def future(self, examples: Examples) -> Examples:
        """The same series, with what comes after their last rows to be forecast."""
        spans = [
            dataclasses.replace(span, start=len(span.values), stop=len(span.values) + self.horizon)
            for span in examples.x
        ]
        return Examples(x=spans, names=examples.names)

    # ---- model -------------------------------------------------------------------------------

    def inputs(self):
        return keras.Input((self.lookback, len(self.columns)), name="window")

    def stem(self, inputs, width: int | None):
        """Without a width: the window without its own level, (B, L, C). With one: its patches,
        (B, N, width); of one column each, (B * C, N, width), where columns are independent."""
        x, *self._instance = InstanceStandardize(self.instance_norm, name="stem_standardize")(inputs)
        self._window, self._apart = x, False
        if width is None:
            return x
        if self.independent:
            self._apart = True
            x = ChannelsApart(name="stem_apart")(x)
        return sequences.patches(x, width, self.patch, fill="before")

    def head(self, features):
        """Features of the patches -> forecast (B, F, C), with the linear map of the window added."""
        channels = 1 if self._apart else len(self.columns)
        if len(features.shape) == 3:
            # The last patch, which ends with the window, and the mean of all. All patches laid side
            # by side overfit: on ETTh1 an LSTM's error rose by a tenth.
            last = layers.Cropping1D((features.shape[1] - 1, 0), name="head_crop")(features)
            last = layers.Flatten(name="head_last")(last)
            mean = layers.GlobalAveragePooling1D(name="head_mean")(features)
            features = layers.Concatenate(name="head_features")([last, mean])
        x = layers.Dense(self.horizon * channels, kernel_initializer=_small(), name="head_forecast")(features)
        if self._apart:
            x = ChannelsTogether(len(self.columns), name="head_together")(x)
        else:
            x = layers.Reshape((self.horizon, channels), name="head_reshape")(x)
        if self.linear:
            line = layers.Permute((2, 1), name="head_linear_in")(self._window)
            line = layers.Dense(self.horizon, kernel_initializer=_even(self.lookback), name="head_linear")(line)
            line = layers.Permute((2, 1), name="head_linear_out")(line)
            x = layers.Add(name="head_add")([x, line])
        return self.restore(x)

    def restore(self, outputs):
        """A forecast (B, F, C) in the units of the stem -> in those of x and y. For architectures
        with a head of their own: `task.wrap(task.restore(outputs))`."""
        return InstanceRestore(name="head_restore")([outputs, *self._instance])

    def loss(self):
        return ObservedError(power=2)

    def metrics(self) -> list:
        return [keras.metrics.MeanMetricWrapper(observed_mae, name="mae")]

    # ---- scores ------------------------------------------------------------------------------

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        measures = {"p": np.asarray(y_pred, np.float32)}
        if y is not None:
            measures["y"] = np.asarray(y, np.float32)
        return measures

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        # A batch has no place for them: the series of the windows are those of the source made last.
        windows = self._scored
        assert len(windows) == len(measures["p"]), "report() scores what source() made last"
        mean, spread, seasonal = (np.array(part)[windows.span] for part in windows.scales)
        return metrics.forecast(
            measures["y"],
            measures["p"],
            mean=mean,
            std=spread,
            mase_scale=seasonal,
            season=self.season,
            series=windows.span,
            channels=self.columns,
        )

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        """For each series the steps after its known rows, one row per step, original units."""
        source = self.source(examples, training=False)
        last = {int(number): i for i, number in enumerate(source.span)}
        for number, span in enumerate(examples.x):
            if number not in last:
                continue
            mean, spread = self.scale(span)
            first = source.at[last[number]] - source.offset[number]
            forecast = outputs["p"][last[number]] * spread + mean
            for step, values in enumerate(forecast):
                row = {"series": span.name} if len(examples.x) > 1 else {}
                row["time"] = time_at(span, int(first) + step)
                named = zip(self.columns, values, strict=True)
                yield row | {name: float(value) for name, value in named if name in self.targets}

    def describe(self) -> str:
        many = f"{len(self.mean)} series, " if len(self.mean) > 1 else ""
        return (
            f"{many}{len(self.columns)} columns, {self.windows} windows, "
            f"{self.lookback} steps of history -> {self.horizon} ahead, season {self.season}"
        )


@dataclass(frozen=True)
class Windows:
    """All windows of some spans, gathered from the standardised rows when asked for.

    x, y: all spans' rows one after another (N, C), without and with gaps, and F rows of gaps
    behind each. span, at (n,): a window's span, and the row where its target begins.
    offset: the row where a span begins.  scales: mean, spread and seasonal difference of the
    columns, one row for each span.
    """

    x: np.ndarray
    y: np.ndarray
    span: np.ndarray
    at: np.ndarray
    offset: np.ndarray
    scales: tuple[list, list, list]
    lookback: int
    horizon: int

    @classmethod
    def cut(cls, task: Task, spans: list[Span]) -> "Windows":
        xs, ys, numbers, starts, offsets, offset = [], [], [], [], [], 0
        scales = ([], [], [])
        history_only = [i for i, name in enumerate(task.columns) if name not in task.targets]
        for number, span in enumerate(spans):
            mean, spread = task.scale(span)
            seasonal = task.seasonal.get(span.name, np.full(len(mean), np.nan))
            for kept, values in zip(scales, (mean, spread, seasonal), strict=True):
                kept.append(values)
            rows = ((np.asarray(span.values, np.float64) - mean) / spread).astype(np.float32)
            rows[~np.isfinite(rows)] = np.nan
            after = np.full((task.horizon, rows.shape[1]), np.nan, np.float32)
            ys.append(np.concatenate([rows, after]))
            ys[-1][:, history_only] = np.nan
            xs.append(np.concatenate([sequences.carried_forward(rows), after]))
            begin = _starts(span, task.lookback, task.horizon)
            if span.start < len(span.values):
                begin = begin[_observed(ys[-1], begin, task.horizon)]
            starts.append(begin + offset)
            numbers.append(np.full(len(begin), number))
            offsets.append(offset)
            offset += len(xs[-1])
        return cls(
            np.concatenate(xs),
            np.concatenate(ys),
            np.concatenate(numbers),
            np.concatenate(starts),
            np.array(offsets),
            scales,
            task.lookback,
            task.horizon,
        )

    def __len__(self) -> int:
        return len(self.at)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        at = self.at[indices][:, None]
        first = self.offset[self.span[indices]][:, None]
        history = np.maximum(at + np.arange(-self.lookback, 0), first)
        return self.x[history], self.y[at + np.arange(self.horizon)]


def _starts(span: Span, lookback: int, horizon: int) -> np.ndarray:
    """Rows where a target of `horizon` rows may begin inside the span: with a whole history before
    it, or at least with one row where the series is too short for that."""
    first = span.start if span.start > 0 else max(1, min(lookback, span.stop - horizon))
    return np.arange(first, span.stop - horizon + 1)


def _observed(rows: np.ndarray, starts: np.ndarray, horizon: int) -> np.ndarray:
    """Which of the targets have any value at all."""
    known = np.concatenate([[0], np.cumsum(np.isfinite(rows).any(axis=1))])
    return known[starts + horizon] > known[starts]


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
        step = statistics.median(later - sooner for sooner, later in itertools.pairwise(stamps))
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


def _count_gaps(data: Data) -> None:
    spans = {id(span.values): span.values for examples in data.splits.values() for span in examples.x}
    gaps = sum(int((~np.isfinite(values)).sum()) for values in spans.values())
    total = sum(values.size for values in spans.values())
    if gaps:
        data.warnings.append(
            f"{gaps} of {total} values are gaps: histories take the last known value there, targets leave them out"
        )


def _small():
    """The network's part starts near nothing, so training starts from the linear map."""
    return keras.initializers.RandomNormal(stddev=1e-3)


def _even(steps: int):
    """The linear map starts as the mean of the window (LTSF-Linear's 1/L)."""
    return keras.initializers.Constant(1.0 / steps)


@keras.saving.register_keras_serializable("dlcli")
class ObservedError(keras.losses.Loss):
    """Mean of |y - y_pred| ** power over the values of a window that were observed (are not NaN)."""

    def __init__(self, power=2, name="observed_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.power = power

    def call(self, y_true, y_pred):
        return _observed_error(y_true, y_pred, self.power)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


@keras.saving.register_keras_serializable("dlcli")
def observed_mae(y_true, y_pred):
    """Mean absolute error of each window over its observed values: (B, F, C) -> (B,)."""
    return _observed_error(y_true, y_pred, 1)


def _observed_error(y_true, y_pred, power):
    y_pred = ops.cast(y_pred, "float32")
    known = ops.logical_not(ops.isnan(y_true))
    error = ops.abs(ops.where(known, y_true, 0.0) - ops.where(known, y_pred, 0.0)) ** power
    axes = tuple(range(1, len(y_true.shape)))
    count = ops.sum(ops.cast(known, "float32"), axis=axes)
    return ops.sum(error, axis=axes) / ops.maximum(count, 1.0)
