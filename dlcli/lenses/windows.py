"""What units of a text or a series network answer to: parts of the user's own data, across the quantiles of their answers.

The strongest answers alone would mislead, as in pictures: see patches.
"""

import math

import numpy as np
from keras import tree

from dlcli.inspection import nesting
from dlcli.inspection.field import fields
from dlcli.inspection.gradients import seen
from dlcli.inspection.taps import Place
from dlcli.inspection.view import Finding, View
from dlcli.inspection.window import Window
from dlcli.lenses import _drawing, _placed, patches

BUDGET = "standard"
FAMILIES = ("rnn", "transformer", "cnn")
UNITS = 3
EXAMPLES = 256
# Tokens or steps shown where a unit sees everything: those up to its answer, and a few behind it.
BEFORE, BEHIND = 24, 8
_SIDE = 64


def look(view: View) -> Finding | None:
    x, places = view.examples(EXAMPLES), steps(view)
    if x is None or not places or view.data is None or view.subject.read is None:
        return None
    values = np.asarray(tree.flatten(x)[0])
    tokens = np.issubdtype(values.dtype, np.integer)
    if len(values) < 32 or values.ndim != (2 if tokens else 3) or (tokens and view.subject.spell is None):
        return None
    chosen = {place.key: patches.strongest_kind(view, place.key, UNITS) for place in places}
    heights, spots = answered(view.subject.model, x, chosen, view.batch_size, values if tokens else None)
    known = fields(nesting.nested(view.visits))
    finding, rows = Finding(methods=[_METHOD]), []
    for place in places:
        field = known.get(place.key)
        if tokens and field and field[0].width() == 1:  # an embedding: one token is no passage
            continue
        found = (chosen[place.key], heights[place.key], spots[place.key], values, field[0] if field else None)
        if tokens:
            rows += _texts(view, place, *found)
        else:
            finding.pictures[place.name] = [_series(place, *found)]
    if rows:
        finding.tables.append(
            {
                "title": "Texts that units answer to",
                "columns": ["layer", "unit", "answer", "text; the answer is at [ ]"],
                "rows": rows,
                "note": f"Of {len(values)} examples, from the strongest answer of each unit to its median one.",
            }
        )
    return finding if rows or finding.pictures else None


def steps(view: View) -> list[Place]:
    """The places whose output is a sequence (B, T, C), in order."""
    shapes = {visit.key: getattr(visit.output, "shape", ()) for visit in view.visits}
    return [place for place in view.places if len(shapes[place.key]) == 3 and place.axis == -1]


def answered(model, x, chosen: dict[str, list[int]], size: int, tokens: np.ndarray | None):
    """Of the chosen units by place: the largest value in each example (n, units), and at which of the layer's positions,
    with how many there are (n, units, 2). Padding, token 0 behind the last other one, does not count."""
    heights, spots = ({key: [] for key in chosen} for _ in range(2))
    done = 0
    for batch in _placed.batches(x, size):
        for key, values in seen(model, batch, list(chosen), chosen).items():
            if tokens is not None:
                some = tokens[done : done + len(values)]
                ends = np.where((some != 0).any(axis=1), some.shape[1] - np.argmax(some[:, ::-1] != 0, axis=1), 1)
                share = (np.arange(values.shape[1]) + 0.5) / values.shape[1]
                values = np.where((share[None] < ends[:, None] / some.shape[1])[..., None], values, -np.inf)
            at = values.argmax(axis=1)
            heights[key].append(values.max(axis=1))
            spots[key].append(np.stack([at, np.full_like(at, values.shape[1])], axis=-1))
        done += len(tree.flatten(batch)[0])
    return ({key: np.concatenate(parts) for key, parts in found.items()} for found in (heights, spots))


def window(spot: np.ndarray, length: int, field: Window | None) -> tuple[int, int, int]:
    """First step that a unit looks at, the step that it stands for, and the one behind the last. spot: its position, of
    how many. Everything is too much to show: then, and where a field is wide, a part around that step."""
    position, positions = (int(value) for value in spot)
    at = min(int((position + 0.5) / positions * length), length - 1)
    first, last = at - BEFORE, at + 1 + BEHIND
    if field is not None:
        start = math.floor(field.start + position * field.jump)
        first, last = max(first, start), min(max(last, at + 1), start + field.width())
    return max(0, min(first, at)), at, min(length, max(last, at + 1))


def _texts(view: View, place: Place, units, heights, spots, tokens, field) -> list[list]:
    rows = []
    for j, unit in enumerate(units):
        for share, i in zip(_SHARES, patches.across(heights[:, j]), strict=True):
            first, at, last = window(spots[i, j], tokens.shape[1], field)
            told = [view.subject.spell(tokens[i, a:b]) for a, b in ((first, at), (at, at + 1), (at + 1, last))]
            text = f"{told[0]}[{told[1]}]{told[2]}".replace("\n", "⏎")
            rows.append([place.layer, unit, f"{share} {heights[i, j]:.2f}", text])
    return rows


def _series(place: Place, units, heights, spots, values, field) -> dict[str, str]:
    """Windows of the first channel, all on one scale; the unit's own step is marked."""
    low, high = np.nanquantile(values[..., 0], [0.005, 0.995])
    rows = []
    for j in range(len(units)):
        tiles = []
        for i in patches.across(heights[:, j]):
            first, at, last = window(spots[i, j], values.shape[1], field)
            shown = (values[i, first:last, 0] - low) / max(high - low, 1e-12)
            tiles.append(_drawing.curve(shown, _SIDE, marked=at - first))
        rows.append(tiles)
    names = ", ".join(str(unit) for unit in units)
    return _drawing.picture(
        "windows across answers",
        _drawing.sheet(rows, _SIDE),
        caption=f"One row for each of the units {names}; red: the step of the answer. From left to right: 2 windows each at the "
        "strongest answers, the quantiles 99 %, 95 % and 75 %, and 1 at the median. First channel.",
        alt=f"Parts of series that units {names} of {place.name} answer to, from strong to middling",
    )


_SHARES = [name for name, _, count in patches.QUANTILES for _ in range(count)]
_METHOD = {
    "name": "windows",
    "formula": "as patches, over steps: a unit's answer to an example is its largest value; the window is its receptive field "
    f"around that step, at most {BEFORE} steps before it and {BEHIND} behind",
    "source": "Karpathy, Johnson & Fei-Fei, 2015; Cammarata et al., 2020",
}
