"""Which class a whole series belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from dlcli import metrics, sequences, task
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some


@dataclass(kw_only=True)
class Task(task.Task):
    """Series (T, C), lengths and gaps as they come -> one of K classes.

    Gaps are interpolated. When the training series have one length, so has the model, and others
    are resampled to it; when they differ, short ones are padded on the right and masked, and ones
    longer than the longest of training are squeezed to it. The model takes raw values: each
    channel's mean and spread over the training series are in its stem.
    """

    KINDS = {"sequences"}
    NEEDS = {"series"}
    LABELS = "classes"
    PREFERS = ("inception-time", "resnet-1d", "lstm")
    headline = "accuracy"

    classes: list[str]
    length: int
    channels: int
    ragged: bool
    mean: list[float]
    spread: list[float]
    patch: int
    count: int

    @classmethod
    def learn(cls, train: Examples, data: Data, *, length: int | None = None, patch: int | None = None) -> "Task":
        """length: steps the model sees (default: the longest training series).  patch: steps
        between the patches that recurrent networks and transformers read (default: at most 64 patches)."""
        if len(train) == 0:
            raise DataError("there are no training series.", "check the path and the split.")
        classes = sorted({str(label) for label in train.y}, key=_natural)
        if len(classes) < 2:
            raise DataError(
                f"all training series are of class {some(classes)}.", "a classifier needs at least two classes."
            )
        widths = {np.shape(x)[1] for x in train.x}
        if len(widths) > 1:
            raise DataError(f"series have different numbers of channels: {some(sorted(widths))}.")
        many = [sequences.trimmed(x) for x in train.x]
        lengths = [len(x) for x in many]
        length = length or max(lengths)
        mean, spread = sequences.statistics(many)
        _count_gaps(data)
        return cls(
            classes=classes,
            length=length,
            channels=widths.pop(),
            ragged=min(lengths) < max(lengths),
            mean=mean,
            spread=spread,
            patch=patch or sequences.default_patch(length),
            count=len(train),
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        many = [sequences.interpolated(x) for x in self._checked(examples)]
        x = sequences.stacked(many, self.length, ragged=self.ragged)
        y = None
        if examples.y is not None:
            y = np.eye(len(self.classes), dtype=np.float32)[self.targets(examples)]
        return task.Arrays(x, y)

    def inputs(self):
        return keras.Input((self.length, self.channels), name="series")

    def stem(self, inputs, width: int | None):
        return sequences.stem(inputs, width, mean=self.mean, spread=self.spread, ragged=self.ragged, patch=self.patch)

    def head(self, features):
        x = task.pooled(features)
        x = layers.Dense(len(self.classes), name="head_logits")(x)
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
        for i, p in enumerate(outputs["p"]):
            best = int(np.argmax(p))
            name = examples.names[i] if examples.names is not None else str(i)
            yield {"name": name, "prediction": self.classes[best], "probability": float(p[best])}

    def describe(self) -> str:
        steps = f"up to {self.length}" if self.ragged else f"{self.length}"
        count = f"{self.count:,}".replace(",", " ")
        return f"{len(self.classes)} classes, {count} series of {steps} steps x {self.channels}"

    # ---- for the baselines -------------------------------------------------------------------

    def targets(self, examples: Examples) -> np.ndarray:
        """Class numbers (n,)."""
        number = {name: i for i, name in enumerate(self.classes)}
        unknown = sorted({str(label) for label in examples.y} - number.keys())
        if unknown:
            raise DataError(
                f"classes that no training series has: {some(unknown)}.", f"known: {some(self.classes, 10)}."
            )
        return np.array([number[str(label)] for label in examples.y], np.int64)

    def flat(self, examples: Examples) -> np.ndarray:
        """All series standardised, resampled to one length and laid out as rows (n, length * C)."""
        many = [sequences.interpolated(x) for x in self._checked(examples)]
        x = sequences.stacked(many, self.length, ragged=False)
        return ((x - np.float32(self.mean)) / np.float32(self.spread)).reshape(len(x), -1)

    def _checked(self, examples: Examples) -> list[np.ndarray]:
        many = [sequences.trimmed(x) for x in examples.x]
        wrong = [i for i, x in enumerate(many) if x.shape[1] != self.channels]
        if wrong:
            raise DataError(
                f"{len(wrong)} of {len(many)} series have not {self.channels} channels "
                f"(the first has {many[wrong[0]].shape[1]}).",
                "use series with the channels that the model was trained on.",
            )
        return many


def _count_gaps(data: Data) -> None:
    with_gaps = total = 0
    for examples in data.splits.values():
        total += len(examples)
        with_gaps += sum(not np.isfinite(sequences.trimmed(x)).all() for x in examples.x)
    if with_gaps:
        data.warnings.append(f"{with_gaps} of {total} series have gaps; they were interpolated")


def _natural(name: str):
    """Class names that are numbers in their order: "2" before "10"."""
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
