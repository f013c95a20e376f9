"""What is done to a training batch as a whole: mixup, cutmix, label smoothing, class weights."""

from collections.abc import Callable

import numpy as np

from dlcli.config import FitConfig
from dlcli.errors import DlcliError
from dlcli.sequences import PADDING
from dlcli.task import Source

Change = Callable[[tuple, np.random.Generator], tuple]


def changes(fit: FitConfig, train: Source, labels: np.ndarray | None, classes: int) -> Change | None:
    """One function that does to each batch what the fit asks for, or None.

    labels: class numbers (n,) of the training split, for class weights.  classes: 0 for none.
    Raises: DlcliError when something was asked for that needs classes, or other inputs than `train` has.
    """
    wanted = fit.class_weights != "equal" or fit.label_smoothing or fit.mixup or fit.cutmix
    if not wanted:
        return None
    if not classes:
        raise DlcliError(
            "mixup, cutmix, label smoothing and class weights need a task with classes.",
            "leave fit.mixup, fit.cutmix, fit.label_smoothing and fit.class_weights away.",
        )
    if fit.mixup or fit.cutmix:
        x, *_ = train.batch(np.arange(min(len(train), 64)), np.random.default_rng(0))
        _check_blendable(x, cut=bool(fit.cutmix))
    steps: list[Change] = []
    if fit.class_weights == "balanced":
        steps.append(_weighted(labels, classes))
    if fit.label_smoothing:
        steps.append(_smoothed(fit.label_smoothing))
    if fit.mixup:
        steps.append(_mixed(fit.mixup))
    if fit.cutmix:
        steps.append(_cut(fit.cutmix))

    def change(batch: tuple, rng: np.random.Generator) -> tuple:
        for step in steps:
            batch = step(batch, rng)
        return batch

    return change


def _check_blendable(x, *, cut: bool) -> None:
    """Numbers of words have nothing between them, and neither have a value and what stands where a series has ended."""
    array = isinstance(x, np.ndarray)
    pictures = array and x.ndim == 4
    if cut and not pictures:
        raise DlcliError("fit.cutmix needs pictures.", "leave fit.cutmix away.")
    if not pictures and not (array and x.dtype.kind == "f"):
        raise DlcliError("fit.mixup needs pictures or series, which can be blended.", "leave fit.mixup away.")
    if not pictures and (x == PADDING).any():
        raise DlcliError("fit.mixup needs series of one length.", "leave fit.mixup away, or cut them to one length.")


def _weighted(labels: np.ndarray, classes: int) -> Change:
    """Weight each class by n / (K * its count), so that all count alike."""
    counts = np.bincount(labels, minlength=classes)
    weights = (counts.sum() / (len(counts) * np.maximum(counts, 1))).astype("float32")

    def step(batch, rng):
        return batch[0], batch[1], weights[np.argmax(batch[1], axis=-1)]

    return step


def _smoothed(amount: float) -> Change:
    """y (B, K) one-hot -> (1 - amount) y + amount / K (Szegedy et al., 2016)."""

    def step(batch, rng):
        x, y, *rest = batch
        return x, (1 - amount) * y + np.float32(amount / y.shape[-1]), *rest

    return step


def _mixed(alpha: float) -> Change:
    """Mixup (Zhang et al., 2018): each example is blended with another of its batch."""

    def step(batch, rng):
        x, y, *rest = batch
        share = np.float32(rng.beta(alpha, alpha))
        other = rng.permutation(len(y))
        blended = share * np.asarray(x, "float32") + (1 - share) * np.asarray(x, "float32")[other]
        return blended.astype(x.dtype), *_blended(share, other, y, *rest)

    return step


def _cut(alpha: float) -> Change:
    """CutMix (Yun et al., 2019): a rectangle of another picture, labels by area. x (B, H, W, C)."""

    def step(batch, rng):
        x, y, *rest = batch
        height, width = x.shape[1:3]
        side = np.sqrt(1 - rng.beta(alpha, alpha))
        row, column = rng.integers(height), rng.integers(width)
        top, bottom = max(0, int(row - height * side / 2)), min(height, int(row + height * side / 2))
        left, right = max(0, int(column - width * side / 2)), min(width, int(column + width * side / 2))
        other = rng.permutation(len(y))
        x = x.copy()
        x[:, top:bottom, left:right] = x[other, top:bottom, left:right]
        share = np.float32(1 - (bottom - top) * (right - left) / (height * width))
        return x, *_blended(share, other, y, *rest)

    return step


def _blended(share: np.float32, other: np.ndarray, *many: np.ndarray) -> list[np.ndarray]:
    """Labels, and weights where there are some, in the shares of their examples."""
    return [share * each + (1 - share) * each[other] for each in many]
