"""Interpretable cells: the unit of each recurrent layer that best tells brackets, quotes and position in a text."""

import numpy as np
from keras import layers

from dlcli.inspection.subject import batches
from dlcli.inspection.view import Finding, View
from dlcli.inspection.watch import Watch
from dlcli.lenses._concepts import CONCEPTS, positions
from dlcli.lenses._places import reported, short
from dlcli.stimuli._level import Level

BUDGET = "standard"
FAMILIES = ("rnn",)


def look(view: View) -> Finding | None:
    """AUC of every unit at as many positions with a concept as without, in the user's own text."""
    stimuli, keys = view.subject.stimuli, _recurrent(view)
    if stimuli is None or stimuli.entry != "text" or not keys:
        return None
    watch, names, rows = Watch(view.subject.model, keys), reported(view), []
    best: dict[str, tuple[float, str]] = {}
    for number, concept in enumerate(CONCEPTS):
        rng = np.random.default_rng([view.seed, 19, number])
        asked = positions(stimuli.make["texts"], stimuli.make["length"], concept, rng)
        if asked is None:
            continue
        level = Level(
            name=concept, x=asked.texts, y=asked.y, names=("no", "yes"), control=asked.y * 0, position=asked.at
        )
        read, at = stimuli.feed(level)
        seen = watch.gathered(batches(read, len(asked.y), at, view.batch_size))
        for key in keys:
            unit, area, n = best_unit(seen[key], asked.y)
            rows.append([short(key), concept, unit, f"{area:.2f}", n])
            best[key] = max(best.get(key, (0.0, "")), (area, f"{concept} {area:.2f}"))
    if not rows:
        return None
    return Finding(
        own={names[key]: {"best cell": text} for key, (_, text) in best.items() if key in names},
        tables=[
            {
                "title": "Interpretable cells",
                "columns": ["layer", "concept", "unit", "AUC", "n"],
                "rows": rows,
                "note": "0.5: the unit says nothing. Half of all positions chose the unit, n others measured it.",
            }
        ],
        methods=[
            {
                "name": "interpretable cells",
                "formula": "area under the ROC curve of single units (of 1 - area, where low means yes); the unit is chosen "
                "on one half of the positions and measured on the other; those with and without hold the same characters",
                "source": "Karpathy, Johnson & Fei-Fei, 2015",
            }
        ],
    )


def areas(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Area under the ROC curve (d,) of each column of rows (n, d), ties counted half; y: bool or 0, 1 (n,)."""
    y = np.asarray(y, bool)
    positive, negative = int(y.sum()), int((~y).sum())
    ranks = np.stack([_ranks(column) for column in rows.T], axis=1)
    return (ranks[y].sum(axis=0) - positive * (positive + 1) / 2) / (positive * negative)


def best_unit(rows: np.ndarray, y: np.ndarray) -> tuple[int, float, int]:
    """(unit, its area on the half that did not choose it, rows of that half); an area below 1/2 is that of the opposite.

    Rows come in pairs, one of each kind; the two of a pair stay together.
    """
    chooses = (np.arange(len(y)) // 2) % 2 == 0
    first = areas(rows[chooses], y[chooses])
    unit = int(np.abs(first - 0.5).argmax())
    (second,) = areas(rows[~chooses][:, [unit]], y[~chooses])
    return unit, float(second if first[unit] >= 0.5 else 1 - second), int((~chooses).sum())


def _ranks(values: np.ndarray) -> np.ndarray:
    """1 … n; equal values share the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def _recurrent(view: View) -> list[str]:
    """Keys of recurrent layers that give every step, outermost."""
    kinds = layers.RNN | layers.Bidirectional
    keys = [v.key for v in view.visits if isinstance(v.layer, kinds) and len(getattr(v.output, "shape", ())) == 3]
    return [key for key in keys if not any(key.startswith(f"{other}/") for other in keys)]
