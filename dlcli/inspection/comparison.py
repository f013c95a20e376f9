"""Two networks side by side: what the second knows that the first does not, and where their layers agree."""

from typing import Any

import numpy as np

from dlcli.inspection import geometry, methods
from dlcli.inspection.judged import levels_of
from dlcli.inspection.rows import COMPARED
from dlcli.inspection.view import View
from dlcli.stimuli._level import CATEGORY


def compared(first: dict[str, Any], second: dict[str, Any], one: View | None, two: View | None) -> dict[str, Any]:
    """The first document, with "compare": the second document's model and layers, the levels of both and,
    where both saw the same inputs, the CKA of every layer with every layer."""
    document = {**first, "tables": [*first["tables"]]}
    document["warnings"] = [*first["warnings"], *(f"the second model: {text}" for text in second["warnings"])]
    document["gates"] = [*first["gates"], *(_of_second(gate) for gate in second["gates"])]
    document["compare"] = {"model": second["model"], "hierarchy": second["hierarchy"], "layers": second["layers"]}
    document["methods"] = [*first["methods"], methods.COMPARED]
    document["tables"].append(_sizes(first, second))
    if levels_of(first) and levels_of(second):
        document["tables"] += [_levels(first, second), _layer_by_layer(first, second)]
    rows = _same_inputs(one, two) if one and two else None
    if rows is None:
        if one and two:
            document["warnings"].append("the two saw different inputs: their layers cannot be compared by CKA")
        return document
    names = [[_inside(place.name) for place in view.places] for view in (one, two)]
    matrix = cka_between(*rows)
    document["compare"]["cka"] = {"rows": names[0], "columns": names[1], "matrix": matrix.round(4).tolist()}
    document["tables"].append(_matches(names, matrix))
    return document


def _of_second(gate: dict[str, Any]) -> dict[str, Any]:
    return {**gate, "message": f"the second model: {gate['message']}"}


def cka_between(first: list[np.ndarray], second: list[np.ndarray]) -> np.ndarray:
    """Debiased CKA of every layer of one network with every layer of the other: (L1, L2).  Rows of `geometry.unit`."""
    both = geometry.cka_matrix([*first, *second])
    return np.asarray(both[: len(first), len(first) :], np.float64)


def _same_inputs(one: View, two: View) -> list[list[np.ndarray]] | None:
    """Gram matrices of both on the same examples: of the data where it is the same, else of the same stimuli."""
    if one.data is not None and two.data is not None and np.array_equal(one.data.input, two.data.input):
        return [[view.data.grams[place.key] for place in view.places] for view in (one, two)]
    names = _alike(one, two) if one.strip and two.strip else []
    if names:
        return [[geometry.unit(_stacked(view, names, place.key)) for place in view.places] for view in (one, two)]
    return None


def _alike(one: View, two: View) -> list[str]:
    """Levels of the same stimuli in both; none where any differs.

    The user's classes are no stimuli: what their level holds are numbers of examples.  Rows at one step and rows
    over all steps have other columns: of levels read in both ways those of the more frequent are taken.
    """
    first, second = (
        {level.name: level for level in view.strip.levels if level.name != CATEGORY} for view in (one, two)
    )
    shared = [name for name in first if name in second]
    if not all(np.array_equal(first[name].x, second[name].x) for name in shared):
        return []
    at_a_step = [name for name in shared if first[name].position is not None]
    whole = [name for name in shared if first[name].position is None]
    return max(whole, at_a_step, key=len)


def _stacked(view: View, names: list[str], key: str) -> np.ndarray:
    """U-centred Gram matrix of some stimuli of every level."""
    share = COMPARED // len(names)
    return geometry.Cloud(np.concatenate([view.strip.rows[name][key][:share] for name in names])).gram()


def _inside(path: str) -> str:
    """A layer's path without the name of the model, which two models need not share."""
    return path.partition("/")[2] or path


def _sizes(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    pairs = [(name, first["model"][name], second["model"][name]) for name in ("source", "parameters", "flops")]
    return {
        "title": "the two models",
        "columns": ["", "first", "second"],
        "rows": [
            [name, *(f"{value:,}" if isinstance(value, int) else str(value) for value in both)] for name, *both in pairs
        ],
        "note": "",
    }


def _levels(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for level in levels_of(first)["levels"]:
        if level not in levels_of(second)["levels"]:
            continue
        best = [_best(document, level) for document in (first, second)]
        change = best[1][0] - best[0][0]
        word = _word(*(found[:3] for found in best))
        rows.append([level, *(f"{value:.2f} in {layer}" for value, _, _, layer in best), f"{change:+.2f}", word])
    return {
        "title": "levels: learned at best, and where",
        "columns": ["level", "first", "second", "change", ""],
        "rows": rows,
        "note": "gained and lost: beyond the 95 % intervals of both.",
    }


def _word(first: tuple[float, float, float], second: tuple[float, float, float]) -> str:
    """gained or lost when the intervals (value, low, high) of both leave the other's value out; kept when both
    leave 0 out; else nothing can be said."""
    if second[1] > first[0] and first[2] < second[0]:
        return "gained"
    if second[2] < first[0] and first[1] > second[0]:
        return "lost"
    return "kept" if first[1] > 0 and second[1] > 0 else "–"


def _layer_by_layer(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """What layers of one name read better or worse in the second."""
    others = {_inside(layer["path"]): layer["levels"] for layer in second["layers"] if layer.get("levels")}
    rows = []
    for layer in first["layers"]:
        if not layer.get("levels") or _inside(layer["path"]) not in others:
            continue
        words: dict[str, list[str]] = {"gained": [], "kept": [], "lost": []}
        for level, scores in layer["levels"].items():
            other = others[_inside(layer["path"])].get(level)
            if other:
                keys = ("learned", "low", "high")
                word = _word(tuple(scores[key] for key in keys), tuple(other[key] for key in keys))
                if word in words:
                    change = f" {other['learned'] - scores['learned']:+.2f}" if word != "kept" else ""
                    words[word].append(f"{level}{change}")
        rows.append([_inside(layer["path"]), *(", ".join(some) or "–" for some in words.values())])
    return {
        "title": "layer by layer",
        "columns": ["layer", "gained in the second", "kept", "lost in the second"],
        "rows": rows,
        "note": "gained, lost: beyond the 95 % intervals of both; kept: known to both, no change beyond them.",
    }


def _best(document: dict[str, Any], level: str) -> tuple[float, float, float, str]:
    """(D, low, high, layer) where the level is learned best."""
    found = [(layer["levels"][level], layer["name"]) for layer in document["layers"] if layer.get("levels")]
    scores, name = max(found, key=lambda pair: pair[0]["learned"])
    return scores["learned"], scores["low"], scores["high"], name


def _matches(names: list[list[str]], matrix: np.ndarray) -> dict[str, Any]:
    rows = []
    for i, name in enumerate(names[0]):
        j = int(np.argmax(np.nan_to_num(matrix[i], nan=-np.inf)))
        same = names[1].index(name) if name in names[1] else None
        rows.append([name, names[1][j], f"{matrix[i, j]:.2f}", "" if same is None else f"{matrix[i, same]:.2f}"])
    return {
        "title": "layers that agree (CKA)",
        "columns": ["layer of the first", "most alike in the second", "CKA", "with its namesake"],
        "rows": rows,
        "note": "",
    }
