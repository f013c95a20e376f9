"""Logit lens: what a language model would say after each block, by its own last norm and head (nostalgebraist, 2020)."""

import numpy as np
from keras import layers, ops, tree

from dlcli.inspection.tap import Tap, Visit, mask_of
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _scores
from dlcli.lenses._places import reported, short

BUDGET = "standard"
FAMILIES = ("transformer", "rnn")
_SEQUENCES, _POSITIONS = 8, 256
# How far the probabilities of single positions may be from the model's own output: by rounding, and
# not by a head that looks at neighbours.
_ROUNDING = 1e-3


def look(view: View) -> Finding | None:
    """KL (final || lens) and the rank of the final choice, where ids go in and the sum's width is the head's."""
    first = tree.flatten(view.visits[-1].inputs)[0] if view.visits else None
    if first is None or "int" not in str(first.dtype):
        return None
    sums, tail = stream(view.visits)
    x = view.examples(_SEQUENCES) if tail else None
    if x is None:
        return None
    lens = looked(view.subject.model, x, sums, tail, np.random.default_rng([view.seed, 17]))
    if lens is None:
        return None
    names, finding, rows = reported(view), Finding(), []
    for key, (divergence, rank, n) in lens.items():
        rows.append([short(key), f"{divergence:.3f}", f"{rank:.0f}", n])
        if key in names:
            finding.own[names[key]] = {"lens KL": round(divergence, 3), "lens rank": rank}
    finding.tables.append(
        {
            "title": "Logit lens",
            "columns": ["after", "KL (nats)", "rank of the final choice", "n"],
            "rows": rows,
            "note": "What the last norm and head make of each sum. A fall of KL is a step towards the answer.",
        }
    )
    finding.methods.append(
        {
            "name": "logit lens",
            "formula": "mean KL (final || lens), lens: the model's last norm and head on an earlier sum; median rank of the "
            "final first choice there, 1 is first",
            "source": "nostalgebraist, 2020; Belrose et al., 2023",
        }
    )
    return finding


def stream(visits: list[Visit]) -> tuple[list[str], list]:
    """(keys of the sums that have the last sum's width, what follows the last sum, in order): ([], []) where
    the end of the model is no chain from a sum to scores at each position.

    visits: of a trace; the last is of the model itself.
    """
    output = tree.flatten(visits[-1].output)
    sums = [visit for visit in visits if type(visit.layer).__name__ == "Add" and len(visit.output.shape) == 3]
    if len(output) != 1 or len(output[0].shape) != 3 or not sums:
        return [], []
    last = sums[-1]
    tail, at = [], last.output
    for visit in visits[visits.index(last) + 1 : -1]:
        inside = any(
            v.path != visit.path and visit.path.startswith(f"{v.path}/") and v is not visits[-1] for v in visits
        )
        if not inside and len(visit.inputs) == 1 and visit.inputs[0] is at:
            tail.append(visit.layer)
            at = visit.output
    # a layer may hand on its input as it is: then the trace ends in the same tensor
    dense = [layer for layer in tail if isinstance(layer, layers.Dense | layers.EinsumDense)]
    if at is not output[0] or not dense:
        return [], []
    width = last.output.shape[-1]
    return [visit.key for visit in sums if visit.output.shape[-1] == width], tail


def looked(model, x, sums: list[str], tail: list, rng) -> dict[str, tuple[float, float, int]] | None:
    """Key of each sum -> (mean KL in nats, median rank of the final choice, positions).

    None where the tail does not give the model's own output at single positions.
    """
    with Tap() as visits:
        output = tree.flatten(model(x, training=False))[0]
    output = ops.convert_to_numpy(ops.cast(output, "float32"))
    mask = _counted(visits, output)
    chosen = np.flatnonzero(mask)
    chosen = np.sort(rng.permutation(chosen)[:_POSITIONS])
    final = _scores.log_probabilities(output.reshape(-1, output.shape[-1])[chosen])
    best = final.argmax(axis=-1)
    found = {}
    for visit in visits:
        if visit.key in sums:
            values = ops.reshape(visit.output, (-1, visit.output.shape[-1]))
            at = ops.take(values, chosen, axis=0)[None]  # (1, n, C)
            for layer in tail:
                at = layer(at)
            lens = _scores.log_probabilities(ops.convert_to_numpy(ops.cast(at, "float32"))[0])
            divergence = float(np.mean(_scores.divergence(final, lens)))
            rank = 1 + (lens > np.take_along_axis(lens, best[:, None], axis=-1)).sum(axis=-1)
            found[visit.key] = max(divergence, 0.0), float(np.median(rank)), len(chosen)
            if visit.key == sums[-1] and np.abs(np.exp(lens) - np.exp(final)).max() > _ROUNDING:
                return None
    return found


def _counted(visits: list[Visit], output: np.ndarray) -> np.ndarray:
    """bool (B, T): the positions that are no padding."""
    for visit in reversed(visits):
        mask = mask_of(visit.output)
        if mask is not None and tuple(mask.shape) == output.shape[:2]:
            return ops.convert_to_numpy(mask).astype(bool)
    return np.ones(output.shape[:2], bool)
