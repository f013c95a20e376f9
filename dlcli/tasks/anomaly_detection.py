"""Find what is unlike the normal examples: an autoencoder that has seen only those fails on the rest."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote

import keras
import numpy as np

from dlcli import metrics, pixels, task
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some
from dlcli.tasks import _columns, reconstruction
from dlcli.tasks.reconstruction import learned
from dlcli.windows import ending_at

_SHOWN = 20
_WINDOWS = 20_000  # of a series that training sees at most


@dataclass(kw_only=True)
class Task(reconstruction.Task):
    """x: {"values", "anomaly"} -> the values again; the squared error is the score. Training sees
    the examples of class `normal` only, or all of them where there are no classes (""). Of a long series,
    every row is scored by the window that ends with it. The loss
    that chooses the epoch does not count anomalies either."""

    KINDS = {"images", "sequences", "series", "table"}
    FINDS = "anomalies"
    NEEDS = {"bottleneck"}
    EACH = ""  # its headline is of pairs, not of examples
    PREFERS = ("conv-autoencoder", "lstm-autoencoder", "dense-autoencoder")
    ONLY = {"label": "series"}  # options for one kind of data
    headline = "roc_auc"

    normal: str
    target: str
    window: int = 0  # 0 where the data is no long series
    label: int | None = None

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        normal: str | None = None,
        code: int = 16,
        size: int | None = None,
        loss: str = "mse",
        window: int = 64,
        label: str | None = None,
    ) -> "Task":
        """normal: the class that is normal.  code, size, loss: as in reconstruction.  window: of a
        long series, the steps that end with the one that is scored.  label: its column that is not
        0 where something was wrong (default: one called so); it is not read by the model."""
        if loss not in ("mse", "bce") or (loss == "bce" and data.kind != "images"):
            raise DataError(f"task.loss={loss!r} is not for {data.kind}.", "mse, or for pictures bce.")
        given = {}
        if data.kind == "series":
            label = label or data.about.get("anomaly_column")
            given = {"window": window, "label": _column(label, data)}
            train = ending_at(train.x, window, label=given["label"], most=_WINDOWS)
            data = dataclasses.replace(data, kind="sequences")
            if len(train) == 0:
                raise DataError(f"no training series has {window} rows.", "choose a smaller --set task.window.")
            normal = normal or (None if label is None else "normal")
        target = data.about.get("target") or ""
        labels = _labels(train, target)
        classes = sorted(set(labels)) if labels is not None else []
        if normal is None and len(classes) > 1:
            raise DataError(
                f"which of the {len(classes)} classes is normal: {some(classes, 10)}?",
                f"for example --set {quote(f'task.normal={classes[0]}')}{_as_rows(data, target)}.",
            )
        normal = normal or (classes[0] if classes else "")
        if classes and normal not in classes:
            raise DataError(f"no training example is of class {normal!r}.", f"known: {some(classes, 10)}.")
        if labels is not None:
            train = train.take(np.flatnonzero(labels == normal))
        fields = learned(train, data, size=size) | given
        return cls(normal=normal, target=target, code=code, error=loss, **fields)

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        if self.window:
            examples = self._windows(examples, most=_WINDOWS if training else None)
        labels = _labels(examples, self.target)
        anomaly = None if labels is None or not self.normal else labels != self.normal
        if training and anomaly is not None:
            kept = np.flatnonzero(~anomaly)
            if len(kept) == 0:
                raise DataError(f"no training example is of class {self.normal!r}.", "check task.normal.")
            return _Labelled(super().source(examples.take(kept), training=True), anomaly[kept])
        return _Labelled(super().source(examples, training=training), anomaly)

    def inputs(self):
        # a list: Keras then takes the input from x by name, and leaves the label
        return [keras.Input(self.shape, name="values")]

    def stem(self, inputs, width: int | None):
        return super().stem(inputs[0], width)

    def metrics(self) -> list:
        return []

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        measures = {"error": super().measure(x["values"], y, y_pred)["mse"]}
        if "anomaly" in x:
            measures["anomaly"] = np.asarray(x["anomaly"])
        return measures

    def measured(self, model: keras.Model, source: task.Source, train: Examples | None) -> dict[str, np.ndarray]:
        return {}

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        error, anomaly = measures["error"], measures.get("anomaly")
        highest = np.argsort(-error, kind="stable")[:_SHOWN]
        rows = [{"example": int(i), "error": float(error[i])} for i in highest]
        if anomaly is None or len(set(anomaly.tolist())) < 2:
            why = "nothing says which examples are anomalies" if anomaly is None else "all examples are of one side"
            why += ", so nothing can be scored. The highest errors are in RUN/evaluate; `dlcli predict` ranks all examples."
            return task.Report(scores={}, tables={"highest errors": rows}, unscored=why)
        for row in rows:
            row["anomaly"] = "yes" if anomaly[row["example"]] else "no"
        report = metrics.anomaly(error, anomaly)
        formulas = report.formulas | {"error": "mean squared error of an example; the higher, the stranger"}
        return task.Report(scores=report.scores, tables={"highest errors": rows}, formulas=formulas)

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        error = outputs["error"]
        rank = np.empty(len(error), int)
        rank[np.argsort(-error, kind="stable")] = np.arange(1, len(error) + 1)
        if self.window:
            examples = self._windows(examples)
        for i, name in enumerate(pixels.names(examples)):
            yield {"name": name, "error": float(error[i]), "rank": int(rank[i])}

    def _windows(self, examples: Examples, most: int | None = None) -> Examples:
        """One for every row; series without the column of labels are not labelled."""
        labelled = all(span.values.shape[1] == self.shape[1] + 1 for span in examples.x)
        return ending_at(examples.x, self.window, label=self.label if labelled else None, most=most)

    def describe(self) -> str:
        return super().describe() + (f", normal is {self.normal}" if self.normal else "")


class _Labelled:
    """A source whose x carries, beside the values, whether each example is an anomaly."""

    def __init__(self, source: task.Source, anomaly: np.ndarray | None):
        self.source = source
        self.anomaly = anomaly

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        values, y, *weight = self.source.batch(indices, rng)
        if self.anomaly is None:
            return {"values": values}, y, *weight
        anomaly = self.anomaly[indices]
        # one weight per mean over the last axis, which is what a Keras loss is made of
        normal = (~anomaly).astype(np.float32).reshape(-1, *[1] * (y.ndim - 2))
        weight = weight[0] * normal if weight else normal
        return {"values": values, "anomaly": anomaly}, y, weight


def _column(label: str | None, data: Data) -> int | None:
    """The place of the column that says what is an anomaly."""
    columns = [str(name) for name in data.about.get("columns") or []]
    if label is not None and label not in columns:
        raise DataError(f"the series have no column {label!r}.", f"they have {some(columns, 8)}.")
    if label is not None and len(columns) == 1:
        raise DataError(f"the series have no column but {label!r}.", "something is to be read too.")
    return None if label is None else columns.index(label)


def _as_rows(data: Data, target: str) -> str:
    """What else may be meant, where rows of a table have times."""
    columns = data.about.get("columns") if data.kind == "table" else None
    timed = isinstance(columns, dict) and "time" in columns.values()
    return f"; or, where rows are moments of a series, --set task.label={target}" if timed else ""


def _labels(examples: Examples, target: str) -> np.ndarray | None:
    """Classes (n,) of str, or None where there are no classes."""
    known = examples.y if target == "" or examples.y is not None else _columns.answers(examples, target)
    if known is None or len(known) == 0 or not isinstance(known[0], str):
        return None
    return np.asarray(known, str)
