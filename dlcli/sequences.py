"""What the tasks on series share: gaps, unequal lengths, statistics, and the stem of a model."""

import math

import numpy as np
from keras import layers

from dlcli.layers import PatchEmbedding

# What stands in padded steps of a raw batch; exact in float32 and bfloat16, and no measurement.
PADDING = -(2.0**127)


def trimmed(series: np.ndarray) -> np.ndarray:
    """Without the steps at the end where every channel is a gap: archives pad short series so."""
    series = np.asarray(series, np.float32)
    known = np.flatnonzero(np.isfinite(series).any(axis=1))
    return series[: known[-1] + 1] if len(known) else series[:1]


def interpolated(series: np.ndarray) -> np.ndarray:
    """Gaps (NaN, infinite) filled linearly within each channel; a channel of gaps becomes 0.  (T, C)"""
    gaps = ~np.isfinite(series)
    if not gaps.any():
        return series
    filled = series.copy()
    steps = np.arange(len(series))
    for channel in np.flatnonzero(gaps.any(axis=0)):
        bad = gaps[:, channel]
        filled[bad, channel] = 0 if bad.all() else np.interp(steps[bad], steps[~bad], series[~bad, channel])
    return filled


def carried_forward(series: np.ndarray) -> np.ndarray:
    """Gaps filled with the last known value, as a forecaster would see them: an interpolated gap
    would know what comes after it. Gaps before the first value take that value.  (T, C)"""
    known = np.isfinite(series)
    if known.all():
        return series
    last = np.maximum.accumulate(np.where(known, np.arange(len(series))[:, None], -1), axis=0)
    first = np.where(known.any(axis=0), known.argmax(axis=0), 0)
    filled = np.take_along_axis(series, np.where(last < 0, first, last), axis=0)
    return np.where(np.isfinite(filled), filled, np.float32(0))


def stretched(series: np.ndarray, length: int) -> np.ndarray:
    """Resampled linearly to so many steps.  (T, C) -> (length, C)"""
    if len(series) == length:
        return series
    at = np.linspace(0, len(series) - 1, length)
    steps = np.arange(len(series))
    return np.stack([np.interp(at, steps, channel) for channel in series.T], axis=1).astype(np.float32)


def stacked(many: list[np.ndarray], length: int, *, ragged: bool) -> np.ndarray:
    """Series without gaps -> (n, length, C) float32. Longer ones are squeezed to `length`;
    shorter ones are padded on the right with PADDING where `ragged`, else stretched."""
    out = np.full((len(many), length, many[0].shape[1] if many else 1), PADDING, np.float32)
    for row, series in zip(out, many, strict=True):
        if len(series) > length or not ragged:
            series = stretched(series, length)
        row[: len(series)] = series
    return out


def cut(batch: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Of every series of `stacked` (B, T, C) a random stretch without up to `share` of its steps, drawn out to its own
    length again (Le Guennec et al., 2016: window slicing).

    No default: it helps where it does not matter when something happens, and harms where all begin at one place. With a share of
    0.2 the lstm had of the rest of ECG200's training part 0.85 right (0.70 without), of Adiac's outlines 0.45 (0.54).
    """
    steps = batch.shape[1]
    padded = batch[..., 0] == np.float32(PADDING)
    last = steps - 1 - padded.sum(axis=1, keepdims=True)  # (B, 1)
    span = last * (1 - share * rng.random(last.shape))
    start = (last - span) * rng.random(last.shape)
    at = np.minimum(start + np.arange(steps) * span / np.maximum(last, 1), last)  # (B, T)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, last)
    between = (at - before)[..., None].astype(np.float32)
    rows = np.arange(len(batch))[:, None]
    drawn = (1 - between) * batch[rows, before] + between * batch[rows, after]
    return np.where(padded[..., None], batch, drawn)


def statistics(many: list[np.ndarray]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over all steps, gaps left out; 1 for a constant."""
    rows = np.concatenate(many).astype(np.float64)
    rows[~np.isfinite(rows)] = np.nan
    known = np.isfinite(rows)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, rows, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, rows - mean, 0) ** 2).sum(axis=0) / count)
    # A constant channel has a spread of rounding errors only.
    spread = np.where(spread > 1e-6 * np.maximum(np.abs(mean), 1e-6), spread, 1.0)
    return mean.tolist(), spread.tolist()


def stem(inputs, width: int | None, *, mean, spread, ragged: bool, patch: int):
    """Raw series (B, T, C) -> standardised (B, T, C), or patches (B, N, width) where a width is
    asked for. Padded steps are masked, and zeros to every convolution of dlcli.layers."""
    x = inputs
    if ragged:
        x = layers.Masking(PADDING, dtype="float32", name="stem_mask")(x)
    variance = np.square(np.asarray(spread, np.float32))
    x = layers.Normalization(mean=np.asarray(mean, np.float32), variance=variance, dtype="float32", name="stem_scale")(
        x
    )
    return x if width is None else patches(x, width, patch)


def patches(x, width: int, patch: int, *, fill: str = "after"):
    """Overlapping patches of 2 * `patch` steps, `patch` apart; 1: every step by itself."""
    size = 1 if patch == 1 else 2 * patch
    return PatchEmbedding(width, size, strides=patch, fill=fill, name="stem_patches")(x)


def default_patch(length: int, positions: int = 64) -> int:
    """The step between patches that leaves a body at most so many positions."""
    return max(1, math.ceil(length / positions))
