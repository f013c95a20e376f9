"""Which way the units of each layer like lines to run: tuning curves over the orientation of gratings."""

import numpy as np

from dlcli.inspection import units
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _drawing, _placed

BUDGET = "standard"
FAMILIES = ("cnn", "autoencoder")
UNITS = 8
TUNED = 0.1  # orientation index from which a unit counts as tuned, if its answers differ beyond chance
_SIDE = 40


def look(view: View) -> Finding | None:
    """Mean answers of every unit to the gratings of the level `edge`, by their angle."""
    level = next((one for one in view.strip.levels if one.name == "edge"), None) if view.strip else None
    if level is None:
        return None
    # an output may be several tensors; those of a map are one
    shapes = {visit.key: visit.output.shape for visit in view.visits if hasattr(visit.output, "shape")}
    finding = Finding()
    for place in _placed.maps(view):
        rows = view.strip.rows["edge"][place.key][:, : shapes[place.key][-1]]
        curves, index, angles = tuned(rows, level.y, len(level.names))
        if not len(curves):
            continue
        share = float((index > TUNED).mean())
        finding.own[place.name] = {"tuned": f"{share:.0%}"}
        best = np.argsort(-index, kind="stable")[:UNITS]
        if index[best[0]] > TUNED:
            best = best[index[best] > TUNED]
            finding.pictures[place.name] = [_picture(place.layer, best, curves[best], angles[best])]
    finding.methods.append(
        {
            "name": "tuned",
            "formula": f"share of units with |sum R e^(2i angle)| / sum R > {TUNED}, R a unit's mean answer to gratings of an "
            "angle, above its least where that is below 0, where the angle explains R (F-test, Benjamini-Hochberg over units)",
            "source": "Swindale, 1998 (orientation selectivity)",
        }
    )
    return finding if finding.own else None


def tuned(rows: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curves (d, count), orientation index (d,) and preferred angle in degrees (d,) of answers (n, d); y: number of the
    angle, count of them over half a turn. An index is 0 where the angles explain nothing."""
    means = np.stack([rows[y == k].mean(axis=0) for k in range(count)], axis=1).astype(np.float64)
    # what is below 0 has no zero of its own to be measured from
    curves = means - np.minimum(means.min(axis=1, keepdims=True), 0)
    index, preferred = units.orientation(curves, np.pi * np.arange(count) / count)
    _, significant = units.omega_squared(rows, y)
    return curves, np.where(significant, np.nan_to_num(index), 0.0), np.degrees(np.nan_to_num(preferred))


def _picture(name: str, chosen: np.ndarray, curves: np.ndarray, angles: np.ndarray) -> dict[str, str]:
    tiles = [_drawing.curve(one / max(one.max(), 1e-12), _SIDE) for one in curves]
    said = ", ".join(f"{unit} ({angle:.0f}°)" for unit, angle in zip(chosen, angles, strict=True))
    return _drawing.picture(
        "tuning curves",
        _drawing.sheet([tiles], _SIDE),
        caption=f"Answer over the angle of a grating, 0° to 180° from left to right, of the most tuned units: {said}.",
        alt=f"Curves of {len(chosen)} units of {name}",
    )
