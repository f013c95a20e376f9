"""Random draws that do not depend on how many examples are asked for, and what all sets share."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples


class Draws:
    """Uniform draws, one row per example from its own generator.

    Example i depends on (seed, i) alone, so the first n of a larger set are the smaller set.
    """

    def __init__(self, n: int, *, seed: int, columns: int):
        rows = [np.random.default_rng([seed, i]).random(columns) for i in range(n)]
        self._rows = np.stack(rows) if rows else np.empty((0, columns))
        self._next = 0

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """One number per example in [low, high)."""
        assert self._next < self._rows.shape[1], "a set draws more columns than it asked for"
        column = self._rows[:, self._next]
        self._next += 1
        return low + (high - low) * column

    def choice(self, options: Sequence) -> np.ndarray:
        """One of the options per example, each as likely as the others."""
        return np.asarray(options)[(self.uniform() * len(options)).astype(int)]

    def chance(self, probability: float) -> np.ndarray:
        """True with this probability."""
        return self.uniform() < probability

    def normal(self, scale: float = 1.0) -> np.ndarray:
        """Normal draws around 0 (Box and Muller, 1958)."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform()))
        return scale * radius * np.cos(2 * np.pi * self.uniform())

    def order(self, count: int) -> np.ndarray:
        """A random order of 0..count-1 per example: (n, count)."""
        return np.argsort(np.stack([self.uniform() for _ in range(count)], axis=1), axis=1)


def is_test(n: int, classes: int) -> np.ndarray:
    """Every fifth round of the classes is for testing, so both splits hold all classes equally."""
    return (np.arange(n) // classes) % 5 == 4


def in_splits(examples: Examples, test: np.ndarray) -> dict[str, Examples]:
    """Train and test, or "all" when there are too few examples for a test split."""
    if not test.any():
        return {"all": examples}
    return {"train": examples.take(np.flatnonzero(~test)), "test": examples.take(np.flatnonzero(test))}


def write_csv(columns: dict[str, np.ndarray], path: Path, *, separator: str = ",") -> None:
    """Columns as a table with a header; numbers with two decimals."""
    import polars as pl

    pl.DataFrame(columns).write_csv(path, separator=separator, float_precision=2)


def write_factors(folder: Path, columns: dict[str, np.ndarray], levels: dict[str, tuple[str, ...]]) -> None:
    """factors.csv, one row per example, and levels.csv: the level of each column that is a label."""
    write_csv(columns, folder / "factors.csv")
    pairs = [(level, column) for level, names in levels.items() for column in names]
    level, column = zip(*pairs, strict=True)
    write_csv({"level": level, "column": column}, folder / "levels.csv")


def read_back(write: Callable, n: int, *, seed: int, open: Callable) -> Data:
    """What a format finds in the files that `write` makes: a set is the same by name and on disk."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), n, seed=seed)
        return open(Path(folder))
