"""Which class a picture belongs to."""

from dataclasses import dataclass

import numpy as np

from dlcli import augment as augmentation
from dlcli import pixels, task
from dlcli.classification import Classification, in_order
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some


@dataclass(kw_only=True)
class Task(Classification):
    """Pictures (H, W, C) -> one of K classes. `augment` holds the kinds that were settled on."""

    KINDS = {"images"}
    LABELS = "classes"
    NEEDS = {"pixels"}
    EACH = "accuracy"
    PREFERS = ("resnet", "convnext", "lenet")
    INPUT = {"image": "image", "mean": "mean", "deviation": "deviation"}

    image: list[int]
    mean: list[float]
    deviation: list[float]
    augment: list[str]
    shift: float = augmentation.SHIFT
    count: int

    @classmethod
    def learn(
        cls, train: Examples, data: Data, *, size: int | None = None, augment: str = "auto", shift: float = 0.125
    ) -> "Task":
        """size: longer side of what the model sees, in pixels (default: the pictures' own, at most 128).
        augment: none, or a list of crop, flip, randaugment, erasing; auto: crop, and flip for colour
        pictures whose classes a mirror does not change.  shift: of a crop at most, as a share of a side."""
        wanted = None if augment == "auto" else augmentation.parsed(augment)
        augmentation.check(shift)
        if train.y is None:
            raise DataError("the training pictures have no classes.", "make one folder for each class.")
        image = pixels.shape(train.x, size)
        classes = in_order(train.y)
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
            shift=shift,
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
        return pixels.stem(inputs, self.mean, self.deviation, self.augment, self.shift)

    def describe(self) -> str:
        height, width, channels = self.image
        count = f"{self.count:,}".replace(",", " ")
        changed = " and ".join(self.augment) or "none"
        return f"{len(self.classes)} classes, {count} images {height}x{width}x{channels}, augmentation: {changed}"

    # ---- for the baselines -------------------------------------------------------------------

    def flat(self, examples: Examples) -> np.ndarray:
        """Pixels as rows (n, H * W * C), black 0 and white 1."""
        return pixels.flat(examples, self.image)
