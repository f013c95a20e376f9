"""What units answer to: parts of the user's own pictures from the strongest answer down to the median.

The strongest alone would mislead: a unit may answer to many things, of which the nine strongest show one
(Cammarata et al., 2020, "Curve Detectors"). So patches are taken across the quantiles of a unit's answers.
"""

import numpy as np

from dlcli.inspection import units
from dlcli.inspection.field import width
from dlcli.inspection.gradients import seen
from dlcli.inspection.seen import Field
from dlcli.inspection.view import Finding, View
from dlcli.inspection.window import Window
from dlcli.lenses import _drawing, _placed

BUDGET = "standard"
FAMILIES = ("cnn", "autoencoder")
UNITS = 4
EXAMPLES = 256  # all maps of all layers are looked at, which costs more than a forward pass
# Share of the examples with a stronger answer, and how many patches are taken there.
QUANTILES = (("top", 0.0, 2), ("99 %", 0.01, 2), ("95 %", 0.05, 2), ("75 %", 0.25, 2), ("median", 0.5, 1))
OVERLAID = 6  # examples that a unit's map is laid over
_SIDE, _LARGER = 40, 64


def look(view: View) -> Finding | None:
    x = view.examples(EXAMPLES)
    finding = Finding()
    if filters := _filters(view):
        finding.pictures.update(filters)
    pictures = _drawing.pictures_in(x)
    if pictures is None or len(pictures) < 32 or view.data is None:
        return finding if finding.pictures else None
    places = _placed.maps(view)
    chosen = {place.key: strongest_kind(view, place.key) for place in places}
    windows = _placed.windows(view)
    answers = answered(view.subject.model, x, chosen, view.batch_size, windows)
    seen_as = _drawing.visible(pictures)
    first = {key: some[:1] for key, some in chosen.items()}
    maps = seen(view.subject.model, next(_placed.batches(x, OVERLAID)), list(first), first)
    for place in places:
        height, spots = answers[place.key]
        rows = [
            [cut(seen_as[i], spots[i, j], width(windows[place.key])) for i in across(height[:, j])]
            for j in range(height.shape[1])
        ]
        names = ", ".join(str(unit) for unit in chosen[place.key])
        finding.pictures.setdefault(place.name, []).append(
            _drawing.picture(
                "patches across answers",
                _drawing.sheet(rows, _SIDE),
                caption=f"One row for each of the units {names}. From left to right: 2 patches each at the strongest "
                f"answers, the quantiles 99 %, 95 % and 75 %, and 1 at the median of {len(pictures)} examples.",
                alt=f"Parts of pictures that units {names} of {place.name} answer to, from strong to middling",
            )
        )
        glowing = [_drawing.glow(one, two[..., 0], _LARGER) for one, two in zip(seen_as, maps[place.key], strict=False)]
        finding.pictures[place.name].append(
            _drawing.picture(
                "where a unit answers",
                _drawing.sheet([glowing], _LARGER),
                caption=f"Unit {chosen[place.key][0]} over the first {len(glowing)} examples; red: above 0, each to its largest.",
                alt=f"Maps of unit {chosen[place.key][0]} of {place.name} over pictures",
            )
        )
    finding.methods.append(
        {
            "name": "patches",
            "formula": "a unit's answer to an example is its largest value; the patch is its receptive field around "
            "that position; units: largest class selectivity, or largest variance without labels; shown "
            "across quantiles of the answers, never the strongest alone",
            "source": "Cammarata et al., 2020; Borowski et al., 2021",
        }
    )
    return finding


def strongest_kind(view: View, key: str, count: int = UNITS) -> list[int]:
    """The units of a place that tell most about classes, or vary most where there are none."""
    rows, labels = view.data.kept[key], view.data.labels
    width = next(visit.output.shape[-1] for visit in view.visits if visit.key == key)
    means = rows[:, :width]  # behind them are deviations over positions
    score = means.var(axis=0)
    if labels is not None:
        classes = np.stack([means[labels == c].mean(axis=0) for c in np.unique(labels)])
        # an index of a unit that hardly ever answers is noise
        alive = score > 1e-3 * score.max()
        selectivity = np.where(alive, units.class_selectivity(classes), np.nan)
        score = np.where(np.isfinite(selectivity), selectivity, -1 + score / max(score.sum(), 1e-12))
    return np.argsort(-score, kind="stable")[:count].tolist()


def answered(
    model, x, chosen: dict[str, list[int]], size: int, windows: dict[str, Field]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of the chosen units by place: the largest value in each example (n, units), and the middle of what that position
    sees, as shares of height and width (n, units, 2). windows: by place (field.fields)."""
    heights = {key: [] for key in chosen}
    spots = {key: [] for key in chosen}
    for batch in _placed.batches(x, size):
        shown = _drawing.pictures_in(batch).shape[1:3]
        for key, values in seen(model, batch, list(chosen), chosen).items():
            flat = values.reshape(len(values), -1, values.shape[-1])
            row, column = np.divmod(flat.argmax(axis=1), values.shape[2])
            heights[key].append(flat.max(axis=1))
            field, sides = windows.get(key) or (None, None), zip(values.shape[1:3], shown, strict=True)
            middles = [_middle(at, *side, one) for at, side, one in zip((row, column), sides, field, strict=True)]
            spots[key].append(np.stack(middles, axis=-1))
    return {key: (np.concatenate(heights[key]), np.concatenate(spots[key])) for key in chosen}


def _middle(at: np.ndarray, positions: int, side: int, window: Window | None) -> np.ndarray:
    """Of what a position of a map sees along one axis, as a share of the picture's side. Without padding the outermost
    positions see the outermost pixels, and do not stand in the middle of their share."""
    if window is None:
        return (at + 0.5) / positions
    return (float(window.start) + at * float(window.jump) + window.width() / 2) / side


def across(answers: np.ndarray) -> list[int]:
    """Nine different examples (n >= 32,) at the quantiles, from the strongest answer down."""
    order = np.argsort(-answers, kind="stable")
    taken: list[int] = []
    for _, share, count in QUANTILES:
        start = max(round(share * (len(order) - 1)), len(taken))
        taken += range(start, start + count)
    return order[taken].tolist()


def cut(pixels: np.ndarray, spot: np.ndarray, width: int | None) -> np.ndarray:
    """The square of one picture (H, W, C) around a spot given in shares; grey where it reaches beyond the edge."""
    height, across_ = pixels.shape[:2]
    if width is None or width >= max(height, across_):
        return pixels
    top, left = (
        int(np.floor(share * side - width / 2 + 0.5)) for share, side in zip(spot, (height, across_), strict=True)
    )
    padded = np.pad(pixels, ((width, width), (width, width), (0, 0)), constant_values=128)
    return padded[top + width : top + 2 * width, left + width : left + 2 * width]


def _filters(view: View) -> dict[str, list[dict[str, str]]]:
    """All kernels of the first convolution over pixels, under the place that it belongs to."""
    for visit in view.visits:
        kernel = getattr(visit.layer, "kernel", None)
        if type(visit.layer).__name__ != "Conv2D" or kernel is None or kernel.shape[2] not in (1, 3):
            continue
        weights = np.moveaxis(np.asarray(kernel), -1, 0)  # (filters, h, w, channels)
        # grey is 0, and every filter has its own scale: else the largest would be all that is seen
        weights = 127.5 + 127.5 * weights / np.maximum(np.abs(weights).max(axis=(1, 2, 3), keepdims=True), 1e-12)
        tiles = list(np.round(weights).astype(np.uint8))[:128]
        rows = [tiles[i : i + 16] for i in range(0, len(tiles), 16)]
        names = [place.name for place in view.places]
        entry = _drawing.picture(
            "filters",
            _drawing.sheet(rows, 28),
            caption=f"{len(tiles)} of {len(weights)} kernels {kernel.shape[0]}×{kernel.shape[1]} of {visit.layer.name}; "
            "grey is 0, each is scaled by its own largest weight.",
            alt=f"Kernels of {visit.layer.name}",
        )
        return {visit.key if visit.key in names else "": [entry]}
    return {}
