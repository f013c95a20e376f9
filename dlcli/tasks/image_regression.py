"""Numbers for pictures: an age, an angle, a count."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dlcli import augment as augmentation
from dlcli import pixels, task
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError
from dlcli.regression import Regression


@dataclass(kw_only=True)
class Task(Regression):
    """Pictures (H, W, C) -> a number; mean and deviation of the target are `offset` and `scale`."""

    KINDS = {"images"}
    LABELS = "numbers"
    NEEDS = {"pixels"}
    EACH = "mse"
    PREFERS = ("resnet", "convnext", "lenet")
    INPUT = {"image": "image", "mean": "mean", "deviation": "deviation"}

    target: str
    offset: float
    scale: float
    image: list[int]
    mean: list[float]
    deviation: list[float]
    augment: list[str]
    shift: float = augmentation.SHIFT
    count: int

    @classmethod
    def learn(
        cls, train: Examples, data: Data, *, size: int | None = None, augment: str = "none", shift: float = 0.125
    ) -> "Task":
        """size: longer side of what the model sees, in pixels (default: the pictures' own, at most 128).
        augment: none, or a list of crop, flip, randaugment, erasing. None by default, as the number
        may be a place, an angle or a brightness, which these change.  shift: of a crop at most, as a share of a
        side."""
        if augment == "auto":
            raise DlcliError(
                "task.augment='auto' cannot know which changes keep a number.",
                "name those that do: none, or a list of crop, flip, randaugment, erasing.",
            )
        kinds = augmentation.parsed(augment)
        augmentation.check(shift)
        target = str(data.about.get("target") or "target")
        image = pixels.shape(train.x, size)
        y = _numbers(train, target)
        if y.std() == 0:
            raise DataError(
                f"all {len(y)} training pictures have the same {target}: {y[0]:g}.", "name another column: --target."
            )
        mean, deviation = pixels.statistics(train.x.prepare(*image).read(pixels.sample(train.x)))
        return cls(
            target=target,
            offset=float(y.mean()),
            scale=float(y.std()),
            image=image,
            mean=mean,
            deviation=deviation,
            augment=kinds,
            shift=shift,
            count=len(train),
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        y = self.targets(examples)[:, None] if examples.y is not None else None
        return pixels.Pictures(examples.x.prepare(*self.image), y)

    def inputs(self):
        return pixels.inputs(self.image)

    def stem(self, inputs, width: int | None):
        return pixels.stem(inputs, self.mean, self.deviation, self.augment, self.shift)

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        for name, value in zip(pixels.names(examples), outputs["y_pred"], strict=True):
            yield {"name": name, "prediction": float(value)}

    def describe(self) -> str:
        height, width, channels = self.image
        count = f"{self.count:,}".replace(",", " ")
        return f"{self.target} {self.offset:.4g} ± {self.scale:.4g}, {count} images {height}x{width}x{channels}"

    # ---- for the baselines -------------------------------------------------------------------

    def targets(self, examples: Examples) -> np.ndarray:
        """Targets (n,) in standard deviations from the training mean."""
        return ((_numbers(examples, self.target) - self.offset) / self.scale).astype(np.float32)

    def flat(self, examples: Examples) -> np.ndarray:
        """Pixels as rows (n, H * W * C), black 0 and white 1."""
        return pixels.flat(examples, self.image)

    def _restored(self, values) -> np.ndarray:
        return np.asarray(values, np.float64).reshape(-1) * self.scale + self.offset


def _numbers(examples: Examples, target: str) -> np.ndarray:
    """The targets as float64 (n,).

    Raises: DataError where one is missing or no number, with its picture.
    """
    if examples.y is None:
        raise DataError(f"the pictures have no {target}.", "give a table with a column of numbers.")
    values = np.empty(len(examples.y), np.float64)
    for i, value in enumerate(examples.y):
        try:
            values[i] = float(value)
        except (TypeError, ValueError):
            values[i] = np.nan
        if not np.isfinite(values[i]):
            name = pixels.names(examples)[i]
            raise DataError(
                f"{target} of picture {name} is {str(value)!r}, which is no number.", "name another --target."
            )
    return values
