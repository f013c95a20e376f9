"""Tiny: four pictures of each of the ten objects of `shapes` to learn from, and twenty of each to be tested on."""

from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.samples import shapes
from dlcli.samples._draws import write_factors

SIZE = 240  # pictures, when no number is given
TRAINED = 40


def make(n: int, *, seed: int = 0) -> Data:
    """The first forty pictures are for training, all others for testing."""
    from dlcli.images import ArrayImages

    columns = factors(n, seed=seed)
    examples = Examples(x=ArrayImages(draw(columns, seed=seed)), y=columns["object"], names=columns["file"].tolist())
    if n <= TRAINED:
        return Data(kind="images", splits={"train": examples})
    parts = {"train": np.arange(TRAINED), "test": np.arange(TRAINED, n)}
    return Data(kind="images", splits={name: examples.take(rows) for name, rows in parts.items()})


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """An image folder: train/CLASS/*.png, test/CLASS/*.png, and factors.csv beside them."""
    from PIL import Image

    columns = factors(n, seed=seed)
    for file, picture in zip(columns["file"], draw(columns, seed=seed), strict=True):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / file, optimize=True)
    write_factors(folder, columns, shapes.LEVELS)


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """As in `shapes`, in other files."""
    columns = shapes.factors(n, seed=seed)
    parts = np.where(np.arange(n) < TRAINED, "train", "test")
    files = [f"{part}/{name}/{i:06d}.png" for i, (part, name) in enumerate(zip(parts, columns["object"], strict=True))]
    return columns | {"file": np.array(files, dtype=object)}


draw = shapes.draw
