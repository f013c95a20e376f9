"""Gates of recurrent layers: how often each is shut or open (Karpathy, Johnson & Fei-Fei, 2015)."""

import numpy as np

from dlcli.inspection.view import Finding, View
from dlcli.lenses._places import reported, short
from dlcli.lenses._recurrent import Stream, examples, gates, present, streams

BUDGET = "fast"
FAMILIES = ("rnn", "autoencoder", "transformer")
# Karpathy's bounds of a gate that is shut or open; of a tanh state, the outer tenths of its range.
SHUT, OPEN = 0.1, 0.9
_NAMES = {"i": "input", "f": "forget", "o": "output", "z": "update", "r": "reset", "h": "state (tanh)"}


def look(view: View) -> Finding | None:
    """Share of steps and units at which each gate is below 0.1 and above 0.9; masked steps do not count."""
    if not present(view):
        return None
    x = examples(view)
    if x is None:
        return None
    found, left_out = streams(view.subject.model, x)
    names = reported(view)
    finding = Finding(warnings=left_out)
    shares: dict[str, dict[str, list[np.ndarray]]] = {}
    rows = []
    for stream in found:
        for letter, values in taken(stream).items():
            low, high, n = saturation(letter, values)
            rows.append([short(stream.key), stream.direction, _NAMES[letter], low, high, n])
            shares.setdefault(stream.key, {}).setdefault(letter, []).append(values)
    for key, letters in shares.items():
        if key in names:
            both = {letter: saturation(letter, np.concatenate(values)) for letter, values in letters.items()}
            text = " ".join(f"{letter} {100 * low:.0f}|{100 * high:.0f}" for letter, (low, high, _) in both.items())
            finding.own[names[key]] = {"saturated": text}
    if rows:
        cells = [[*row[:3], f"{100 * row[3]:.1f} %", f"{100 * row[4]:.1f} %", f"{row[5]:,}"] for row in rows]
        finding.tables.append(
            {
                "title": "Gates",
                "columns": ["layer", "direction", "gate", "< 0.1", "> 0.9", "values"],
                "rows": cells,
                "note": "Of all steps and units. A forget gate that is open keeps; an output gate that is shut hides. "
                "Of a state of tanh: < -0.9 and > 0.9.",
            }
        )
        finding.methods.append(
            {
                "name": "saturated",
                "formula": "% of steps and units with a gate < 0.1 | > 0.9; i, f, o: input, forget, output; z, r: update, "
                "reset; h: a plain tanh state < -0.9 | > 0.9; gates of all steps from x W + shift(h) U + b",
                "source": "Karpathy, Johnson & Fei-Fei, 2015",
            }
        )
    return finding if rows or left_out else None


def taken(stream: Stream) -> dict[str, np.ndarray]:
    """Values (steps that were taken, units) of each gate; of a tanh cell without gates, its state "h"."""
    found = gates(stream)
    if not found and getattr(stream.cell.activation, "__name__", "") == "tanh":
        found = {"h": stream.h}
    return {letter: values[stream.mask] for letter, values in found.items()}


def saturation(letter: str, values: np.ndarray) -> tuple[float, float, int]:
    """Shares of values that are shut and open, and how many values there are."""
    shut = -OPEN if letter == "h" else SHUT
    return float(np.mean(values < shut)), float(np.mean(values > OPEN)), values.size
