"""Shuffled: three measurements and a class that was drawn without looking at them. There is nothing to learn."""

from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import Draws, read_back, write_csv

SIZE = 2000  # rows, when no number is given
TARGET = "class"
CLASSES = ("a", "b", "c")


def make(n: int, *, seed: int = 0) -> Data:
    """n rows of three numbers with a class."""
    from dlcli.formats import table

    return read_back(write, n, seed=seed, open=lambda folder: table.open(folder, target=TARGET))


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """shuffled.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(factors(n, seed=seed), folder / "shuffled.csv")


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns by name."""
    draws = Draws(n, seed=seed, columns=8)
    length = 10 + 3 * draws.uniform()
    width = 0.4 * length + draws.normal(0.3)
    return {"length": length, "width": width, "weight": length * width, TARGET: draws.choice(CLASSES)}
