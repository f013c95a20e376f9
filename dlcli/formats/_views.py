"""Folders that hold views of the same pictures, and are no classes: clean and noisy, photographs and masks."""

import re
from pathlib import PurePath

import numpy as np

from dlcli.data import Examples
from dlcli.errors import some

LEAST = 5  # names that must be the same
SHARED = 0.9  # and of all names this share
LOOKED_AT, SIDE = 12, 32
# By how much the correlation of a picture with its namesake must be above that with another's. Of unrelated photographs
# (60 times twelve pairs of BSD's Train400) the median varied by 0.06, and was 0.09 at most.
CLOSER = 0.3


def warnings(examples: Examples) -> list[str]:
    """A warning where all classes have the same file names, and those say something or the pictures are alike.

    1.png, 2.png, 3.png in every class only count: they say nothing, and then the pictures are looked at.
    """
    classes: dict[str, dict[str, int]] = {}
    for i, (name, label) in enumerate(zip(examples.names, examples.y.tolist(), strict=True)):
        classes.setdefault(label, {})[PurePath(name).stem] = i
    shared = set.intersection(*map(set, classes.values()))
    every = set.union(*map(set, classes.values()))
    if len(classes) < 2 or len(shared) < max(LEAST, SHARED * len(every)):
        return []
    one, other = list(classes.values())[:2]
    if _only_count(shared) and not _alike(examples.x, [(one[name], other[name]) for name in sorted(shared)]):
        return []
    return [
        f"{some(classes)} hold the same file names, as views of the same pictures do (photographs and masks, clean and "
        f"noisy): if they are no classes, name the one folder to be learned from."
    ]


def _only_count(names: set[str]) -> bool:
    """Whether names differ in their numbers alone, and hardly a number is left out."""
    numbers = [re.findall(r"\d+", name) for name in names]
    if len({re.sub(r"\d+", "0", name) for name in names}) > 1 or not all(numbers):
        return False
    last = [int(found[-1]) for found in numbers]
    return max(last) - min(last) < 2 * len(set(last))


def _alike(images, pairs: list[tuple[int, int]]) -> bool:
    """Whether pictures of the same name are more like one another than those of different names."""
    left, right = (
        np.stack([_small(images.whole(i, 1)) for i in side]) for side in zip(*pairs[:LOOKED_AT], strict=True)
    )
    products = left @ right.T
    own = np.diag(products)
    others = (products.sum(axis=1) - own) / (len(own) - 1)
    return float(np.median(own - others)) > CLOSER


def _small(picture: np.ndarray) -> np.ndarray:
    """Values at SIDE x SIDE places, without mean and of length 1."""
    rows, columns = (np.linspace(0, size - 1, SIDE).round().astype(int) for size in picture.shape[:2])
    values = picture[np.ix_(rows, columns)].astype(np.float64).reshape(-1)
    values -= values.mean()
    return values / max(np.linalg.norm(values), 1e-9)
