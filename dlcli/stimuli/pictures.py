"""Pictures: colour, edge, texture, junction, shape, relation, object."""

import numpy as np

from dlcli.samples import _canvas as canvas
from dlcli.stimuli import _balanced, _surfaces
from dlcli.stimuli._balanced import Draws
from dlcli.stimuli._level import Level
from dlcli.stimuli._sheet import Sheet, each, seen

HUES = ("red", "yellow", "green", "cyan", "blue", "magenta")
ANGLES = tuple(f"{turn:g}°" for turn in np.arange(8) * 22.5)
SIDES = ("above", "below", "left", "right")
ARRANGEMENTS = (
    "triangle above, disc left",
    "triangle above, disc right",
    "triangle below, disc left",
    "triangle below, disc right",
)
# shape: size of its unit for the area of a disc of radius 1, and for its outline's length
SHAPES = {
    "circle": (canvas.disc, 1.0, 1.0),
    "triangle": (lambda u, v: canvas.triangle(u, v, 1.0, np.float32(1.732)), 1.347, 1.047),
    "square": (canvas.box, 0.886, 0.785),
    "star": (canvas.star, 1.635, 0.877),
}
# strokes: size of the unit at which all have the same ink
JUNCTIONS = {
    "L": (canvas.corner, 1.0),
    "X": (canvas.cross, 0.707),
    "T": (canvas.tee, 0.941),
    "arc": (canvas.arc, 1.132),
}


def levels(height: int, width: int, channels: int, *, n: int = 400, seed: int = 0) -> list[Level]:
    """Levels from low to high, each with n pictures, uint8 (n, H, W, C).

    Colour is left out for fewer than three channels; with more the first three are red, green, blue.
    """
    makers = {
        "colour": (_colour, HUES),
        "edge": (_edge, ANGLES),
        "texture": (_texture, _surfaces.KINDS),
        "junction": (_junction, tuple(JUNCTIONS)),
        "shape": (_shape, tuple(SHAPES)),
        "relation": (_relation, SIDES),
        "object": (_object, ARRANGEMENTS),
    }
    sheet, found = Sheet(height, width, channels), []
    for i, (name, (make, names)) in enumerate(makers.items()):
        if name == "colour" and channels < 3:
            continue
        rng = np.random.default_rng([seed, i])
        y = _balanced.labels(n, len(names), rng)
        x, control, *group = make(sheet, y, Draws(y, rng))
        found.append(Level(name=name, x=x, y=y, names=names, control=control, group=group[0] if group else None))
    return found


def _colour(sheet, y, draws):
    """A textured surface of one hue."""
    kind, size, turn, phases = _surface_draws(sheet, draws)
    hue = ((y + draws.uniform(-0.25, 0.25)) / len(HUES)) % 1
    saturation, value = draws.uniform(0.35, 1), draws.uniform(0.4, 0.8)
    colours = np.empty((draws.n, sheet.channels), dtype="float32")
    colours[:, :3] = canvas.colour(hue, saturation, value)
    colours[:, 3:] = colours[:, :3].mean(axis=1, keepdims=True)
    depth = draws.uniform(0.05, 0.25)[:, None]

    def paint(rows):
        u, v = seen(sheet, sheet.width / 2 * np.ones_like(turn[rows]), turn[rows] * 0, turn[rows], size[rows])
        return colours[rows], [(_surfaces.surface(kind[rows], u, v, phases[rows]), colours[rows] * depth[rows])]

    return sheet.render(draws.n, paint), kind * 2 + (saturation > 0.675)


def _edge(sheet, y, draws):
    """A grating over the whole picture; partners of one group differ in phase and ground."""
    group, turn, sizes = _balanced.partners(y)
    shared = draws.like(y[np.unique(group, return_index=True)[1]])
    angle = np.radians(22.5 * y + shared.uniform(-4, 4)[group])
    shortest = max(4.0, sheet.side / 14)
    octave = shared.index(4)
    period = (shortest * max(1.6, sheet.side / 4 / shortest) ** ((octave + shared.uniform()) / 4))[group]
    # three square waves do not cancel out
    square = shared.index(2) * (sizes == 2)
    axis = sheet.axis(shared, 0.14, 0.45)[group]
    phase, ground = 2 * np.pi * (shared.uniform()[group] + turn), sheet.ground(draws, np.abs(axis))
    # a square wave's edges are one pixel wide
    gain = np.where(square[group], period / np.pi, 1)

    def paint(rows):
        u, _ = seen(sheet, angle[rows] * 0, angle[rows] * 0, angle[rows], period[rows] / (2 * np.pi))
        wave = np.sin(u + each(phase[rows])) * each(gain[rows])
        return ground[rows], [(np.clip(wave, -1, 1), axis[rows])]

    return sheet.render(draws.n, paint), (octave * 2 + square)[group], group


def _texture(sheet, y, draws):
    """A surface of one kind; all kinds have the same histogram."""
    _, size, turn, phases = _surface_draws(sheet, draws)
    axis = sheet.axis(draws, 0.2, 0.48)
    ground = sheet.ground(draws, np.abs(axis))

    def paint(rows):
        u, v = seen(sheet, turn[rows] * 0, turn[rows] * 0, turn[rows], size[rows])
        return ground[rows], [(_surfaces.surface(y[rows], u, v, phases[rows]), axis[rows])]

    return sheet.render(draws.n, paint), (turn // (np.pi / 4)).astype(int) % 4 * 2 + (size > np.median(size))


def _surface_draws(sheet, draws):
    """Kind, period in pixels, turn and phases of a surface."""
    shortest = max(4.0, sheet.side / 10)
    size = shortest * max(1.5, sheet.side / 4.5 / shortest) ** draws.uniform()
    return draws.index(len(_surfaces.KINDS)), size, draws.uniform(0, np.pi), _surfaces.phases(draws)


def _junction(sheet, y, draws):
    """Strokes that meet, anywhere and at any angle."""
    large, dark = draws.index(2), draws.index(2)
    size = sheet.side * (0.17 + 0.06 * (large + draws.uniform()))
    x, y_place = sheet.places(draws, size * 1.1)
    turn, width = draws.uniform(0, 2 * np.pi), sheet.stroke(0.05) * draws.uniform(1, 1.5)
    axis = np.abs(sheet.axis(draws, 0.25, 0.9)) * np.where(dark, -1, 1)[:, None]
    ground = sheet.ground(draws, np.abs(axis) / 2) - axis / 2

    def paint(rows):
        share = np.empty((len(x[rows]), sheet.height, sheet.width), dtype="float32")
        for kind, (stroke, unit) in enumerate(JUNCTIONS.values()):
            some = rows.start + np.flatnonzero(y[rows] == kind)
            u, v = seen(sheet, x[some], y_place[some], turn[some], size[some] * unit)
            share[some - rows.start] = canvas.cover(stroke(u, v) * each(size[some] * unit) - each(width[some] / 2))
        return ground[rows], [(share, axis[rows])]

    return sheet.render(draws.n, paint), large * 2 + dark


def _shape(sheet, y, draws):
    """A filled, outlined or textured figure on a plain or textured ground."""
    filling, rough = draws.index(3), draws.index(2)
    size = sheet.side * draws.uniform(0.2, 0.27)
    x, y_place = sheet.places(draws, size * 1.5)
    turn, width = draws.uniform(0, 2 * np.pi), sheet.stroke(0.06) * draws.uniform(1, 1.4)
    axis, figure, behind = sheet.axis(draws, 0.15, 0.3), sheet.axis(draws, 0.08, 0.15), sheet.axis(draws, 0.06, 0.12)
    ground = sheet.ground(draws, np.minimum(np.abs(axis) + 0.15, 0.5))
    figure, behind = figure * (filling == 2)[:, None], behind * rough[:, None]
    patterns = [_surface_draws(sheet, draws) for _ in range(2)]

    def paint(rows):
        share = np.empty((len(x[rows]), sheet.height, sheet.width), dtype="float32")
        for kind, (shape, by_area, by_length) in enumerate(SHAPES.values()):
            some = rows.start + np.flatnonzero(y[rows] == kind)
            unit = size[some] * np.where(filling[some] == 1, by_length, by_area)
            distance = shape(*seen(sheet, x[some], y_place[some], turn[some], unit)) * each(unit)
            line = np.abs(distance) - each(width[some] / 2)
            share[some - rows.start] = canvas.cover(np.where(each(filling[some] == 1) > 0, line, distance))
        inside, outside = (_plain(sheet, rows, *draw) for draw in patterns)
        layers = [(2 * share - 1, axis[rows]), (share * inside, figure[rows]), ((1 - share) * outside, behind[rows])]
        return ground[rows], layers

    return sheet.render(draws.n, paint), filling * 2 + rough


def _plain(sheet, rows, kind, size, turn, phases):
    """Stripes or checks in -1..1; sines, whose mean does not depend on where they are cut."""
    u, v = seen(sheet, turn[rows] * 0, turn[rows] * 0, turn[rows], size[rows] * 0.8)
    signal = np.sin(np.float32(2 * np.pi) * (u + each(phases[rows, 0])))
    across = np.flatnonzero(kind[rows] % 2)
    signal[across] *= np.sin(np.float32(2 * np.pi) * (v[across] + each(phases[rows, 1][across])))
    return signal


def _relation(sheet, y, draws):
    """A disc beside a square; sizes, colours and the place of the pair are free."""
    low, high = max(0.11, 2.4 / sheet.side), max(0.16, 2.9 / sheet.side)
    large = [draws.index(2) for _ in range(2)]
    disc, box = (sheet.side * (low + (high - low) / 2 * (half + draws.uniform())) for half in large)
    box = box * 0.886
    turn, lean = np.radians(draws.uniform(-12, 12)), np.radians(draws.uniform(-20, 20))
    angle = np.radians(np.array([-90, 90, 180, 0], dtype="float32"))[y] + lean
    apart = disc + box + sheet.side * draws.uniform(0.02, 0.08)
    x, y_place = sheet.places(draws, apart / 2 + np.maximum(disc, box))
    across, down = np.cos(angle) * apart / 2, np.sin(angle) * apart / 2
    colours, ground = [sheet.axis(draws, 0.3, 0.44) for _ in range(2)], sheet.ground(draws, 0.44)

    def paint(rows):
        circle = seen(sheet, (x + across)[rows], (y_place + down)[rows], turn[rows] * 0, disc[rows])
        square = seen(sheet, (x - across)[rows], (y_place - down)[rows], turn[rows], box[rows])
        return ground[rows], [
            (canvas.cover(canvas.disc(*circle) * each(disc[rows])), colours[0][rows]),
            (canvas.cover(canvas.box(*square) * each(box[rows])), colours[1][rows]),
        ]

    return sheet.render(draws.n, paint), large[0] * 2 + large[1]


def _object(sheet, y, draws):
    """A box, a triangle and a disc. Any one of their relations holds in two of the four classes."""
    unit = sheet.side * max(0.11, 2.2 / sheet.side) * draws.uniform(1, 1.35)  # half a side of the box
    above, left = np.where(y < 2, -1, 1), np.where(y % 2 == 0, -1, 1)
    turn, gap = np.radians(draws.uniform(-15, 15)), draws.uniform(0.1, 0.4)
    # centres in units, around the middle of the whole
    corner = [(2 + gap) * left, (1.9 + gap) * above]
    jitter = [draws.uniform(-0.35, 0.35) for _ in range(4)]
    centres = np.array(
        [
            [-corner[0] / 2, -corner[1] / 2],
            [-corner[0] / 2 + jitter[0], corner[1] / 2 + jitter[1] * 0.2],
            [corner[0] / 2 + jitter[2] * 0.2, -corner[1] / 2 + jitter[3]],
        ],
        dtype="float32",
    )  # part, axis, stimulus
    x, y_place = sheet.places(draws, unit * 2.4)
    parts = (canvas.box, canvas.triangle, canvas.disc)
    sizes = (unit * 0.95, unit * 0.95, unit * 0.9)
    rough = [draws.index(2) for _ in parts]
    colours, ground = [sheet.axis(draws, 0.22, 0.32) for _ in parts], sheet.ground(draws, 0.44)
    grain = [sheet.axis(draws, 0.06, 0.12) * r[:, None] for r in rough]
    patterns = [_surface_draws(sheet, draws) for _ in parts]

    def paint(rows):
        layers, cos, sin = [], np.cos(turn[rows]), np.sin(turn[rows])
        for part, size, centre, colour, fine, draw in zip(parts, sizes, centres, colours, grain, patterns, strict=True):
            across, down = centre[:, rows] * unit[rows]
            place = x[rows] + across * cos - down * sin, y_place[rows] + across * sin + down * cos
            share = canvas.cover(part(*seen(sheet, *place, turn[rows], size[rows])) * each(size[rows]))
            layers += [(share, colour[rows]), (share * _plain(sheet, rows, *draw), fine[rows])]
        return ground[rows], layers

    return sheet.render(draws.n, paint), rough[0] * 4 + rough[1] * 2 + rough[2]
