"""Classes of the rows of a table: numbers, categories, times and short texts together."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from dlcli import columns as prepared
from dlcli import metrics, task
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some
from dlcli.tasks import _columns


@dataclass(kw_only=True)
class Task(task.Task):
    KINDS = {"table"}
    LABELS = "classes"
    NEEDS = {"columns"}
    PREFERS = ("mlp",)
    headline = "accuracy"

    target: str
    classes: list[str]
    columns: list[dict]
    category_width: int
    count: int

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        numeric: str = "quantile",
        bins: int | None = None,
        words: int = 2000,
        category_width: int = 8,
    ) -> "Task":
        """numeric: quantile (ranks made normal) or standard.  bins: numbers also as so many filled
        bins; 0 for none, by default as many as the rows allow.  words: kept of each text column.
        category_width: of a category's embedding."""
        y = _columns.answers(train, data.about.get("target"))
        if y is None:
            raise DataError("the table has no target.", "name its column with --target.")
        classes = _in_order(set(y.astype(str).tolist()))
        if len(classes) < 2:
            message = f"all {len(y)} training rows have the same target: {classes[0]}."
            raise DataError(message, "at least two classes are needed.")
        if len(classes) > max(20, len(y) // 2):
            raise DataError(
                f"the target has {len(classes)} different values in {len(y)} rows, too many for classes.",
                "for numbers: --task tabular-regression.",
            )
        return cls(
            target=data.about.get("target") or "target",
            classes=classes,
            columns=_columns.learn(train, data, numeric=numeric, bins=bins, words=words),
            category_width=category_width,
            count=len(train),
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        known = _columns.answers(examples, self.target) is not None
        y = np.eye(len(self.classes), dtype=np.float32)[self.targets(examples)] if known else None
        return task.Arrays(prepared.encode(examples.x, self.columns), y)

    def inputs(self):
        return _columns.inputs(self.columns)

    def stem(self, inputs, width: int | None):
        return _columns.stem(inputs, self.columns, category_width=self.category_width, width=width)

    def head(self, features):
        x = layers.Dense(len(self.classes), name="head_logits")(task.pooled(features))
        return layers.Activation("softmax", dtype="float32", name="head_softmax")(x)

    def loss(self):
        return keras.losses.CategoricalCrossentropy()

    def metrics(self) -> list:
        return [keras.metrics.CategoricalAccuracy(name="accuracy")]

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        measures = {"p": np.asarray(y_pred, np.float32)}
        if y is not None:
            measures["y"] = np.argmax(y, axis=-1)
        return measures

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        return metrics.classification(measures["y"], measures["p"], self.classes)

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        for name, p in zip(_columns.names(examples), outputs["p"], strict=True):
            best = int(np.argmax(p))
            row = {"name": name, "prediction": self.classes[best], "probability": float(p[best])}
            if len(self.classes) <= 10:
                row |= {f"p({label})": float(value) for label, value in zip(self.classes, p, strict=True)}
            yield row

    def describe(self) -> str:
        rows = f"{self.count:,} rows".replace(",", " ")
        return f"{len(self.classes)} classes of {self.target}, {rows}, {_columns.summary(self.columns)}"

    # ---- for the baselines -------------------------------------------------------------------

    def targets(self, examples: Examples) -> np.ndarray:
        """Class numbers (n,)."""
        labels = _columns.answers(examples, self.target)
        number = {label: i for i, label in enumerate(self.classes)}
        # The test file of the Adult data ends its labels in a dot.
        number |= {f"{label}.": i for i, label in enumerate(self.classes) if f"{label}." not in number}
        unknown = sorted(set(labels.astype(str).tolist()) - number.keys())
        if unknown:
            raise DataError(f"classes that no training row has: {some(unknown)}.", f"known: {some(self.classes, 10)}.")
        return np.array([number[label] for label in labels.astype(str).tolist()], np.int64)

    def flat(self, examples: Examples) -> np.ndarray:
        """Numbers, one-hot categories and words (n, d)."""
        return prepared.flat(prepared.encode(examples.x, self.columns), self.columns)


def _in_order(labels: set[str]) -> list[str]:
    """Sorted; whole numbers by value."""
    try:
        return sorted(labels, key=int)
    except ValueError:
        return sorted(labels)
