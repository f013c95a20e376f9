"""Which class a whole series belongs to."""

from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from dlcli import sequences, task
from dlcli.classification import Classification, in_order
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError, some


@dataclass(kw_only=True)
class Task(Classification):
    """Series (T, C), lengths and gaps as they come -> one of K classes.

    Gaps are interpolated. When the training series have one length, so has the model, and others
    are resampled to it; when they differ, short ones are padded on the right and masked, and ones
    longer than the longest of training are squeezed to it. The model takes raw values: each
    channel's mean and spread over the training series are in its stem.
    """

    KINDS = {"sequences"}
    NEEDS = {"series"}
    EACH = "accuracy"
    LABELS = "classes"
    PREFERS = ("inception-time", "resnet-1d", "lstm")
    # Fewer training series are not divided: a sixth of 1 000 tells scores apart to 8 points (95 %). Of 60 % of the training
    # part of Adiac (UCR) inception-time had 0.78 of the others right, and 0.75 with a sixth set aside; the lstm of
    # SwedishLeaf 0.89 and 0.85.
    FEW = 1_000
    INPUT = {
        "length": "length",
        "channels": "channels",
        "ragged": "ragged",
        "mean": "mean",
        "spread": "spread",
        "patch": "patch",
    }

    length: int
    channels: int
    ragged: bool
    mean: list[float]
    spread: list[float]
    patch: int
    count: int
    # what runs had before these could be chosen
    pool: str = "mean"
    cut: float = 0.0

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        length: int | None = None,
        patch: int | None = None,
        pool: Literal["mean", "mean-largest"] = "mean",
        cut: float = 0.0,
    ) -> "Task":
        """length: steps the model sees (default: the longest training series).  patch: steps
        between the patches that recurrent networks and transformers read (default: at most 64 patches).
        pool: what of the steps' features the answer comes from, their mean or also the largest of each.
        cut: most of a training series, as a fraction, that is left out at its ends; the rest is drawn out to its length."""
        if not 0 <= cut < 1:
            raise DlcliError(f"task.cut = {cut} is not between 0 and 1.", "0.2 leaves at least 0.8 of a series.")
        if len(train) == 0:
            raise DataError("there are no training series.", "check the path and the split.")
        classes = in_order(train.y)
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
            pool=pool,
            cut=cut,
            count=len(train),
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        many = [sequences.interpolated(x) for x in self._checked(examples)]
        x = sequences.stacked(many, self.length, ragged=self.ragged)
        y = None
        if examples.y is not None:
            y = np.eye(len(self.classes), dtype=np.float32)[self.targets(examples)]
        return Cut(x, y, self.cut) if training and self.cut else task.Arrays(x, y)

    def inputs(self):
        return keras.Input((self.length, self.channels), name="series")

    def stem(self, inputs, width: int | None):
        return sequences.stem(inputs, width, mean=self.mean, spread=self.spread, ragged=self.ragged, patch=self.patch)

    def pooled(self, features):
        both = self.pool == "mean-largest" and len(features.shape) == 3
        return task.mean_and_largest(features) if both else super().pooled(features)

    def describe(self) -> str:
        steps = f"up to {self.length}" if self.ragged else f"{self.length}"
        count = f"{self.count:,}".replace(",", " ")
        return f"{len(self.classes)} classes, {count} series of {steps} steps x {self.channels}"

    # ---- for the baselines -------------------------------------------------------------------

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


@dataclass(frozen=True)
class Cut(task.Arrays):
    """Series (n, T, C) with classes (n, K); in every batch each series is a stretch of itself."""

    share: float

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        x, y = super().batch(indices, rng)
        return sequences.cut(x, self.share, rng), y


def _count_gaps(data: Data) -> None:
    with_gaps = total = 0
    for examples in data.splits.values():
        total += len(examples)
        with_gaps += sum(not np.isfinite(sequences.trimmed(x)).all() for x in examples.x)
    if with_gaps:
        data.warnings.append(f"{with_gaps} of {total} series have gaps; they were interpolated")
