"""Which level came at which epoch: the level strip over the checkpoints that a run kept."""

from pathlib import Path
from typing import Any

import numpy as np

from dlcli import finished
from dlcli.errors import DlcliError
from dlcli.inspection import methods, strip
from dlcli.inspection.view import View
from dlcli.rundir import Run


def added(document: dict[str, Any], view: View, run: Run) -> dict[str, Any]:
    """The document with "timeline": for every kept epoch the best D of each level, its layer, and tau."""
    model = view.subject.model
    if view.strip is None or not view.strip.levels:
        raise DlcliError("no stimuli fit this model's input: there is no timeline of its levels.")
    own = model.get_weights()
    moments = []
    try:
        for epoch, file in _checkpoints(run):
            model.set_weights(finished.model(file).get_weights())
            found = strip.strip(
                model,
                view.subject.stimuli,
                view.watch,
                [place.key for place in view.places],
                n=strip.STIMULI,
                size=view.batch_size,
                seed=view.seed,
                before=view.strip,
            )
            moments.append(_moment(epoch, found, view))
    finally:
        model.set_weights(own)
    return {
        **document,
        "timeline": moments,
        "tables": [*document["tables"], _table(moments)],
        "methods": [*document["methods"], methods.TIMELINE],
    }


def _checkpoints(run: Run) -> list[tuple[int, Path]]:
    """Epochs and files, in order. Raises: DlcliError when none were kept."""
    files = sorted((run.path / "checkpoints").glob("epoch-*.keras"))
    if not files:
        raise DlcliError(
            f"{run.path} kept no checkpoints on the way.", "train with --set fit.keep=10 to keep ten of them."
        )
    return [(int(file.stem.removeprefix("epoch-")), file) for file in files]


def _moment(epoch: int, found: strip.Strip, view: View) -> dict[str, Any]:
    levels = {}
    for level in found.hierarchy.levels:
        best = int(np.argmax(level.learned))
        levels[level.name] = {
            "learned": float(level.learned[best]),
            "layer": view.places[best].layer,
            "emergence": None if level.emergence is None else level.emergence.value,
        }
    return {"epoch": epoch, "levels": levels, "tau": found.hierarchy.tau, "said": found.hierarchy.said}


def _table(moments: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(moments[0]["levels"])
    first = {
        name: next((str(m["epoch"]) for m in moments if m["levels"][name]["emergence"] is not None), "never")
        for name in names
    }
    rows = [
        [
            str(m["epoch"]),
            *(f"{m['levels'][name]['learned']:.2f}" for name in names),
            "" if m["tau"] is None else f"{m['tau']:.2f}",
        ]
        for m in moments
    ]
    return {
        "title": "timeline: learned at best in any layer, by epoch",
        "columns": ["epoch", *names, "tau"],
        "rows": [*rows, ["came", *first.values(), ""]],
        "note": "came: the first kept epoch in which the level has emerged, beyond noise in all layers together.",
    }
