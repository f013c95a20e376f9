"""How far back the last step of a layer really depends on the sequence: 95 % of its gradient."""

import keras
import numpy as np
from keras import ops

from dlcli.inspection.gradients import at_layers, gradients
from dlcli.inspection.tap import Tap
from dlcli.inspection.view import Finding, View

BUDGET = "deep"
FAMILIES = ("rnn", "transformer")
EXAMPLES = 16
SHARE = 0.95


def look(view: View) -> Finding | None:
    x = view.examples(EXAMPLES)
    shapes = {visit.key: getattr(visit.output, "shape", ()) for visit in view.visits}
    places = [place for place in view.places if len(shapes[place.key]) == 3]
    if x is None or isinstance(x, dict | list | tuple) or not places:
        return None
    values = np.asarray(x)
    tokens = "int" in str(values.dtype)
    if values.ndim != (2 if tokens else 3):
        return None
    first = _embedding(view) if tokens else None
    if tokens and first is None:
        return None
    # 0 is padding, on the right: an example ends before it
    ends = np.maximum((values != 0).sum(axis=1), 1) - 1 if tokens else np.full(len(values), values.shape[1] - 1)
    finding = Finding()
    for place in places:
        slope = (
            _to_embedding(view.subject.model, x, first, place.key, ends, view.seed)
            if tokens
            else _to_input(view.subject.model, values.astype(np.float32), place.key, ends, view.seed)
        )
        finding.own[place.name] = {"reach": reach(slope, ends)}
    finding.methods.append(
        {
            "name": "reach",
            "formula": f"smallest k such that the last k steps of the input hold {SHARE:.0%} of the mean of "
            "|d(v . h_T) / dx_t|, h_T a layer's last step, v random signs",
            "source": "after Khandelwal et al., 2018 (effective context)",
        }
    )
    return finding


def reach(slope: np.ndarray, ends: np.ndarray) -> int | None:
    """Steps back from each example's end (B,) that hold the share of |slope| (B, T, C); None when nothing
    depends on anything."""
    mass = np.abs(slope).sum(axis=2)
    back = np.zeros(mass.shape[1])
    for row, end in zip(mass, ends, strict=True):
        back[: end + 1] += row[end::-1]
    total = back.sum()
    return int(np.searchsorted(np.cumsum(back) / total, SHARE - 1e-9) + 1) if total > 0 else None


def _embedding(view: View) -> str | None:
    """The visit that turns ids into vectors."""
    found = (visit.key for visit in view.visits if isinstance(visit.layer, keras.layers.Embedding))
    return next(found, None)


def _signed(output, ends: np.ndarray, steps: int, seed: int):
    """The features at the example's end, with random signs. A layer may have fewer steps than the input."""
    at = np.floor((ends + 0.5) / steps * output.shape[1]).astype(int)
    last = ops.take_along_axis(ops.cast(output, "float32"), ops.convert_to_tensor(at)[:, None, None], axis=1)[:, 0]
    signs = np.random.default_rng([seed, 17]).choice(np.array([-1, 1], np.float32), size=tuple(last.shape))
    return ops.sum(last * signs)


def _to_embedding(model, x, first: str, key: str, ends: np.ndarray, seed: int) -> np.ndarray:
    steps = np.asarray(x).shape[1]
    if key == first:
        return np.eye(steps, dtype=np.float32)[ends][:, :, None]
    return at_layers(model, x, [first, key], lambda _, reached: _signed(reached[key], ends, steps, seed))[1][first]


def _to_input(model, x: np.ndarray, key: str, ends: np.ndarray, seed: int) -> np.ndarray:
    def score(series):
        found = []

        def look_at(visit):
            if visit.key == key:
                found.append(visit.output)

        with Tap(change=look_at):
            model(series, training=False)
        return _signed(found[0], ends, x.shape[1], seed)

    return gradients(score, [x])[1][0]
