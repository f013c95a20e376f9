"""Hidden sequences of recurrent layers, and their gates at all steps at once.

No cell is stepped: the hidden sequence is known, so z = x W + shift(h) U + b for all steps in one product.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers, ops, tree

from dlcli.inspection.tap import Tap, Visit, mask_of


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What one recurrent cell went through, in the order in which it went through it.

    key: of the visit (of the Bidirectional, where it is inside one).  direction: "", or "forward" and
    "backward".  x (B, T, C), h (B, T, units): float32.  before: the state that each step began with.
    first: the initial states.  mask: bool (B, T), the steps that the cell took.  backwards: step 0 is the
    sequence's last.
    """

    key: str
    direction: str
    cell: Any
    x: np.ndarray
    h: np.ndarray
    before: np.ndarray
    first: list[np.ndarray]
    mask: np.ndarray
    backwards: bool


def streams(model, x) -> tuple[list[Stream], list[str]]:
    """Every recurrent layer of one eager call for the batch x, and sentences about those left out.

    Eager, because JAX's tracers carry no masks.
    """
    with Tap() as visits:
        model(x, training=False)
    found, left_out = [], []
    for visit, layer, direction in _recurrent(visits):
        reason = _unfit(layer, visit)
        if reason:
            left_out.append(f"{visit.key} {direction}".strip() + f" is left out: {reason}.")
        else:
            found.append(_stream(visit, layer, direction))
    return found, left_out


def _recurrent(visits: list[Visit]):
    """(visit, layer, direction) of every layer with a cell; a fused Bidirectional never calls its two."""
    pairs = [visit for visit in visits if isinstance(visit.layer, layers.Bidirectional)]
    inside = {id(layer) for visit in pairs for layer in (visit.layer.forward_layer, visit.layer.backward_layer)}
    for visit in visits:
        if isinstance(visit.layer, layers.Bidirectional):
            yield visit, visit.layer.forward_layer, "forward"
            yield visit, visit.layer.backward_layer, "backward"
        elif isinstance(visit.layer, layers.RNN) and id(visit.layer) not in inside:
            yield visit, visit.layer, ""


def _unfit(layer, visit: Visit) -> str:
    """Why nothing exact can be said of it; "" when it can."""
    kinds = layers.LSTMCell | layers.GRUCell | layers.SimpleRNNCell
    cell = getattr(layer, "cell", None)
    if not isinstance(cell, kinds) or type(cell).call not in (
        layers.LSTMCell.call,
        layers.GRUCell.call,
        layers.SimpleRNNCell.call,
    ):
        return f"its cell ({type(cell).__name__}) is not known"
    if layer.stateful:
        return "it is stateful, so its first state is that of the batch before"
    if len(_states(visit)) not in (0, (1 + bool(_paired(visit))) * len(layer.state_size)):
        return f"it takes {len(_states(visit))} initial states"
    return ""


def _paired(visit: Visit) -> bool:
    return isinstance(visit.layer, layers.Bidirectional)


def _states(visit: Visit) -> list:
    """Initial states among a call's arguments, behind the sequence; a mask is bool."""
    return [x for x in visit.inputs[1:] if "bool" not in str(x.dtype)]


def _stream(visit: Visit, layer, direction: str) -> Stream:
    sequence, states = visit.inputs[0], _states(visit)
    mask = mask_of(sequence)
    mask = next((x for x in visit.inputs[1:] if "bool" in str(x.dtype)), mask)
    if states and _paired(visit):
        half = len(states) // 2
        states = states[:half] if direction == "forward" else states[half:]
    with _sequences(layer):
        h = layer(sequence, initial_state=states or None, mask=mask, training=False)
    x, h = _numbers(sequence), _numbers(h)
    mask = np.ones(x.shape[:2], bool) if mask is None else ops.convert_to_numpy(mask).astype(bool)
    if layer.go_backwards:  # Keras returns the states in the order of the cell
        x, mask = x[:, ::-1], mask[:, ::-1]
    first = [_numbers(state) for state in states] or [np.zeros_like(h[:, 0]) for _ in layer.state_size]
    return Stream(
        key=visit.key,
        direction=direction,
        cell=layer.cell,
        x=x,
        h=h,
        before=_before(h, mask, first[0]),
        first=first,
        mask=mask,
        backwards=bool(layer.go_backwards),
    )


@contextmanager
def _sequences(layer):
    """The layer returns all steps and nothing else."""
    kept = layer.return_sequences, layer.return_state
    layer.return_sequences, layer.return_state = True, False
    try:
        yield
    finally:
        layer.return_sequences, layer.return_state = kept


def _numbers(x) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def _before(h: np.ndarray, mask: np.ndarray, first: np.ndarray) -> np.ndarray:
    """h (B, T, units) -> the state that each step begins with; a masked step leaves it as it was."""
    steps = np.where(mask, np.arange(1, h.shape[1] + 1), 0)
    last = np.maximum.accumulate(steps, axis=1)  # 0: still the first state
    states = np.concatenate([first[:, None], h], axis=1)
    after = np.take_along_axis(states, last[..., None], axis=1)
    return np.concatenate([first[:, None], after[:, :-1]], axis=1)


def gates(stream: Stream) -> dict[str, np.ndarray]:
    """Gates (B, T, units) by letter: i, f, o of an LSTM; z (update), r (reset) of a GRU; {} without gates."""
    cell = stream.cell
    if isinstance(cell, layers.SimpleRNNCell):
        return {}
    kernel, recurrent = _numbers(cell.kernel), _numbers(cell.recurrent_kernel)
    bias = 0.0 if cell.bias is None else _numbers(cell.bias)
    if np.ndim(bias) == 2:  # a GRU with reset_after has one for each product
        bias = bias.sum(axis=0)
    z = stream.x @ kernel + stream.before @ recurrent + bias
    parts = np.split(z, z.shape[-1] // cell.units, axis=-1)
    # a GRU's third part depends on where its reset comes in; the gates do not
    letters = {"i": 0, "f": 1, "o": 3} if len(parts) == 4 else {"z": 0, "r": 1}
    return {letter: _numbers(cell.recurrent_activation(parts[at])) for letter, at in letters.items()}


def present(view) -> bool:
    """Whether the model has recurrent layers at all."""
    return any(isinstance(visit.layer, layers.RNN | layers.Bidirectional) for visit in view.visits)


def examples(view, most: int = 64):
    """Examples for an eager call whose hidden sequences stay within some 100 MB; None without any."""
    units = [layer.units for layer in _flat(view.subject.model) if hasattr(layer, "units")]
    x = view.examples(1)
    if x is None:
        return None
    steps = max(np.asarray(values).shape[1] if np.ndim(values) > 1 else 1 for values in tree.flatten(x))
    return view.examples(int(np.clip(2**24 // (steps * max(units, default=1)), 4, most)))


def _flat(model) -> list:
    return [layer for layer in model._flatten_layers() if isinstance(layer, layers.RNN)]
