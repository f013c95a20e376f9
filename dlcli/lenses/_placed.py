"""Which places a lens looks at, and how they are seen for many examples."""

from collections.abc import Iterator

import numpy as np

from dlcli.inspection import nesting
from dlcli.inspection.field import fields
from dlcli.inspection.seen import Field
from dlcli.inspection.taps import Place
from dlcli.inspection.view import View


def maps(view: View) -> list[Place]:
    """The places whose output is maps (B, H, W, C), in order."""
    shapes = {visit.key: getattr(visit.output, "shape", ()) for visit in view.visits}
    return [place for place in view.places if len(shapes[place.key]) == 4 and place.axis == -1]


def batches(x, size: int) -> Iterator:
    """x, an array or a structure of arrays, in parts of at most so many examples."""
    from keras import tree

    for start in range(0, len(tree.flatten(x)[0]), size):
        yield tree.map_structure(lambda values: values[start : start + size], x)  # noqa: B023 - used at once


def windows(view: View) -> dict[str, Field]:
    """What the positions of a place see, along each axis, by its key; None for everything, or unknown."""
    return fields(nesting.nested(view.visits))


def side_of_mass(mass: np.ndarray, share: float = 0.95) -> int:
    """Side of the smallest square window of a map (H, W) >= 0 that holds so much of its sum; wider than high at most."""
    total = mass.sum()
    if not total > 0:
        return 0
    sums = np.pad(mass.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    low, high = 1, max(mass.shape)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _most(sums, middle) >= share * total * (1 - 1e-9) else (middle + 1, high)
    return low


def _most(sums: np.ndarray, side: int) -> float:
    """The largest sum in any window, given the cumulated sums."""
    h, w = (min(side, n - 1) for n in sums.shape)
    return float((sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]).max())
