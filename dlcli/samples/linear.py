"""Linear: twenty numbers, and a class that a straight line through them tells as well as anything can.

The class is the largest of three weighted sums, each with noise of its own. Nothing is bent and nothing
interacts, so that a deep network has nothing to find that the linear model has not.
"""

from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import read_back, write_csv

SIZE = 4000  # rows, when no number is given
TARGET = "class"
NUMBERS = 20
CLASSES = ("a", "b", "c")
NOISE = 1.5  # deviation, where the sums themselves have one of 1


def make(n: int, *, seed: int = 0) -> Data:
    """n rows of twenty numbers with a class."""
    from dlcli.formats import table

    return read_back(write, n, seed=seed, open=lambda folder: table.open(folder, target=TARGET))


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """linear.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(factors(n, seed=seed), folder / "linear.csv")


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns by name. Row i depends on (seed, i) alone; the weights on the seed."""
    weights = np.random.default_rng([seed, 1 << 40]).standard_normal((NUMBERS, len(CLASSES))) / NUMBERS**0.5
    drawn = [np.random.default_rng([seed, i]).standard_normal(NUMBERS + len(CLASSES)) for i in range(n)]
    rows = np.array(drawn).reshape(n, -1)
    numbers = np.round(rows[:, :NUMBERS], 2)  # as they are written
    sums = numbers @ weights + NOISE * rows[:, NUMBERS:]
    columns = {f"x{i + 1}": column for i, column in enumerate(numbers.T)}
    return {**columns, TARGET: np.asarray(CLASSES)[sums.argmax(axis=1)]}
