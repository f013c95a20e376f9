"""Random changes to training pictures that leave their meaning alone, as Keras layers in the model.

They work while training only. Which changes are harmless depends on the set (a mirrored b is a d),
so `auto` takes no more than can be justified without knowing the set: see `automatic`.
Mixup and cutmix change a whole batch with its labels: fit.mixup and fit.cutmix.
"""

import numpy as np
from keras import layers

from dlcli.errors import DlcliError
from dlcli.registry import nearest

KINDS = ("crop", "flip", "randaugment", "erasing")

# 4 of 32 pixels (He et al., 2015).
SHIFT = 0.125

# Pictures compared by `mirrors`, and below which number it does not judge.
_COMPARED = 2_000
_FEWEST = 200


def parsed(text: str) -> list[str]:
    """'crop,flip' -> its parts in the order they are applied. 'none' is no part.

    Raises: DlcliError for what is not known.
    """
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    for part in wanted:
        if part not in (*KINDS, "none"):
            raise DlcliError(f"task.augment={text!r}: there is no {part!r}.", nearest(part, ["auto", "none", *KINDS]))
    return [kind for kind in KINDS if kind in wanted]


def check(shift: float) -> None:
    """Raises: DlcliError for what is no share of a side by which pictures can be moved."""
    if not 0 <= shift < 1:
        raise DlcliError(f"task.shift is {shift:g}.", "it is a share of a side, such as 0.125.")


def layered(x, kinds: list[str], shift: float):
    """Put the layers of these kinds on pixels (B, H, W, C) in 0..255. shift: the crop's, at most, as a share of a side."""
    for kind in kinds:
        x = _layer(kind, shift)(x)
    return x


def _layer(kind: str, shift: float):
    name = f"stem_{kind}"
    if kind == "crop":
        # The same as padding and cropping. Whole pixels, and a third cheaper than interpolating between them. What moves
        # in repeats the border: black on black, sky on sky. RandomCrop gives a whole batch one position.
        return layers.RandomTranslation(
            shift, shift, fill_mode="nearest", interpolation="nearest", dtype="float32", name=name
        )
    if kind == "flip":
        return layers.RandomFlip("horizontal", dtype="float32", name=name)
    if kind == "randaugment":
        # Cubuk et al. (2020). Slow without a GPU: 1 ms per picture of 32 x 32.
        return layers.RandAugment((0, 255), num_ops=2, factor=0.3, dtype="float32", name=name)
    # Zhong et al. (2020): up to a third of the picture, here at any size down to nothing.
    return layers.RandomErasing(scale=(0.0, 0.33), value_range=(0, 255), dtype="float32", name=name)


def automatic(pixels: np.ndarray, labels: np.ndarray) -> list[str]:
    """What is right by default for pictures in classes: crop, and flip where mirroring is harmless.

    Where in the picture a thing stands seldom makes its class, so a small shift is safe. Mirroring
    is not, for letters, digits, signs and hands, so the training pictures are asked: see `mirrors`.
    pixels uint8 (n, H, W, C), labels: class numbers (n,).
    """
    return ["crop", "flip"] if mirrors(pixels, labels) else ["crop"]


def mirrors(pixels: np.ndarray, labels: np.ndarray) -> bool:
    """Whether colour pictures keep their class in a mirror, as far as their nearest neighbours tell.

    Half of the pictures are classified by the most similar one of the other half, once as they
    are and once mirrored. Mirroring is harmless where that costs less than a tenth of what the
    comparison gains over guessing, within its standard error. Grey or few pictures, or a comparison
    no better than guessing: no.
    """
    n = len(pixels)
    if n < _FEWEST or pixels.shape[-1] != 3:
        return False
    chosen = np.random.default_rng(0).permutation(n)[:_COMPARED]
    small, labels = _thumbnails(pixels[chosen]), labels[chosen]
    half = len(chosen) // 2
    known, asked = small[:half], small[half:]
    plain = labels[_nearest(known, asked)] == labels[half:]
    mirrored = labels[_nearest(known, asked[:, :, ::-1])] == labels[half:]
    guessing = np.bincount(labels[:half]).max() / half
    gain = plain.mean() - guessing
    loss = plain.astype(float) - mirrored
    error = loss.std() / len(loss) ** 0.5
    return bool(gain > 3 * (0.25 / len(loss)) ** 0.5 and loss.mean() < 0.1 * gain + error)


def _thumbnails(pixels: np.ndarray, side: int = 16) -> np.ndarray:
    """At most about `side` pixels each way, by leaving out rows and columns symmetrically."""
    rows, columns = (np.linspace(0, length - 1, min(side, length)).round().astype(int) for length in pixels.shape[1:3])
    columns = (columns + pixels.shape[2] - 1 - columns[::-1]) // 2  # the mirror image has the same
    return pixels[:, rows][:, :, columns].astype(np.float32) / 255


def _nearest(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    known, asked = known.reshape(len(known), -1), asked.reshape(len(asked), -1)
    return ((known**2).sum(axis=1) - 2 * asked @ known.T).argmin(axis=1)
