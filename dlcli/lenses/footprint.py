"""What each layer of a generator decides: how large, how fine and which part of the picture it changes.

A generator has its hierarchy the other way round: early layers should lay out, late ones draw. Each
place is disturbed by noise of its own standard deviation, at one location (footprint, spectrum) or
everywhere (shares), and the change of the picture is looked at.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from dlcli.inspection import coarse_to_fine
from dlcli.inspection.gradients import run, seen
from dlcli.inspection.taps import Place
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _drawing, _placed

BUDGET = "standard"
FAMILIES = ("gan", "autoencoder")
EXAMPLES = 32
# Of each layer's own deviation, where all layers are disturbed at once: the picture shall stay one.
DISTURBED = 0.3
_REPEATS = 4
_INPUT = ""  # in place of a layer's key: the noise that goes in
PARTS = ("colour", "layout", "contour", "texture")


def look(view: View) -> Finding | None:
    x, places = view.examples(EXAMPLES), generating(view)
    if x is None or not places:
        return None
    model, keys = view.subject.model, [place.key for place in places]
    values = seen(model, x, keys) | ({_INPUT: noise_of(x)} if _INPUT in keys else {})
    # in the order of the places: the noise comes first, and is not among what layers give
    deviations = {key: values[key].std(axis=tuple(range(values[key].ndim - 1)), keepdims=True) for key in keys}
    rng = np.random.default_rng([view.seed, 11])
    measured = [local(model, x, key, deviations[key], rng) for key in keys]
    divided = shares(model, x, values, deviations, rng)
    names = [place.name for place in places]
    order = coarse_to_fine.hierarchy(names, *zip(*measured, strict=True), divided, PARTS)
    finding = Finding(methods=[_METHOD, coarse_to_fine.METHOD], generator=order)
    rows = []
    for place, (footprint, middle), many in zip(places, measured, divided, strict=True):
        if place.key != _INPUT:
            finding.own[place.name] = {"footprint": footprint, "spectrum": round(middle, 3)}
        rows.append([place.layer, footprint, round(middle, 3), *(round(float(p), 2) for p in many)])
    finding.tables.append(
        {
            "title": "What each layer decides",
            "columns": ["layer", "px", "cycles/px", *PARTS],
            "rows": rows,
            "note": f"{coarse_to_fine.told(order)} px: side of the square that a change covers; cycles/px: how fine it is. Shares of variance (total effects) when all layers are disturbed by {DISTURBED:g} of their deviation.",
        }
    )
    return finding


def generating(view: View) -> list[Place]:
    """The noise or the code, and the places behind it; all maps of a network without either.

    [] when the model gives no pictures. The last place is left out: it is the picture itself.
    """
    outputs = keras.tree.flatten(view.visits[-1].output)
    if len(outputs) != 1 or not _drawing.drawable(outputs[0]):
        return []
    shapes = {visit.key: tuple(getattr(visit.output, "shape", ())) for visit in view.visits}
    places = [place for place in view.places if len(shapes[place.key]) in (2, 4)]
    if places and shapes[places[-1].key] == tuple(outputs[0].shape):
        places = places[:-1]
    if _from_noise(view.subject.model):
        return [Place(key=_INPUT, name="noise"), *places]
    flat = [i for i, place in enumerate(places) if len(shapes[place.key]) == 2]
    if not flat:
        return places
    code = min(flat, key=lambda i: shapes[places[i].key][1])
    # a place beside the code, such as the logarithm of a variance, is not on the way to the picture
    return [places[code], *(place for place in places[code + 1 :] if "log_var" not in place.name)]


def _from_noise(model: keras.Model) -> bool:
    """Whether what goes in has no positions yet, as the noise of a generator."""
    given = [one for one in keras.tree.flatten(getattr(model, "inputs", None) or []) if "float" in str(one.dtype)]
    return bool(given) and len(given[0].shape) == 2


def noise_of(x) -> np.ndarray:
    """The floating input (n, Z) among the inputs."""
    return next(np.asarray(v) for v in keras.tree.flatten(x) if "float" in str(v.dtype))


def local(model, x, key: str, deviation: np.ndarray, rng: np.random.Generator) -> tuple[int, float]:
    """Noise at the middle of a place (all of it, where it has no positions): side of the square that holds
    95 % of the change, and where its spectrum has its weight, in cycles per pixel."""

    def at_middle(values):
        noise = (deviation * rng.normal(size=values.shape)).astype(np.float32)
        if noise.ndim == 4:
            row, column = values.shape[1] // 2, values.shape[2] // 2
            middle, noise = noise[:, row, column], np.zeros_like(noise)
            noise[:, row, column] = middle
        return values + ops.cast(noise, values.dtype)

    change = pictures(model, x, {key: at_middle}) - pictures(model, x, {})
    return _placed.side_of_mass((change**2).mean(axis=(0, 3))), centroid(change)


def centroid(change: np.ndarray) -> float:
    """Mean radial frequency of (n, H, W, C), weighted by power: 0 for flat, near 0.4 for white noise."""
    power = (np.abs(np.fft.fft2(change, axes=(1, 2))) ** 2).sum(axis=(0, 3))
    rows, columns = (np.fft.fftfreq(side) for side in change.shape[1:3])
    return float((power * np.hypot(rows[:, None], columns[None])).sum() / max(power.sum(), 1e-30))


def shares(model, x, values: dict, deviations: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Total effect of each place on each of PARTS (places, parts): Jansen's estimator.

    All places are disturbed; then one of them is disturbed anew. Half the mean squared difference is
    the variance that this place has a part in; it is divided by all variance.
    """

    def draw(key):
        return DISTURBED * deviations[key] * rng.normal(size=values[key].shape)

    floor = [1e-12 * max(float((part**2).mean()), 1e-12) for part in parts(pictures(model, x, {}))]
    total, found = np.zeros(len(PARTS)), np.zeros((len(deviations), len(PARTS)))
    for _ in range(_REPEATS):
        noise, other = ({key: draw(key) for key in deviations} for _ in range(2))
        before = parts(pictures(model, x, {key: _plus(noise[key]) for key in noise}))
        total += _half(before, parts(pictures(model, x, {key: _plus(other[key]) for key in noise})))
        for i, key in enumerate(deviations):
            anew = noise | {key: other[key]}
            found[i] += _half(before, parts(pictures(model, x, {k: _plus(anew[k]) for k in anew})))
    # a part that never changes has no shares
    return found / np.maximum(total, floor)


def _half(first: list[np.ndarray], second: list[np.ndarray]) -> np.ndarray:
    """Half the mean squared difference of each part."""
    return np.array([((a - b) ** 2).mean() / 2 for a, b in zip(first, second, strict=True)])


def parts(pictures: np.ndarray) -> list[np.ndarray]:
    """Pictures (n, H, W, C) -> global colour (n, C), layout (n, 4, 4, C) without it, contour (n, H, W)
    (length of the gradient of the brightness), texture (n, 4, 4) (energy of what a 3x3 mean takes away)."""
    colour = pictures.mean(axis=(1, 2))
    bright = pictures.mean(axis=3)
    slope = np.hypot(*np.gradient(bright, axis=(1, 2)))
    edges = np.pad(bright, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = bright.shape[1:]
    smooth = sum(edges[:, i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9
    return [
        colour,
        _coarse(pictures) - colour[:, None, None],
        slope,
        _coarse(((bright - smooth) ** 2)[..., None])[..., 0],
    ]


def _coarse(values: np.ndarray, cells: int = 4) -> np.ndarray:
    """Means of (n, H, W, C) over 4 x 4 cells."""
    bands = [np.array_split(np.arange(side), min(cells, side)) for side in values.shape[1:3]]
    return np.stack(
        [np.stack([values[:, r][:, :, c].mean(axis=(1, 2)) for c in bands[1]], axis=1) for r in bands[0]], axis=1
    )


def pictures(model, x, changes: dict[str, Callable]) -> np.ndarray:
    if _INPUT in changes:
        noise = noise_of(x)
        moved = np.asarray(changes[_INPUT](ops.convert_to_tensor(noise)))
        x = keras.tree.map_structure(lambda v: moved if v.shape == noise.shape else v, x)
    return np.asarray(ops.convert_to_numpy(run(model, x, changes)), np.float64)


def _plus(noise: np.ndarray) -> Callable:
    return lambda values: values + ops.cast(noise.astype(np.float32), values.dtype)


_METHOD = {
    "name": "footprint, spectrum and shares",
    "formula": "noise of a layer's own deviation at its middle: side of the smallest square with 95 % of the squared "
    "change; mean radial frequency of the change; total effects E(S - S')^2 / 2 var S where S' has one layer "
    "disturbed anew, for S: mean colour, 4x4 means, gradient length, energy above a 3x3 mean",
    "source": "Jansen, 1999 (total effects)",
}
