"""Checks that a measurement must pass before its words may be believed; one that fails ends the command with code 10."""

from typing import Any

import numpy as np

from dlcli.inspection.view import View

# Above this the bare input gives the label away.
LEAK = 0.10
# Levels that a linear reader may read off pixels: colour is there already; so is the identity of a token.
OPEN = {"colour", "step", "character", "word"}
# Examples in all, and of each class, below which numbers are noise.
FEW, FEW_OF_A_CLASS = 100, 10
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
            found += [gate for name in view.strip.rows if (gate := _distance(view, name))]
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
    n, labels = len(view.data.input), view.data.labels
    fewest = None if labels is None else n / max(1, len(np.unique(labels)))
    passed = n >= FEW and (fewest is None or fewest >= FEW_OF_A_CLASS)
    classes = "" if fewest is None else f", {fewest:.0f} of each class on average"
    return {
        "name": "samples",
        "passed": bool(passed),
        "subject": "data",
        "message": f"layers were measured on {n} examples{classes}"
        + (
            "."
            if passed
            else f": fewer than {FEW}, or {FEW_OF_A_CLASS} of a class, say little (--split train has more)."
        ),
    }


def _distance(view: View, level: str) -> dict[str, Any] | None:
    """None for stimuli that are read at one step: they are cut out of the user's own data, or not comparable."""
    ratios = [outside(view.data.kept[place.key], view.strip.rows[level][place.key]) for place in view.places]
    known = [value for value in ratios if value is not None]
    if not known:
        return None
    ratio = float(np.median(known))
    passed = ratio <= FAR
    return {
        "name": "distance",
        "passed": passed,
        "subject": level,
        "message": f"in the middle layer, {level} stimuli lie at {ratio:.1f} times the distance that 99 % of the data keep"
        + ("" if passed else f", more than {FAR:g}: the network sees something unlike what it was trained on."),
    }


def outside(data: np.ndarray, stimuli: np.ndarray) -> float | None:
    """The median stimulus' Mahalanobis distance over the 99th percentile of the data's, in the data's first
    principal components (at most 20, and one for ten examples). rows (n, d), (m, d); None where they differ in d.

    The components come from one half of the data, the percentile from the other.
    """
    if data.shape[1] != stimuli.shape[1] or len(data) < 40:
        return None
    data = data.astype(np.float64)
    half = len(data) // 2
    mean = data[:half].mean(axis=0)
    _, sizes, axes = np.linalg.svd(data[:half] - mean, full_matrices=False)
    kept = [i for i in range(min(20, half // 10, len(sizes))) if sizes[i] > 1e-6 * sizes[0]]
    if not kept:
        return None
    scale = axes[kept].T / (sizes[kept] / np.sqrt(half))
    usual = np.quantile(np.linalg.norm((data[half:] - mean) @ scale, axis=1), 0.99)
    return float(np.median(np.linalg.norm((stimuli - mean) @ scale, axis=1)) / usual)
