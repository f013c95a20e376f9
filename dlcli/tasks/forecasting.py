"""The next values of one or many series, from their last ones."""

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers

from dlcli import metrics, scaling, sequences, task
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError, some
from dlcli.layers import ChannelsApart, ChannelsTogether, InstanceRestore, InstanceStandardize
from dlcli.observed import ObservedError, observed_mae
from dlcli.scaling import Scale
from dlcli.tasks import _line
from dlcli.windows import Windows, default_lookback, gaps, season_of, starts, time_at, trained_on

COLUMNS = 8  # up to so many are forecast at the usual cost of a window
HORIZON = 24  # steps, where neither the user nor the data says how many


@dataclass(kw_only=True)
class Task(task.Task):
    """Windows (L, C) of the past -> the next F steps of all C columns ("M" of the literature).

    Every column of every series is standardised by its training rows (a series that training did
    not have: by its own history). x and y are in those units; MSE and MAE too, as published. Many series without
    negative values, whose changes are more alike in proportion than in size, are read and forecast on a logarithmic
    scale; their scores are of the values themselves.
    Windows are one step apart, and their targets lie wholly inside a span's rows, so no target is shared between splits;
    histories may reach before the span. Gaps in a history take the last known value; gaps in a target count nowhere, nor
    do columns that are not in `targets`. Where a history has fewer than L rows, its first row is repeated in front.
    """

    KINDS = {"series"}
    NEEDS = {"forecast"}
    EACH = "mse"
    LABELS = "none"
    PREFERS = ("patchtst", "lstm")
    INPUT = {name: name for name in ("lookback", "horizon", "instance_norm", "independent", "linear", "patch")}
    COMPUTED = {_line.COMBINED}
    settle = staticmethod(_line.settle)
    headline = "mse"

    columns: list[str]
    targets: list[str]
    horizon: int
    lookback: int
    season: int
    instance_norm: str
    independent: bool
    linear: bool
    patch: int
    logarithmic: bool = False
    # By the series' names, of each column in training: what `scaling.Scale` holds; seasonal differences 0 where there
    # are none. level, deviation and unit only on a logarithmic scale.
    mean: dict[str, list[float]]
    spread: dict[str, list[float]]
    seasonal: dict[str, list[float]]
    level: dict[str, list[float]] = field(default_factory=dict)
    deviation: dict[str, list[float]] = field(default_factory=dict)
    unit: dict[str, list[float]] = field(default_factory=dict)
    windows: int
    per_pass: int = 16_384
    mirror: bool = False
    _learned_of = None  # the training series, while the process lasts

    def __post_init__(self):
        super().__post_init__()
        if len(self.mean) >= metrics.MANY_SERIES:
            # squares would be of the few series that change most (Makridakis et al., 2020, judge M4 by this one)
            self.headline = "smape"

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
        log: bool | None = None,
        per_pass: int = 16_384,
        mirror: bool | None = None,
    ) -> "Task":
        """horizon: steps to forecast (default: the test rows of an archive, else HORIZON).  lookback:
        steps of history that the model sees.  season: steps after which the series repeats.
        instance_norm: revin, last or none.  independent: every column by itself, through the same
        weights.  linear: what the network gives is added to a linear map of the window.  patch:
        steps between the patches that it reads.  log: on a logarithmic scale (default: many series, none
        with negative values, whose changes are more alike so).  per_pass: training windows that a pass takes
        at most, evenly from all series, for neighbours are nearly the same.  mirror: half of them upside down
        (default: where the scale is not logarithmic, for there growth is of one direction)."""
        if instance_norm not in ("revin", "last", "none"):
            raise DataError(f"instance_norm is {instance_norm!r}.", "it must be revin, last or none.")
        if not len(train):
            raise DataError("there are no training series.", "check the path and the split.")
        widths = {span.values.shape[1] for span in train.x}
        if len(widths) > 1:
            raise DataError(f"series have different numbers of columns: {some(sorted(widths))}.")
        horizon = horizon or data.about.get("horizon") or HORIZON
        rows = [span.stop for span in train.x]
        if max(rows) <= horizon:
            raise DataError(
                f"the longest training series has {max(rows)} rows, and the horizon is {horizon}.",
                "choose a shorter --horizon.",
            )
        lookback = lookback or default_lookback(int(np.median(rows)), horizon)
        season = season or data.about.get("season") or season_of(train.x[0])
        data.warnings.extend(gaps(data))
        known = [span.values[: span.stop] for span in train.x]
        if log is None:
            # of one table all columns count alike in the scores that are published, by the size of their errors
            log = len(known) >= metrics.MANY_SERIES and scaling.multiplicative(known, season)
        elif log and any((values < 0).any() for values in known):
            raise DataError("log is set, and there are values below 0.", "leave it out: --set task.log=false.")
        # Where the archive says what is test, "in-sample" is all that it gives to learn from (M4).
        samples = [span.values for span in train.x] if "horizon" in data.about else known
        kept = scaling.kept([span.name for span in train.x], known, samples, season=season, logarithmic=log)
        columns = list(data.about.get("columns") or [f"column{i}" for i in range(widths.pop())])
        made = cls(
            columns=columns,
            targets=list(data.about.get("target_columns") or columns),
            horizon=horizon,
            lookback=lookback,
            season=season,
            instance_norm=instance_norm,
            independent=independent,
            linear=linear,
            patch=patch or sequences.default_patch(lookback, 42),
            logarithmic=log,
            **kept,
            windows=sum(len(starts(span, lookback, horizon)) for span in train.x),
            per_pass=per_pass,
            mirror=not log if mirror is None else mirror,
        )
        made._learned_of = train
        return made

    def adopting(self, source: task.Task, train: Examples) -> "Task":
        made = super().adopting(source, train)
        made.windows = sum(len(starts(span, made.lookback, made.horizon)) for span in train.x)
        made._learned_of = train
        return made

    # ---- data --------------------------------------------------------------------------------

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        wrong = [span for span in examples.x if span.values.shape[1] != len(self.columns)]
        if wrong:
            raise DataError(
                f"series {wrong[0].name!r} has {wrong[0].values.shape[1]} columns, not {len(self.columns)}.",
                f"the model was trained on {some(self.columns, 8)}.",
            )
        self._scored = Windows.cut(self, examples.x)
        return trained_on(self._scored, self.per_pass, mirror=self.mirror) if training else self._scored

    def watched(self, examples: Examples) -> task.Source:
        return self.source(examples, training=False).some(self.per_pass)

    def why_not(self, examples: Examples) -> str:
        if any(len(starts(span, self.lookback, self.horizon)) for span in examples.x):
            return ""
        rows = max((span.stop - span.start for span in examples.x), default=0)
        return f"it has {rows} rows, and a forecast takes {self.horizon}"

    def scale(self, span: Span) -> Scale:
        """Of a series' columns."""
        if span.name not in self.mean:
            nothing = np.full(len(self.columns), np.nan)
            return Scale.of(span.values[: max(span.start, 1)], seasonal=nothing, logarithmic=self.logarithmic)
        return scaling.restored(self, span.name)

    def asked(self, examples: Examples) -> task.Source:
        """The last window of each series: what comes after its rows is to be forecast."""
        spans = [
            dataclasses.replace(span, start=len(span.values), stop=len(span.values) + self.horizon)
            for span in examples.x
        ]
        return self.source(Examples(x=spans, names=examples.names), training=False)

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
            # The last patch, which ends with the window, and the mean of all: far fewer weights than all side by side.
            last = layers.Cropping1D((features.shape[1] - 1, 0), name="head_crop")(features)
            last = layers.Flatten(name="head_last")(last)
            mean = layers.GlobalAveragePooling1D(name="head_mean")(features)
            features = layers.Concatenate(name="head_features")([last, mean])
        x = layers.Dense(self.horizon * channels, kernel_initializer=_small(), name="head_forecast")(features)
        if self._apart:
            x = ChannelsTogether(len(self.columns), name="head_together")(x)
        else:
            x = layers.Reshape((self.horizon, channels), name="head_reshape")(x)
        return self.restore(self.on_line(x, begin=True))

    def on_line(self, outputs, *, begin: bool = False):
        """A forecast (B, F, C) in the units of the stem, with linear maps of the window where they are asked for."""
        return _line.added(outputs, self._window, self._best, begin=begin) if self.linear else outputs

    @functools.cached_property
    def _best(self) -> np.ndarray | None:
        """The best linear map; None of a task that comes from the disk, with a model."""
        known = self.linear and self._learned_of
        return _line.best(Windows.cut(self, self._learned_of.x), self.instance_norm) if known else None

    def restore(self, outputs):
        """A forecast (B, F, C) in the units of the stem -> in those of x and y. With a head of one's own: `task.wrap(…)`."""
        return InstanceRestore(name="head_restore")([outputs, *self._instance])

    def loss(self):
        return ObservedError(power=2)

    def metrics(self) -> list:
        return [keras.metrics.MeanMetricWrapper(observed_mae, name="mae")]

    # ---- scores ------------------------------------------------------------------------------

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        known = {} if y is None else {"y": np.asarray(y, np.float32)}
        return {"p": np.asarray(y_pred, np.float32)} | known

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        values = self._scored_values(measures)
        report = metrics.forecast(**values, season=self.season, series=self._scored.span, channels=self.columns)
        first = {self.headline: report.scores[self.headline]} if self.headline in report.scores else {}
        return dataclasses.replace(report, scores=first | report.scores)

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        total, count = metrics.window_errors(self.headline, **self._scored_values(measures))
        # windows may have gaps: so weighted, the mean is that of all known values
        return self.headline, total / count.mean()

    def _scored_values(self, measures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What errors are computed of. A batch has no place for series: those of the windows are the last source's."""
        windows = self._scored
        assert len(windows) == len(measures["p"]), "what is scored is what source() made last"
        scale = Scale.each(windows.scales, windows.span)
        return {
            "y": scale.scored(measures["y"]),
            "p": scale.scored(measures["p"]),
            "mean": scale.level[:, 0],
            "std": scale.deviation[:, 0],
            "mase_scale": scale.seasonal[:, 0],
        }

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        """For each series the steps after its known rows, one row per step, original units."""
        source = self.asked(examples)
        last = {int(number): i for i, number in enumerate(source.span)}
        for number, span in enumerate(examples.x):
            if number not in last:
                continue
            first = source.at[last[number]] - source.offset[number]
            forecast = source.scales[number].outside(outputs["p"][last[number]])
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
            f"{', logarithmic scale' if self.logarithmic else ''}"
        )


def _small():
    """The network's part starts near nothing, so training starts from the map."""
    return keras.initializers.RandomNormal(stddev=1e-3)
