"""Waves: a sine with its position, trained on four periods and tested on the two that follow.

Who knows that it is a sine goes on with it; who has only seen values at positions has nothing to go by there.
"""

from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import Draws, is_test, read_back, write_csv

SIZE = 2000  # points, when no number is given
TARGET = "height"
SEEN, AHEAD = 4.0, 2.0  # periods
NOISE = 0.05


def make(n: int, *, seed: int = 0) -> Data:
    """n points: a position and a height; every fifth lies beyond the others."""
    from dlcli.formats import table

    return read_back(write, n, seed=seed, open=lambda folder: table.open(folder, target=TARGET, kind="table"))


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """train.csv and test.csv."""
    columns = factors(n, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    test = columns.pop("beyond")
    for part, rows in (("train", ~test), ("test", test)):
        if rows.any():
            write_csv({name: values[rows] for name, values in columns.items()}, folder / f"{part}.csv")


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns by name, and which points lie beyond the others."""
    draws = Draws(n, seed=seed, columns=4)
    beyond = is_test(n, 1)
    position = np.round(np.where(beyond, SEEN + AHEAD * draws.uniform(), SEEN * draws.uniform()), 2)
    height = np.sin(2 * np.pi * position) + draws.normal(NOISE)
    return {"position": position, TARGET: height, "beyond": beyond}
