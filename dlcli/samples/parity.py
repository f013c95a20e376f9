"""Parity: sixteen bits, and whether the sum of eight of them is odd.

No bit, and no seven of the eight, tells anything, so there is no slope to descend: a rule of one line that
networks and trees do not find from examples.
"""

from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import Draws, read_back, write_csv

SIZE = 2000  # rows, when no number is given
TARGET = "parity"
BITS = 16
COUNTED = (2, 3, 5, 7, 8, 11, 13, 16)


def make(n: int, *, seed: int = 0) -> Data:
    """n rows of sixteen bits with the parity of eight."""
    from dlcli.formats import table

    return read_back(write, n, seed=seed, open=lambda folder: table.open(folder, target=TARGET))


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """parity.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(factors(n, seed=seed), folder / "parity.csv")


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns by name."""
    draws = Draws(n, seed=seed, columns=BITS)
    bits = {f"b{i + 1}": draws.chance(0.5).astype(int) for i in range(BITS)}
    odd = sum(bits[f"b{i}"] for i in COUNTED) % 2 == 1
    return {**bits, TARGET: np.where(odd, "odd", "even")}
