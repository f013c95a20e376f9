"""Whether a recurrent layer forgets or magnifies what was: its largest Lyapunov exponent on the user's data."""

import numpy as np
from keras import layers, ops

from dlcli.backend import compiled, value_and_gradients
from dlcli.inspection.view import Finding, View
from dlcli.lenses._places import reported, short
from dlcli.lenses._recurrent import Stream, examples, present, streams

BUDGET = "standard"
FAMILIES = ("rnn", "autoencoder", "transformer")
EXAMPLES, STEPS = 16, 256
# Steps without which a sequence has no answer.
LEAST = 8
# Steps that are gone back over before the direction is made a unit again: within float32, whatever the exponent.
_STRIDE = 8


def look(view: View) -> Finding | None:
    if not present(view):
        return None
    x = examples(view, EXAMPLES)
    if x is None:
        return None
    found, _ = streams(view.subject.model, x)  # what is left out is told by the lens of gates
    names, rows, finding = reported(view), [], Finding()
    for number, stream in enumerate(found):
        said = told(exponents(stream, np.random.default_rng([view.seed, 17, number])))
        if said is None:
            continue
        rows.append([short(stream.key), stream.direction, *said])
        if stream.key in names and stream.direction != "backward":
            finding.own[names[stream.key]] = {"lyapunov": said[0]}
    if not rows:
        return None
    finding.tables.append(
        {
            "title": "Stability",
            "columns": ["layer", "direction", "exponent", "±", "lasts", "sequences"],
            "rows": rows,
            "note": "Per step: below 0 a small change of the state dies out, to a third after so many steps as it lasts; "
            "above 0 it grows, and the state depends on all that was (chaos). sequences: the mean leaves out those of fewer than "
            f"{LEAST} steps, and those in which nothing lasts where these are the minority.",
        }
    )
    finding.methods.append(
        {
            "name": "Lyapunov exponent",
            "formula": "mean log growth, per step, of a random direction that is taken back through the Jacobians of all "
            "states of the layer, in the middle half of the steps of each sequence of the data; ± 1.96 standard errors",
            "source": "Benettin, Galgani, Giorgilli & Strelcyn, 1980; of networks: Engelken, Wolf & Abbott, 2023",
        }
    )
    return finding


def told(each: np.ndarray) -> list | None:
    """Exponent, its error, the steps after which a change has fallen to 1/e, and of how many sequences: of exponents (B,).

    -inf where it is the median: a few sequences that fall below float32 must not speak for the others.
    None without any answer.
    """
    known = each[each < np.inf]
    if not len(known):
        return None
    if np.isneginf(np.median(known)):
        return ["-inf", "–", "0", f"{len(known)} of {len(each)}"]
    known = known[~np.isneginf(known)]
    mean = float(known.mean())
    error = f"{1.96 * known.std(ddof=1) / np.sqrt(len(known)):.3f}" if len(known) > 1 else "–"
    return [round(mean, 3), error, f"{-1 / mean:.1f}" if mean < 0 else "–", f"{len(known)} of {len(each)}"]


def exponents(stream: Stream, rng: np.random.Generator) -> np.ndarray:
    """The largest exponent (B,) of each sequence in nats per step; -inf where nothing lasts, NaN for fewer than LEAST steps.

    A direction is multiplied by the transposed Jacobian of step after step, from the last to the first: products
    of Jacobians and of their transposes grow alike.  The last quarter of the steps only turns it to where growth
    is largest, and in the first quarter the states still come from where they began: neither is counted.
    """
    x, mask = _taken(stream)
    length = mask.sum(axis=1)
    if not (length >= LEAST).any():
        return np.full(len(x), np.nan)
    # whole pieces must fit into the middle half of the shortest sequence
    stride = int(min(_STRIDE, length[length >= LEAST].min() // 4))
    starts = list(range(0, length.max() - stride + 1, stride))
    pieces = [(x[:, at : at + stride], mask[:, at : at + stride]) for at in starts]
    step, back = _programs(stream.cell)
    before = [stream.first]
    for piece in pieces[:-1]:
        before.append([ops.convert_to_numpy(state) for state in step(_tensors(before[-1]), *_tensors(piece))])
    direction = [rng.standard_normal(state.shape) for state in stream.first]
    length = mask[:, : starts[-1] + stride].sum(axis=1)
    left, growth, counted = length.copy(), np.zeros(len(x)), np.zeros(len(x))
    for states, piece in zip(reversed(before), reversed(pieces), strict=True):
        direction = _unit(direction)
        slopes = back(_tensors(states), _tensors(direction), *_tensors(piece))
        direction = [ops.convert_to_numpy(slope) for slope in slopes]
        steps = piece[1].sum(axis=1)
        inside = (left <= 0.75 * length) & (left - steps >= 0.25 * length) & (steps > 0)
        with np.errstate(divide="ignore"):
            growth += np.where(inside, np.log(_size(direction)), 0.0)
        counted += np.where(inside, steps, 0)
        left = left - steps
    return np.where((length >= LEAST) & (counted > 0), growth / np.maximum(counted, 1), np.nan)


def _taken(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """The first STEPS that the cell took, (B, T, C), with those masked behind them, and which are taken, bool (B, T).

    A masked step changes no state, so where the padding stands makes no difference.
    """
    order = np.argsort(~stream.mask, axis=1, kind="stable")[:, :STEPS]
    return np.take_along_axis(stream.x, order[..., None], axis=1), np.take_along_axis(stream.mask, order, axis=1)


def _programs(cell) -> tuple:
    """Two compiled functions: states and a piece (values (B, T, C), steps taken (B, T)) -> the states after it; the same
    with a direction in those states -> that direction taken back to the states before.

    Compiled once for all pieces: JAX would compile a loop anew in every call.
    """
    rnn = layers.RNN(cell, return_state=True)

    def step(states, values, taken):
        return list(rnn(values, initial_state=states, mask=taken, training=False)[1:])

    def back(states, direction, values, taken):
        def along(*given):
            made = step(list(given), values, taken)
            return sum(ops.sum(a * ops.cast(d, a.dtype)) for a, d in zip(made, direction, strict=True))

        return list(value_and_gradients(along, states)[1])

    return compiled(step), compiled(back)


def _tensors(arrays) -> list:
    return [ops.convert_to_tensor(x) for x in arrays]


def _size(direction: list[np.ndarray]) -> np.ndarray:
    """Length (B,) of a direction in all states."""
    return np.sqrt(sum((np.asarray(part, np.float64) ** 2).sum(axis=1) for part in direction))


def _unit(direction: list[np.ndarray]) -> list[np.ndarray]:
    size = _size(direction)
    safe = np.where(size > 0, size, 1.0)[:, None]
    return [(np.asarray(part, np.float64) / safe).astype(np.float32) for part in direction]
