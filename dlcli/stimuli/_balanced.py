"""Draws that are balanced against a label: each class gets the same values to within one."""

from collections.abc import Sequence

import numpy as np


def labels(n: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    """n labels in random order, each class as frequent as the others to within one."""
    return rng.permutation(np.arange(n) % classes)


def partners(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Twos (or one three) within each class: number of the group (n,), turn in 0..1 within it (n,), sizes.

    Waves of one group whose phases are those turns apart cancel out. Random phases do so only on
    average, and a rest of the mean is enough for a probe on pixels: of all classes, the one that
    shares its frequencies with the picture gives the largest score, half of the time of the right sign.
    """
    group, turn, sizes = np.empty(len(y), dtype=int), np.empty(len(y), dtype=np.float32), []
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        cuts = np.array_split(rows[: len(rows) // 2 * 2], max(1, len(rows) // 2))
        cuts[-1] = np.append(cuts[-1], rows[len(rows) // 2 * 2 :])
        for some in cuts:
            group[some], turn[some] = len(sizes), np.arange(len(some)) / len(some)
            sizes.append(len(some))
    return group, turn, np.array(sizes)


class Draws:
    """Nuisances for stimuli with the labels y (n,).

    Independent draws correlate with the label by chance, most so when n is small. Strata within each
    class take that chance away, so a probe finds nothing in a nuisance.
    """

    def __init__(self, y: np.ndarray, rng: np.random.Generator):
        self._rows = [np.flatnonzero(y == label) for label in np.unique(y)]
        self._rng = rng
        self.n = len(y)

    def like(self, y: np.ndarray) -> "Draws":
        """Draws for other labels from the same generator."""
        return Draws(y, self._rng)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """One number per stimulus in [low, high), one from each stratum of each class."""
        values = np.empty(self.n, dtype=np.float32)
        for rows in self._rows:
            strata = self._rng.permutation(len(rows)) + self._rng.random(len(rows))
            values[rows] = strata / len(rows)
        return np.float32(low) + np.float32(high - low) * values

    def index(self, options: int) -> np.ndarray:
        """An integer in 0..options-1 per stimulus, equally frequent in each class to within one."""
        values = np.empty(self.n, dtype=int)
        for rows in self._rows:
            # the remainder of the division must not always fall on the first options
            order = self._rng.permutation(options)
            values[rows] = order[self._rng.permutation(np.arange(len(rows)) % options)]
        return values

    def choice(self, options: Sequence) -> np.ndarray:
        """One of the options per stimulus."""
        return np.asarray(options)[self.index(len(options))]

    def sign(self) -> np.ndarray:
        """-1 or 1 per stimulus."""
        return self.choice(np.array([-1, 1], dtype=np.float32))

    def normal(self, scale: float = 1.0) -> np.ndarray:
        """Normal draws around 0 (Box and Muller, 1958)."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(0, 1 - 1e-6)))
        return np.float32(scale) * radius * np.cos(np.float32(2 * np.pi) * self.uniform())
