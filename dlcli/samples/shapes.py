"""Shapes: ten objects built from the same four parts (box, triangle, two discs), 32x32 in colour.

Only the arrangement of the parts tells the class. Colours, surface textures, the grating behind,
size, place and turn are drawn independently of it, and so are a loose shape at one side and a mark
of strokes in one corner. The factors name every level, from edges to the object.
"""

from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.samples import _canvas as canvas
from dlcli.samples._draws import Draws, in_splits, is_test, write_factors

SIZE = 2500  # pictures, when no number is given
SIDE = 32  # pixels
COLUMNS = 64
DISC_RADIUS, ROOF_BASE, ROOF_HEIGHT = 0.45, 1.0, 1.3  # in half sides of the box

# Centres of the triangle (with its clockwise quarter turns) and of the discs, in half sides of the
# box, whose centre is (0, 0); x goes right, y goes down.
OBJECTS = {
    "car": ((0, -1.65, 0), (-1.3, 0.85), (1.3, 0.85)),
    "clown": ((0, -1.65, 0), (-0.9, -1.1), (0.9, -1.1)),
    "cone": ((0, 1.65, 2), (-0.5, -1.35), (0.5, -1.35)),
    "face": ((0, 0.28, 0), (-0.5, -0.5), (0.5, -0.5)),
    "fish": ((-1.65, 0, 1), (0.4, -0.4), (1.6, -0.8)),
    "house": ((0, -1.65, 0), (-0.48, 0.05), (0.48, 0.05)),
    "mouse": ((0, 0.1, 2), (-0.9, -1.2), (0.9, -1.2)),
    "robot": ((0, 1.6, 0), (-0.55, 2.6), (0.55, 2.6)),
    "rocket": ((0, -1.65, 0), (-0.55, 1.35), (0.55, 1.35)),
    "truck": ((1.65, 0, 1), (-0.55, 1.35), (0.55, 1.35)),
}
CLASSES = tuple(OBJECTS)
HUES = ("red", "yellow", "green", "cyan", "blue", "magenta")
TEXTURES = ("plain", "stripes", "checks", "dots", "waves")
LOOSE = {"circle": canvas.disc, "triangle": canvas.triangle, "square": canvas.box, "star": canvas.star}
MARKS = {"L": canvas.corner, "T": canvas.tee, "X": canvas.cross, "arc": canvas.arc}
SIDES = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}
CORNERS = {"top-left": (0, 0), "top-right": (1, 0), "bottom-left": (0, 1), "bottom-right": (1, 1)}

# Factors that can be read from a picture, from the simple to the composed.
LEVELS = {
    "colour": ("box_colour", "triangle_colour", "discs_colour", "loose_colour", "mark_colour"),
    "edge": ("grating_angle",),
    "texture": ("box_texture", "triangle_texture"),
    "junction": ("mark",),
    "shape": ("loose",),
    "relation": ("loose_place",),
    "object": ("object",),
}


def make(n: int, *, seed: int = 0) -> Data:
    """n pictures: uint8 (n, 32, 32, 3), class names, and names as in the folder that `write` makes."""
    from dlcli.images import ArrayImages

    columns = factors(n, seed=seed)
    examples = Examples(
        x=ArrayImages(draw(columns, seed=seed)),
        y=columns["object"],
        names=columns["file"].tolist(),
    )
    return Data(kind="images", splits=in_splits(examples, is_test(n, len(CLASSES))))


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """An image folder: train/CLASS/*.png, test/CLASS/*.png, and factors.csv beside them."""
    from PIL import Image

    columns = factors(n, seed=seed)
    for place in {Path(file).parent for file in columns["file"]}:
        (folder / place).mkdir(parents=True, exist_ok=True)
    for file, picture in zip(columns["file"], draw(columns, seed=seed), strict=True):
        Image.fromarray(picture).save(folder / file, optimize=True)
    write_factors(folder, columns, LEVELS)


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """What each picture is made of. Places and sizes in pixels, angles in degrees clockwise."""
    draws = Draws(n, seed=seed, columns=COLUMNS)
    index = np.arange(n)
    # The classes take turns, so every round of ten holds each once.
    names = np.asarray(CLASSES)[index % len(CLASSES)]
    part = np.where(is_test(n, len(CLASSES)), "test", "train")
    files = [f"{p}/{c}/{i:06d}.png" for p, c, i in zip(part, names, index, strict=True)]
    table = {"file": np.array(files, dtype=object), "object": names}

    # edges: the grating behind everything
    table["grating_angle"] = draws.choice(np.arange(8) * 22.5)
    table["grating_period"] = draws.uniform(4, 8)
    table["grating_phase"] = draws.uniform()
    table["grating_contrast"] = draws.uniform(0.06, 0.16)
    table["ground"] = draws.choice(["dark", "light"])
    table["ground_hue"] = draws.uniform()
    table["ground_value"] = draws.uniform(0.0, 0.2) + np.where(table["ground"] == "dark", 0.1, 0.75)

    # surfaces: a colour and a texture for each part
    for name in ("box", "triangle", "discs", "loose", "mark"):
        table[f"{name}_colour"] = draws.choice(HUES)
        table[f"{name}_hue"] = (_position(table[f"{name}_colour"], HUES) + draws.uniform(-0.25, 0.25)) / len(HUES) % 1
        table[f"{name}_value"] = draws.uniform(0.7, 1.0)
    for name in ("box", "triangle"):
        table[f"{name}_texture"] = draws.choice(TEXTURES)
        table[f"{name}_texture_angle"] = draws.uniform(0, 180)
        table[f"{name}_texture_phase"] = draws.uniform()

    # strokes that meet, a shape, and where it lies
    for name, kinds, places in (("mark", MARKS, CORNERS), ("loose", LOOSE, SIDES)):
        table[name] = draws.choice(list(kinds))
        table[f"{name}_place"] = draws.choice(list(places))
        table[f"{name}_turn"] = draws.uniform(-20, 20)
    right, down = _steps(table["mark_place"], CORNERS)
    table["mark_x"] = 4.5 + 23 * right + draws.uniform(-0.7, 0.7)
    table["mark_y"] = 4.5 + 23 * down + draws.uniform(-0.7, 0.7)
    right, down = _steps(table["loose_place"], SIDES)
    along = draws.uniform(-5, 5)
    table["loose_x"] = 16 + 12 * right + along * (right == 0)
    table["loose_y"] = 16 + 12 * down + along * (down == 0)
    table["loose_size"] = draws.uniform(2.2, 3.0)

    # the object: a turn, a size, a place away from the loose shape, and its parts
    table["scale"] = draws.uniform(3.4, 4.9)
    table["turn"] = draws.uniform(-22, 22)
    table["mirrored"] = draws.chance(0.5)
    table["x"] = 16 - 1.5 * right + draws.uniform(-2, 2)
    table["y"] = 16 - 1.5 * down + draws.uniform(-2, 2)
    for name, (x, y) in _parts(names, draws).items():
        x = np.where(table["mirrored"], -x, x) * table["scale"]
        y, angle = y * table["scale"], np.radians(table["turn"])
        table[f"{name}_x"] = table["x"] + x * np.cos(angle) - y * np.sin(angle)
        table[f"{name}_y"] = table["y"] + x * np.sin(angle) + y * np.cos(angle)
    table["noise"] = draws.uniform(0.005, 0.02)
    return table


def draw(table: dict[str, np.ndarray], *, seed: int = 0) -> np.ndarray:
    """Factors -> pictures, uint8 (n, 32, 32, 3)."""
    n = len(table["file"])
    pictures = np.empty((n, SIDE, SIDE, 3), dtype=np.uint8)
    for start in range(0, n, 64):  # 64 pictures fit the processor's cache
        stop = min(start + 64, n)
        rows = {name: column[start:stop] for name, column in table.items()}
        noise = np.stack(
            [
                np.random.default_rng([seed, i, 1]).standard_normal((SIDE, SIDE, 3), dtype=np.float32)
                for i in range(start, stop)
            ]
        )
        images = _paint(rows) + noise * _each(rows["noise"])[..., None]
        # Steps of 8: nobody sees them, and the files are half as large.
        pictures[start:stop] = np.clip(np.rint(images * 31), 0, 31) * (255 / 31)
    return pictures


def _parts(names, draws):
    """Centres (x, y) of each part around the middle of the object, in half sides of the box."""
    roof, first, second = (np.array([OBJECTS[c][k][:2] for c in names], dtype=float).reshape(-1, 2).T for k in range(3))
    sideways = np.array([OBJECTS[c][0][2] % 2 for c in names], dtype=bool)
    half = [np.where(sideways, *lengths) for lengths in ((ROOF_HEIGHT / 2, ROOF_BASE), (ROOF_BASE, ROOF_HEIGHT / 2))]
    centres = {"box": np.zeros_like(roof), "triangle": roof, "disc1": first, "disc2": second}
    reach = {"box": (1, 1), "triangle": half, "disc1": (DISC_RADIUS,) * 2, "disc2": (DISC_RADIUS,) * 2}
    for axis in (0, 1):
        low = np.min([centres[p][axis] - reach[p][axis] for p in centres], axis=0)
        high = np.max([centres[p][axis] + reach[p][axis] for p in centres], axis=0)
        for part in centres:
            centres[part][axis] -= (low + high) / 2
    for part in centres:
        centres[part] = centres[part] + np.stack([draws.uniform(-0.07, 0.07), draws.uniform(-0.07, 0.07)])
    return centres


def _paint(rows):
    x, y = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    x, y = x.astype("float32")[None], y.astype("float32")[None]
    dark = rows["ground"] == "dark"

    # the ground is pale or dark, the grating runs over it
    u, _ = canvas.turned(x - 16, y - 16, _each(np.radians(rows["grating_angle"])))
    wave = np.sin(2 * np.pi * (u / _each(rows["grating_period"]) + _each(rows["grating_phase"])))
    ground = canvas.colour(rows["ground_hue"], np.where(dark, 0.5, 0.12), rows["ground_value"])
    images = ground[:, None, None, :] + (wave * _each(rows["grating_contrast"]) / 2)[..., None]
    images = images.astype("float32")
    line = np.where(dark[:, None], np.float32(0.93), np.float32(0.08)) * np.ones(3, "float32")

    for kind, shape in MARKS.items():
        some = np.flatnonzero(rows["mark"] == kind)
        u, v = _seen(rows, "mark", rows["mark_turn"], some, x, y, 3.0)
        share = canvas.cover(shape(u, v) * 3.0 - 0.65)
        images[some] = canvas.paint(images[some], share, _fill(rows, "mark")[some])
    for kind, shape in LOOSE.items():
        some = np.flatnonzero(rows["loose"] == kind)
        size = _each(rows["loose_size"][some])
        u, v = _seen(rows, "loose", rows["loose_turn"], some, x, y, size)
        distance = shape(u, v) * size
        images[some] = canvas.paint(images[some], canvas.cover(distance), _fill(rows, "loose")[some])

    every, scale = np.arange(len(dark)), _each(rows["scale"])
    sign = np.where(rows["mirrored"], -1, 1)
    quarter = np.array([OBJECTS[c][0][2] for c in rows["object"]]) * 90 * sign
    u, v = _seen(rows, "box", rows["turn"], every, x, y, scale)
    _part(images, canvas.box(u, v) * scale, _surface(rows, "box", x, y), line)
    u, v = _seen(rows, "triangle", rows["turn"] + quarter, every, x, y, scale)
    _part(images, canvas.triangle(u, v, ROOF_BASE, ROOF_HEIGHT) * scale, _surface(rows, "triangle", x, y), line)
    for name in ("disc1", "disc2"):
        u, v = _seen(rows, name, rows["turn"], every, x, y, scale * DISC_RADIUS)
        _part(images, canvas.disc(u, v) * scale * DISC_RADIUS, _fill(rows, "discs"), line)
    return images


def _part(images, distance, fill, line):
    """A part with an outline of 0.8 pixels, half of it outside, so that equal colours stay apart."""
    canvas.paint(images, canvas.cover(distance - 0.4), line)
    canvas.paint(images, canvas.cover(distance + 0.4), fill)


def _seen(rows, name, degrees, some, x, y, size):
    """The pixels' coordinates as the named thing sees them."""
    angle = _each(np.radians(degrees[some]))
    u, v = x - _each(rows[f"{name}_x"][some]), y - _each(rows[f"{name}_y"][some])
    u, v = canvas.turned(u, v, angle)
    return u / size, v / size


def _fill(rows, name):
    return canvas.colour(rows[f"{name}_hue"], np.full(len(rows["file"]), 0.85), rows[f"{name}_value"])


def _surface(rows, name, x, y):
    """Colour of each pixel of a textured part: (B, H, W, 3)."""
    light = np.ones((len(rows["file"]), SIDE, SIDE), dtype="float32")
    for kind in TEXTURES[1:]:
        some = np.flatnonzero(rows[f"{name}_texture"] == kind)
        u, v = canvas.turned(x - 16, y - 16, _each(np.radians(rows[f"{name}_texture_angle"][some])))
        light[some] = 0.5 + 0.5 * canvas.texture(kind, u / 3.4, v / 3.4, _each(rows[f"{name}_texture_phase"][some]))
    return _fill(rows, name)[:, None, None, :] * light[..., None]


def _each(values):
    """(B,) -> (B, 1, 1) in single precision."""
    return np.asarray(values, dtype="float32")[:, None, None]


def _position(names, options):
    return np.array([options.index(name) for name in names.tolist()], dtype=float)


def _steps(names, options):
    return np.array([options[name] for name in names.tolist()], dtype=float).reshape(-1, 2).T
