"""Checks that a measurement must pass before its words may be believed; one that fails ends the command with code 10."""

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from dlcli.inspection.view import View
from dlcli.stimuli._level import CATEGORY

# Above this the bare input gives the label away.
LEAK = 0.10
# Levels that a linear reader may read off pixels: colour is there already; so is the identity of a token, and the
# user's classes are what they are.
OPEN = {"colour", "step", "character", "word", CATEGORY}
# Examples in all, and of each class, below which numbers are noise.
FEW, FEW_OF_A_CLASS = 100, 5
# Stimuli that lie so many times farther out than the data: a full grating is unlike any photograph, and
# lies 1.3 to 2.2 times as far out in the layers of a network trained on photographs.
FAR = 2.0


def checked(view: View) -> list[dict[str, Any]]:
    """One entry for every gate that could be tried: name, passed, subject, message."""
    found = []
    if view.strip is not None:
        found += [_leak(level) for level in view.strip.hierarchy.levels if level.name not in OPEN]
    if view.data is not None:
        found.append(_samples(view))
        if view.strip is not None:
            with threadpool_limits(1):
                reaches = {place.key: Reach(view.data.kept[place.key]) for place in view.places}
                found += [
                    gate for name in view.strip.rows if name != CATEGORY and (gate := _distance(view, reaches, name))
                ]
    return found


def _leak(level) -> dict[str, Any]:
    # A tenth, and not by the noise of a few hundred stimuli.
    passed = level.input <= LEAK
    return {
        "name": "leak",
        "passed": bool(passed),
        "subject": level.name,
        "message": f"{level.name} can be read off the bare input ({level.input:.2f} of what chance leaves)"
        + ("" if passed else f", more than {LEAK}: its stimuli give the label away."),
    }


def _samples(view: View) -> dict[str, Any]:
    n, labels = view.subject.count, view.subject.labels
    fewest = None if labels is None else int(np.unique(labels, return_counts=True)[1].min())
    passed = n >= FEW and (fewest is None or fewest >= FEW_OF_A_CLASS)
    classes = "" if fewest is None else f", {fewest} of the rarest class"
    return {
        "name": "samples",
        "passed": bool(passed),
        "subject": "data",
        "message": f"layers were measured on {n} examples{classes}"
        + (
            "."
            if passed
            else f": fewer than {FEW}, or {FEW_OF_A_CLASS} of a class, say little (--samples or --data may give more)."
        ),
    }


def _distance(view: View, reaches: dict[str, "Reach"], level: str) -> dict[str, Any] | None:
    """None for stimuli that are read at one step: they are cut out of the user's own data, or not comparable."""
    ratios = [reaches[key].of(rows) for key, rows in view.strip.rows[level].items() if key in reaches]
    known = [value for value in ratios if value is not None]
    if not known:
        return None
    ratio = float(np.median(known))
    passed = ratio <= FAR
    return {
        "name": "distance",
        "passed": passed,
        "subject": level,
        "message": f"{level} stimuli lie at {ratio:.1f} times the distance that 99 % of the data keep (median over layers)"
        + ("" if passed else f", more than {FAR:g}: the network sees something unlike what it was trained on."),
    }


class Reach:
    """How far from their centre the data's rows (n, d) lie in one layer: Mahalanobis distances in their first
    principal components (at most 20, and one for ten examples) of one half, the 99th percentile of the other."""

    def __init__(self, data: np.ndarray):
        self.width = data.shape[1]
        half = len(data) // 2
        data = data.astype(np.float64)
        self.mean = data[:half].mean(axis=0) if half else np.zeros(self.width)
        centred = data[:half] - self.mean
        # by the small Gram matrix: a layer may have more features than there are examples
        sizes, vectors = np.linalg.eigh(centred @ centred.T)
        kept = [i for i in range(len(sizes))[::-1][: min(20, half // 10)] if sizes[i] > 1e-12 * sizes[-1]]
        self.scale = centred.T @ vectors[:, kept] / sizes[kept] * np.sqrt(half) if kept else None
        self.usual = float(np.quantile(self._distances(data[half:]), 0.99)) if kept else 0.0

    def of(self, rows: np.ndarray) -> float | None:
        """The median row's distance as a multiple of what 99 % of the data keep; None where that makes no sense."""
        if self.scale is None or rows.shape[1] != self.width or not self.usual > 0:
            return None
        return float(np.median(self._distances(rows)) / self.usual)

    def _distances(self, rows: np.ndarray) -> np.ndarray:
        return np.linalg.norm((rows - self.mean) @ self.scale, axis=1)
