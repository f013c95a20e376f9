"""Which class a picture belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from dlcli import augment as augmentation
from dlcli import metrics, pixels, task
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some


@dataclass(kw_only=True)
class Task(task.Task):
    """Pictures (H, W, C) -> one of K classes. `augment` holds the kinds that were settled on."""

    KINDS = {"images"}
    LABELS = "classes"
    NEEDS = {"pixels"}
    PREFERS = ("resnet", "convnext", "lenet")
    headline = "accuracy"

    classes: list[str]
    image: list[int]
    mean: list[float]
    deviation: list[float]
    augment: list[str]
    count: int

    @classmethod
    def learn(cls, train: Examples, data: Data, *, size: int | None = None, augment: str = "auto") -> "Task":
        """size: longer side of what the model sees, in pixels (default: the pictures' own, at most 128).
        augment: none, or a list of crop, flip, randaugment, erasing; auto: crop, and flip for colour
        pictures whose classes a mirror does not change."""
        wanted = None if augment == "auto" else augmentation.parsed(augment)
        if train.y is None:
            raise DataError("the training pictures have no classes.", "make one folder for each class.")
        image = pixels.shape(train.x, size)
        classes = sorted({str(label) for label in train.y}, key=_natural)
        if len(classes) < 2:
            raise DataError(
                f"all {len(train)} training pictures are of class {some(classes)}.",
                "a classifier needs at least two classes.",
            )
        chosen = pixels.sample(train.x)
        seen = train.x.prepare(*image).read(chosen)
        mean, deviation = pixels.statistics(seen)
        if wanted is None:
            number = {name: i for i, name in enumerate(classes)}
            wanted = augmentation.automatic(seen, np.array([number[str(train.y[i])] for i in chosen]))
        return cls(
            classes=classes,
            image=image,
            mean=mean,
            deviation=deviation,
            augment=wanted,
            count=len(train),
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        y = None
        if examples.y is not None:
            y = np.eye(len(self.classes), dtype=np.float32)[self.targets(examples)]
        return pixels.Pictures(examples.x.prepare(*self.image), y)

    def inputs(self):
        return pixels.inputs(self.image)

    def stem(self, inputs, width: int | None):
        return pixels.stem(inputs, self.mean, self.deviation, self.augment)

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
        for name, p in zip(pixels.names(examples), outputs["p"], strict=True):
            best = int(np.argmax(p))
            yield {"name": name, "prediction": self.classes[best], "probability": float(p[best])}

    def describe(self) -> str:
        height, width, channels = self.image
        count = f"{self.count:,}".replace(",", " ")
        changed = " and ".join(self.augment) or "none"
        return f"{len(self.classes)} classes, {count} images {height}x{width}x{channels}, augmentation: {changed}"

    # ---- for the baselines -------------------------------------------------------------------

    def targets(self, examples: Examples) -> np.ndarray:
        """Class numbers (n,)."""
        number = {name: i for i, name in enumerate(self.classes)}
        unknown = sorted({str(label) for label in examples.y} - number.keys())
        if unknown:
            raise DataError(
                f"classes that no training picture has: {some(unknown)}.", f"known: {some(self.classes, 10)}."
            )
        return np.array([number[str(label)] for label in examples.y], np.int64)

    def flat(self, examples: Examples) -> np.ndarray:
        """Pixels as rows (n, H * W * C), black 0 and white 1."""
        return pixels.flat(examples, self.image)


def _natural(name: str):
    """Class names that are numbers in their order: "2" before "10"."""
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
