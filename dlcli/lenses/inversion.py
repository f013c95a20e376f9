"""What drives a unit most, drawn by gradient ascent, beside real patches that it answers to.

Real patches tell more about a unit than drawn ones do (Borowski et al., 2021), and drawn ones can be made
to deceive (Geirhos et al., 2023): so they stand side by side, with how far the drawn one goes beyond all
real ones, and whether it drives this unit rather than any.
"""

from collections.abc import Callable

import numpy as np
from keras import ops

from dlcli.inspection.field import width
from dlcli.inspection.gradients import gradients, seen
from dlcli.inspection.tap import Tap
from dlcli.inspection.taps import Place
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _drawing, _placed, patches

BUDGET = "deep"
FAMILIES = ("cnn", "autoencoder")
PLACES, UNITS = 6, 3
EXAMPLES = 512
STEPS, RATE = 64, 0.05  # steps at 32 x 32 pixels and below; fewer for larger pictures
_SIDE = 48


def look(view: View) -> Finding | None:
    x = view.examples(EXAMPLES)
    if not _drawing.drawable(x) or len(x) < 32 or view.data is None:
        return None
    every = _placed.maps(view)
    places = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, PLACES).round().astype(int))] if every else []
    if not places:
        return None
    x = np.asarray(x, np.float32)
    counts = {place.key: view.data.kept[place.key].shape[1] // 2 for place in places}
    every_unit = {key: list(range(count)) for key, count in counts.items()}
    windows = _placed.windows(view)
    answers = patches.answered(view.subject.model, x, every_unit, view.batch_size, windows)
    finding = Finding(methods=[_METHOD])
    rows = []
    for place in places:
        units = patches.strongest_kind(view, place.key, UNITS)
        drawn = invert(view.subject.model, x, place.key, units, seed=view.seed)
        found = compared(view.subject.model, drawn, place.key, units, answers[place.key][0].max(axis=0))
        finding.pictures[place.name] = [_picture(x, drawn, place, units, answers[place.key], width(windows[place.key]))]
        name = place.layer
        rows += [
            [name, unit, round(ratio, 2), f"{rank} of {counts[place.key]}"]
            for unit, (ratio, rank) in zip(units, found, strict=True)
        ]
    finding.tables.append(
        {
            "title": "Units, drawn",
            "columns": ["layer", "unit", "answer / best real", "rank"],
            "rows": rows,
            "note": f"Answer to the drawn picture over the strongest to any of {len(x)} real ones; rank of that among all "
            "units of the layer: 1 says that the picture drives this unit and no other as far.",
        }
    )
    return finding


def invert(model, x: np.ndarray, key: str, units: list[int], *, seed: int) -> np.ndarray:
    """Pictures (units, H, W, C) that drive units of one layer: Adam on sums of cosines, jittered.

    Slow cosines are given larger steps, as natural pictures have more of them, and colours are mixed as they
    are in x (Olah et al., 2017).
    """
    height, width, channels = x.shape[1:]
    steps = int(np.clip(STEPS * 32 * 32 / (height * width), 16, STEPS))
    rng = np.random.default_rng([seed, 14])
    paint = _painter(x)
    # 0.5 and not nearly 0: on plain grey a unit behind a ReLU may have no gradient at all
    z = 0.5 * rng.normal(size=(len(units), height, width, channels))
    first, second = np.zeros(z.shape), np.zeros(z.shape)
    chosen = np.eye(max(units) + 1, dtype=np.float32)[units]
    for step in range(1, steps + 1):
        shift = rng.integers(-2, 3, size=2).tolist()

        def score(values, shift=shift):
            return _driven(model, ops.roll(paint(values), shift, axis=(1, 2)), key, chosen)

        _, (slope,) = gradients(score, [z])
        # Adam's running moments, corrected for their start at 0; upwards
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        z = z + RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-12)
    return ops.convert_to_numpy(paint(ops.convert_to_tensor(z, "float32")))


def compared(model, drawn: np.ndarray, key: str, units: list[int], best: np.ndarray) -> list[tuple[float, int]]:
    """For each unit: its answer to its picture over its best real answer, and the rank of that among all units.

    best (C,): strongest real answers.
    """
    values = seen(model, drawn, [key])[key]
    ratios = values.reshape(len(values), -1, values.shape[-1]).max(axis=1) / np.maximum(np.abs(best), 1e-6)
    ratios = np.where(best > 1e-6, ratios, -np.inf)  # a unit that no picture drives is in no contest
    return [(float(row[unit]), int(1 + (row > row[unit]).sum())) for row, unit in zip(ratios, units, strict=True)]


def _driven(model, pictures, key: str, chosen: np.ndarray):
    """Sum over pictures of their unit's answer in the middle, and a little of its mean: somewhere there is a slope."""
    found = []

    def look_at(visit):
        if visit.key == key:
            found.append(visit.output)

    with Tap(change=look_at):
        model(pictures, training=False)
    y = ops.cast(found[0], "float32")[..., : chosen.shape[1]] * chosen[:, None, None]
    return ops.sum(y[:, y.shape[1] // 2, y.shape[2] // 2]) + 0.1 * ops.sum(ops.mean(y, axis=(1, 2)))


def _painter(x: np.ndarray) -> Callable:
    """Coefficients (n, H, W, C) of cosines -> pictures within the range of x, with its mixture of colours."""
    low, high = _drawing.scale(x)
    height, width, channels = x.shape[1:]
    rows, columns = _cosines(height), _cosines(width)
    frequency = np.hypot(np.arange(height)[:, None] / height, np.arange(width)[None] / width)
    weight = (1 / np.maximum(frequency, 1 / max(height, width)))[..., None]
    # such that coefficients of 1 make pictures of deviation 1
    weight = (weight / np.sqrt((weight**2).sum() / (height * width))).astype(np.float32)
    colours = np.cov(x.reshape(-1, channels), rowvar=False).reshape(channels, channels)
    values, vectors = np.linalg.eigh(colours)
    mixed = vectors * np.sqrt(np.maximum(values, 1e-6 * values.max()))
    mixed = (mixed / np.sqrt(np.trace(colours) / channels)).T.astype(np.float32)

    def paint(z):
        z = ops.einsum("hp,nhwc->npwc", rows, z * weight)
        z = ops.einsum("wq,npwc->npqc", columns, z)
        return low + (high - low) * ops.sigmoid(ops.matmul(z, mixed))

    return paint


def _cosines(side: int) -> np.ndarray:
    """The orthonormal cosine transform: (frequencies, positions)."""
    basis = np.cos(np.pi * np.outer(np.arange(side), np.arange(side) + 0.5) / side) * np.sqrt(2 / side)
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


def _picture(x, drawn, place: Place, units: list[int], answers, field: int | None) -> dict[str, str]:
    shown, made = _drawing.visible(x), _drawing.visible(drawn, like=x)
    heights, spots = answers
    middle = np.array([0.5, 0.5])
    rows = [
        [patches.cut(made[i], middle, field)]
        + [patches.cut(shown[j], spots[j, unit], field) for j in patches.across(heights[:, unit])]
        for i, unit in enumerate(units)
    ]
    names = ", ".join(str(unit) for unit in units)
    return _drawing.picture(
        "drawn beside real",
        _drawing.sheet(rows, _SIDE),
        caption=f"One row for each of the units {names}: first what gradient ascent draws, then real patches from the "
        "strongest answer (2 each at the strongest, 99 %, 95 %, 75 %) to the median.",
        alt=f"Drawn and real patches for units {names} of {place.name}",
    )


_METHOD = {
    "name": "drawn units",
    "formula": "Adam on coefficients of cosines, weighted 1 / frequency, colours mixed as in the data, shifted by up to 2 "
    "pixels at every step; maximises a unit's answer in the middle + 0.1 of its mean",
    "source": "Olah et al., 2017; read with Borowski et al., 2021, and Geirhos et al., 2023",
}
