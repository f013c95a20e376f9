"""Pictures in which a figure's outline and its surface speak for different things (Geirhos et al., 2019)."""

import numpy as np

from dlcli.samples import _canvas as canvas
from dlcli.stimuli import _balanced, _surfaces
from dlcli.stimuli._balanced import Draws
from dlcli.stimuli._level import Level
from dlcli.stimuli._sheet import Sheet, each, seen
from dlcli.stimuli.pictures import SHAPES

# Waves are left out: as many surfaces as shapes, and inside a small figure they pass for stripes.
SURFACES = ("stripes", "checks", "dots", "noise")
KINDS = len(SHAPES)
# Below it a figure holds less than two periods of its surface.
SMALLEST = 24


def cues(height: int, width: int, channels: int, *, n: int = 480, seed: int = 0) -> Level:
    """n pictures, uint8 (n, H, W, C): every shape with every surface, as often as every other to within one.

    y: shape times KINDS plus surface; `parts` takes it apart.  Sizes, turns, places, colours and polarity are
    free, and all surfaces have one histogram.
    """
    rng = np.random.default_rng([seed, 31])
    y = _balanced.labels(n, KINDS * KINDS, rng)
    sheet, draws = Sheet(height, width, channels), Draws(y, rng)
    shape, surface = parts(y)
    size = sheet.side * draws.uniform(0.23, 0.28)
    x, y_place = sheet.places(draws, size * 1.65)  # the tips of the star
    turn, lean = draws.uniform(0, 2 * np.pi), draws.uniform(0, np.pi)
    period = max(4.0, sheet.side / 12) * draws.uniform(1, 1.3)
    step, grain = sheet.axis(draws, 0.1, 0.18), sheet.axis(draws, 0.2, 0.3)
    ground = sheet.ground(draws, np.minimum(np.abs(step) + np.abs(grain), 0.5))
    phases, kinds = _surfaces.phases(draws), np.array([_surfaces.KINDS.index(name) for name in SURFACES])

    def paint(rows):
        share = np.empty((len(x[rows]), height, width), dtype="float32")
        for kind, (outline, by_area, _) in enumerate(SHAPES.values()):
            some = rows.start + np.flatnonzero(shape[rows] == kind)
            unit = size[some] * by_area
            distance = outline(*seen(sheet, x[some], y_place[some], turn[some], unit)) * each(unit)
            share[some - rows.start] = canvas.cover(distance)
        u, v = seen(sheet, lean[rows] * 0, lean[rows] * 0, lean[rows], period[rows])
        pattern = _surfaces.surface(kinds[surface[rows]], u, v, phases[rows])
        return ground[rows], [(2 * share - 1, step[rows]), (share * pattern, grain[rows])]

    names = tuple(f"{outline} of {inside}" for outline in SHAPES for inside in SURFACES)
    return Level(name="cues", x=sheet.render(n, paint), y=y, names=names, control=(lean // (np.pi / 8)).astype(int))


def parts(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the shape (n,) and of the surface (n,)."""
    return y // KINDS, y % KINDS
