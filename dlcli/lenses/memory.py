"""Memory of recurrent layers: timescales of units, and how many steps of the input can be read off the state."""

import numpy as np
from keras import layers, ops

from dlcli.inspection.view import Finding, View
from dlcli.lenses._places import reported, short
from dlcli.lenses._recurrent import Stream, examples, present, streams

BUDGET = "fast"
FAMILIES = ("rnn", "autoencoder", "transformer")
# Steps of noise for a model that takes any number, and the longest delay that is asked for.
_STEPS, _DELAYS = 128, 50
# Lags that a timescale is fitted to, at most; it stops where the correlation falls to 1/e.
_LAGS = 20


def look(view: View) -> Finding | None:
    """Timescales and capacity on white noise of the data's scale; timescales on the data where the input is discrete."""
    if not present(view):
        return None
    noise = _noise(view)
    x = examples(view) if noise is None else noise
    if x is None:
        return None
    found, left_out = streams(view.subject.model, x)
    names, rows = reported(view), []
    finding = Finding(warnings=[] if noise is None else left_out)
    for stream in found:
        taus = timescales(stream.h, stream.mask)
        capacity = None if noise is None else _capacity(noise, stream)
        radius = spectral_radius(stream.cell)
        rows.append(_row(stream, taus, capacity, radius))
        if stream.key in names and stream.direction != "backward":
            finding.own[names[stream.key]] = _own(taus, capacity, radius)
    if not rows:
        return None
    finding.tables.append(
        {
            "title": "Memory",
            "columns": ["layer", "direction", "tau q10", "tau median", "tau q90", "capacity", "radius", "units"],
            "rows": rows,
            "note": "tau in steps of the layer, capacity in steps of the input; on "
            + (
                "white noise of the data's scale."
                if noise is not None
                else "the data, which have a memory of their own."
            ),
        }
    )
    finding.methods += _METHODS if noise is not None else [_METHODS[0], _METHODS[2]]
    return finding


def timescales(h: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """tau (units,) in steps: correlations over the first lags fitted by exp(-k / tau); NaN for constant units.

    h (B, T, units). The log of a correlation r has a variance of about 1 / r^2: these are the weights.
    A tau of 0: nothing lasts a step; one of T: longer than can be seen.
    """
    steps = h.shape[1]
    if steps < 6:
        return np.full(h.shape[-1], np.nan)
    mask = np.ones(h.shape[:2], bool) if mask is None else mask
    burn = h.shape[1] // 4  # states begin at 0
    h, mask = h[:, burn:].astype(np.float64), mask[:, burn:, None]
    h = np.where(mask, h - _mean(h, mask), 0.0)
    variance = _mean(h * h, mask)
    going = variance > 1e-12 * max(float(variance.max(initial=0.0)), 1e-30)
    weighted, weights = np.zeros(h.shape[-1]), np.zeros(h.shape[-1])
    alive = going.copy()
    for lag in range(1, min(_LAGS, h.shape[1] // 3) + 1):
        both = mask[:, :-lag] & mask[:, lag:]
        early, late = (_mean(part * part, both) for part in (h[:, :-lag], h[:, lag:]))
        scale = np.sqrt(np.maximum(early * late, 1e-300))
        r = np.where(alive, _mean(h[:, :-lag] * h[:, lag:], both) / scale, 0.0)
        r = np.minimum(r, 1 - 1e-9)
        alive = alive & (r > 0.02)
        safe = np.where(alive, r, 1.0)
        weighted += np.where(alive, safe**2 * lag * np.log(safe), 0.0)
        weights += np.where(alive, (safe * lag) ** 2, 0.0)
        alive = alive & (r > np.exp(-1))
    taus = np.where(weights > 0, -weights / np.where(weighted < 0, weighted, -1.0), 0.0)
    return np.where(going, np.minimum(taus, steps), np.nan)


def _mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over all steps that count: (units,)"""
    return np.sum(values * mask, axis=(0, 1)) / max(int(mask.sum()), 1)


def recalled(u: np.ndarray, h: np.ndarray, delays: int) -> np.ndarray:
    """R^2 (delays,) of u_{t-k} read linearly off h_t, on sequences that the reader was not fitted to.

    u (B, T, C): the input; the mean over its channels is given.  h (B, T', units): T' = T / stride, step t'
    having seen the input up to (t' + 1) stride - 1.
    """
    stride = u.shape[1] // h.shape[1]
    first = -(-(delays - 1) // stride)
    at = (np.arange(first, h.shape[1]) + 1) * stride - 1
    half = len(u) // 2
    states = h[:, first:].astype(np.float64)
    states = states - states[:half].mean(axis=(0, 1))
    fit, held = (part.reshape(-1, h.shape[-1]) for part in (states[:half], states[half:]))
    gram = fit.T @ fit
    values, vectors = np.linalg.eigh(gram)
    inverse = np.where(values > 1e-10 * max(values[-1], 1e-30), 1 / np.maximum(values, 1e-300), 0.0)
    reader = (vectors * inverse) @ (vectors.T @ fit.T)  # (units, rows)
    scores = np.empty(delays)
    for k in range(delays):
        target = u[:, at - k].astype(np.float64)
        target = target - target[:half].mean(axis=(0, 1))
        known, asked = (part.reshape(-1, u.shape[-1]) for part in (target[:half], target[half:]))
        error = asked - held @ (reader @ known)
        scores[k] = np.mean(1 - (error**2).sum(axis=0) / (asked**2).sum(axis=0))
    return np.maximum(scores, 0.0)


def spectral_radius(cell) -> float:
    """Of the recurrent kernel; of an LSTM or a GRU the part that makes the candidate."""
    kernel = np.asarray(ops.convert_to_numpy(cell.recurrent_kernel), np.float64)
    at = {4: 2, 3: 2, 1: 0}[kernel.shape[1] // cell.units]
    return float(np.abs(np.linalg.eigvals(kernel[:, at * cell.units : (at + 1) * cell.units])).max())


def _noise(view: View) -> np.ndarray | None:
    """White noise (n, T, C) with mean and deviation of each channel of the data; None where none can go in."""
    inputs = getattr(view.subject.model, "inputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 3 or "float" not in str(inputs[0].dtype):
        return None
    _, steps, channels = inputs[0].shape
    if channels is None:
        return None
    mean, spread = np.zeros(channels), np.ones(channels)
    x = view.examples(64)
    if x is not None:
        values = np.asarray(x, np.float64).reshape(-1, channels)
        mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    steps = steps or _STEPS
    units = max((v.layer.units for v in view.visits if isinstance(v.layer, layers.RNN) and hasattr(v.layer, "units")), default=64)  # fmt: skip
    # rows for the reader: ten for each unit in the half that it is fitted to
    n = int(np.clip(2 * 10 * units / max(steps // 2, 1), 32, 128))
    rng = np.random.default_rng([view.seed, 11])
    return (rng.standard_normal((n, steps, channels)) * np.where(spread > 0, spread, 1) + mean).astype(np.float32)


def _capacity(noise: np.ndarray, stream: Stream) -> float | None:
    """Sum over delays, in steps of the input; None where neither steps nor sequences correspond."""
    steps = stream.h.shape[1]
    if noise.shape[1] % steps:
        return None
    u = noise[:, ::-1] if stream.backwards else noise
    delays = min(_DELAYS, noise.shape[1] // 2)
    count, _, channels = u.shape
    if len(stream.h) == count:
        return float(recalled(u, stream.h, delays).sum())
    if len(stream.h) != count * channels:
        return None
    # Channels one by one through the same layer: which of the two orders they were laid out in shows itself.
    orders = (u.transpose(0, 2, 1), u.transpose(2, 0, 1))
    return max(float(recalled(one.reshape(-1, u.shape[1], 1), stream.h, delays).sum()) for one in orders)


def _own(taus: np.ndarray, capacity: float | None, radius: float) -> dict:
    own = {"radius": round(radius, 2)}
    if np.isfinite(taus).any():
        low, middle, high = np.nanquantile(taus, [0.1, 0.5, 0.9])
        own = {"tau": f"{middle:.1f} [{low:.1f}, {high:.1f}]", **own}
    if capacity is not None:
        own["memory"] = round(capacity, 2)
    return own


def _row(stream: Stream, taus: np.ndarray, capacity: float | None, radius: float) -> list:
    known = np.isfinite(taus)
    spread = [f"{q:.1f}" for q in np.quantile(taus[known], [0.1, 0.5, 0.9])] if known.any() else ["–"] * 3
    memory = "–" if capacity is None else f"{capacity:.2f}"
    return [short(stream.key), stream.direction, *spread, memory, f"{radius:.2f}", int(known.sum())]


_METHODS = [
    {
        "name": "tau, timescale",
        "formula": "correlation of a unit with itself k steps later, fitted by exp(-k / tau) over the first lags, "
        "weights r^2; median [10 %, 90 %] of the units, of a bidirectional layer those that read forward",
        "source": "Murray et al., 2014 (intrinsic timescales)",
    },
    {
        "name": "memory capacity",
        "formula": "sum over k of R^2 of the linear reading of input t-k off the state at t, on white noise, held out; "
        "mean over channels, in steps",
        "source": "Jaeger, 2001",
    },
    {
        "name": "radius",
        "formula": "largest |eigenvalue| of the recurrent kernel; of an LSTM or a GRU that of the candidate",
        "source": "",
    },
]
