"""The levels of a strip as the document tells them: scores, hierarchy, what was lost, and the verdict."""

from typing import Any

import numpy as np

from dlcli.inspection import coarse_to_fine
from dlcli.inspection.hierarchy import LEVELS
from dlcli.inspection.strip import Strip
from dlcli.inspection.view import View
from dlcli.stimuli._level import CATEGORY


def level(level, number: int) -> dict[str, float]:
    return {
        "trained": float(level.trained[number]),
        "untrained": float(level.untrained[number]),
        "input": float(level.input),
        "control": None if level.control is None else float(level.control[number]),
        "baseline": float(level.baseline[number]),
        "learned": float(level.learned[number]),
        "low": float(level.low[number]),
        "high": float(level.high[number]),
        "gain": float(level.gain[number]),
        "gain_low": float(level.gain_low[number]),
        "gain_high": float(level.gain_high[number]),
    }


def hierarchy(found: Strip) -> dict[str, Any]:
    measured = found.hierarchy
    return {
        "kind": "levels",
        "levels": [level.name for level in measured.levels],
        "emergence": {
            level.name: None
            if level.emergence is None
            else {
                "value": level.emergence.value,
                "low": level.emergence.low,
                "high": level.emergence.high,
                "gain": level.emergence.gain,
            }
            for level in measured.levels
        },
        "tau": measured.tau,
        "p": measured.p,
        "order": list(measured.order),
        "said": measured.said,
    }


def lost(view: View) -> list[dict[str, Any]]:
    """Levels that can be read worse off the last layers than off the best, by 0.2 and more."""
    fallen = []
    for level in view.strip.hierarchy.levels:
        best, last = int(np.argmax(level.trained)), float(level.trained[-1])
        if level.trained[best] - last >= 0.2:
            fallen.append(
                {
                    "level": level.name,
                    "from": float(level.trained[best]),
                    "to": last,
                    "layer": view.places[best].layer,
                }
            )
    return fallen


def verdict(document: dict[str, Any], view: View) -> str:
    found = document["hierarchy"]
    drawn = coarse_to_fine.told(document["generator"]) if document["generator"] else ""
    judge = f" The discriminator: {document['discriminator']['verdict']}" if document["discriminator"] else ""
    if drawn and found is document["generator"]:
        return f"{drawn}{judge}"
    return f"{_levels(found, view)}{f' The decoder: {drawn}' if drawn else ''}{judge}"


def _levels(found: dict[str, Any] | None, view: View) -> str:
    if found is None:
        if view.subject.stimuli is None:
            return "No stimuli fit this model's input: its levels were not measured."
        if view.strip is not None:
            return "No stimuli could be made that fit: the input is too short, or there is too little text."
        return "Levels were not measured: that takes --budget standard."
    said, order = found["said"], " > ".join(found["order"])
    absent = [name for name, emerged in found["emergence"].items() if emerged is None]
    classes = found["emergence"].get(CATEGORY)
    at = f" The classes are worked out around layer {classes['value']:.1f}." if classes else ""
    never = f"{at} Not learned beyond the input and an untrained twin: {', '.join(absent)}." if absent else at
    if said.startswith("tau"):
        return f"A measurable hierarchy ({said}): {order}.{never}"
    learned = f" Learned, in order of depth: {order}." if order else ""
    if said == "too few to test":
        return f"Too few levels or layers to test for a hierarchy.{learned}{never}"
    if found["tau"] is None:
        emerged = len(found["order"])
        few = f"{emerged or 'none'} of {len(set(found['levels']) - {CATEGORY})} levels emerged, and an order takes {LEVELS}"
        return f"No measurable hierarchy: {few}.{learned}{never}"
    return (
        f"No measurable hierarchy (tau = {found['tau']:.2f}, p = {found['p']:.3f}); in order of depth: {order}.{never}"
    )
