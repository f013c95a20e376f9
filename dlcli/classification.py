"""What the tasks whose answer is a class share: probabilities, their loss, their scores, their words."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from dlcli import members, metrics, task
from dlcli.data import Examples
from dlcli.errors import DataError, some


@dataclass(kw_only=True)
class Classification(task.Task):
    """y is one-hot float32 (B, K), so that labels can be smoothed and mixed; the model gives
    probabilities (B, K), summed up in float32."""

    headline = "accuracy"
    # Small networks grow too sure of themselves long before they stop getting better.
    monitor = ("val_accuracy", "val_loss")

    classes: list[str]

    def pooled(self, features):
        """One vector per example, whatever the rank of its features."""
        return task.pooled(features)

    def head(self, features):
        return _probabilities(layers.Dense(len(self.classes), name="head_logits")(self.pooled(features)))

    def heads(self, features):
        return _probabilities(members.heads(features, len(self.classes), "logits"))

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

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        return "accuracy", (measures["p"].argmax(axis=1) == measures["y"]).astype(np.float64)

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        for i, p in enumerate(outputs["p"]):
            best = int(np.argmax(p))
            name = examples.names[i] if examples.names is not None else str(i)
            yield {"name": name, "prediction": self.classes[best], "probability": float(p[best])}

    def labels(self, examples: Examples) -> list[str]:
        """The class name of each example."""
        return [str(label) for label in examples.y]

    def targets(self, examples: Examples) -> np.ndarray:
        """Class numbers (n,). Raises: DataError for a class that training did not have."""
        number = {name: i for i, name in enumerate(self.classes)}
        labels = self.labels(examples)
        unknown = sorted(set(labels) - number.keys())
        if unknown:
            raise DataError(
                f"classes that no training example has: {some(unknown)}.", f"known: {some(self.classes, 10)}."
            )
        return np.array([number[label] for label in labels], np.int64)


def _probabilities(logits):
    return layers.Activation("softmax", dtype="float32", name="head_softmax")(logits)


def in_order(labels: Iterable[str]) -> list[str]:
    """The different names, sorted; numbers by their value: "2" before "10"."""
    return sorted({str(label) for label in labels}, key=_natural)


def _natural(name: str):
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
