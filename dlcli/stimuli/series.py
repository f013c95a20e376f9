"""Series: step, change, motif, trend, season."""

import numpy as np

from dlcli.stimuli import _balanced
from dlcli.stimuli._balanced import Draws
from dlcli.stimuli._level import Level

STEPS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
CHANGES = ("large fall", "small fall", "small rise", "large rise")
# Walsh functions: equal energy, no mean; each number lasts a quarter of the motif
MOTIFS = {"rise": (-1, -1, 1, 1), "fall": (1, 1, -1, -1), "dip": (1, -1, -1, 1), "zigzag": (1, -1, 1, -1)}
TRENDS = ("rising", "falling", "up, then down", "down, then up")
SHORTEST = {"step": 6, "change": 8, "motif": 8, "trend": 8, "season": 16}  # steps
QUIET = 0.5  # strength of a component that is not the label's, relative to the one that is
NOISE = 0.7  # deviation; less could not hide the correlation of a season from step to step
SHARED = 0.8  # share of a channel's variance that all channels have in common


def levels(length: int, channels: int, *, n: int = 400, seed: int = 0) -> list[Level]:
    """Levels from low to high, each with n series, float32 (n, T, C) of mean 0 and deviation 1.

    A series is trend + season + motif + noise, drawn independently. The signal is in all channels
    with the same sign and weight, with noise of its own in each: a model may ignore any one channel,
    and signs that differ would cancel in one that adds channels up. Step and change are read at the
    last step, so that layers which return only their last state can be read as well. What a level's
    length has no room for (no two periods of a season) is left out.
    """
    makers = {"step": STEPS, "change": CHANGES, "motif": tuple(MOTIFS), "trend": TRENDS, "season": _periods(length)}
    found = []
    for i, (name, names) in enumerate(makers.items()):
        if length < SHORTEST[name]:
            continue
        rng = np.random.default_rng([seed, i])
        y = _balanced.labels(n, len(names), rng)
        if name == "season":
            names = tuple(f"{period:.3g} steps" for period in names)
        x, control = _series(name, y, length, channels, rng)
        position = np.full(n, length - 1) if name in ("step", "change") else None
        found.append(Level(name=name, x=_standardised(x), y=y, names=names, control=control, position=position))
    return found


def _series(level, y, length, channels, rng):
    """Series (n, T, C) with the label y at that level, and the type of what else is in them."""
    draws = Draws(y, rng)
    kinds = {name: draws.index(4) for name in ("motif", "trend", "season")}
    if level in kinds:
        kinds[level] = y
    weight = {name: 1.0 if name == level else QUIET for name in kinds}
    common = weight["trend"] * _trend(kinds["trend"], draws, length)
    common += 1.5 * weight["motif"] * _motif(kinds["motif"], draws, length)
    own, shared = (rng.standard_normal((len(y), length, c), dtype="float32") for c in (channels, 1))
    noise = np.float32(np.sqrt(SHARED)) * shared + np.float32(np.sqrt(1 - SHARED)) * own
    if length >= SHORTEST["season"]:
        wave, memory = _season(kinds["season"], draws, length, weight["season"])
        common += wave
        noise = _remembering(noise, memory)
    x = common[..., None] + np.float32(NOISE) * noise

    # the end of the series is drawn on its own: it must not tell where a trend or a season stands
    last = draws.normal(0.8)
    if level == "step":
        last[np.lexsort((rng.random(len(y)), y))] = np.sort(last)
    tail = [last]
    if level == "change":
        size = np.where((y == 0) | (y == 3), draws.uniform(1.2, 1.8), draws.uniform(0.3, 0.9))
        tail = [last - np.where(y < 2, -size, size), last]
    own = 0.1 * np.repeat(rng.standard_normal((len(y), 1, channels)), len(tail), axis=1)
    tail = np.stack(tail, axis=1)[..., None] + own * (channels > 1)
    x = _matched(x[:, : length - tail.shape[1]], tail, draws.normal(0.2), draws.uniform(1.0, 1.3))
    others = [name for name in ("motif", "trend", "season") if name != level]
    if length < SHORTEST["season"]:
        others = [name for name in others if name != "season"]
    control = np.zeros(len(y), dtype=int)
    for name in others:
        control = control * 4 + kinds[name]
    return x, control


def _matched(head, tail, mean, deviation):
    """Head and tail (n, T, C) joined; the head is moved and scaled so that the whole has that mean
    and that deviation (n,), drawn independently of the label. Mean, spread and last step of the
    input then say nothing about it."""
    length = head.shape[1] + tail.shape[1]
    count, mean, deviation = head.shape[1], mean[:, None, None], deviation[:, None, None]
    centre = (length * mean - tail.sum(axis=1, keepdims=True)) / count
    power = length * (deviation**2 + mean**2) - (tail**2).sum(axis=1, keepdims=True)
    # 0.1: a short series cannot have a small deviation and a large step at its end
    spread = np.sqrt(np.maximum(power / count - centre**2, 0.1))
    head = head - head.mean(axis=1, keepdims=True)
    head = head / np.maximum(head.std(axis=1, keepdims=True), 1e-6)
    return np.concatenate([centre + spread * head, tail], axis=1)


def _trend(kind, draws, length):
    """A line, or two that meet between 0.3 and 0.7 of the length; deviation 1: (n, T)."""
    time = np.linspace(0, 1, length, dtype="float32")[None]
    turn = draws.uniform(0.3, 0.7)[:, None]
    tent = np.where(time < turn, time / turn, (1 - time) / (1 - turn))
    rising = np.where((kind < 2)[:, None], time, tent) * np.where(kind % 2, -1, 1)[:, None]
    rising -= rising.mean(axis=1, keepdims=True)
    return rising / rising.std(axis=1, keepdims=True)


def _motif(kind, draws, length):
    """One motif at a random time: (n, T)."""
    quarter = max(1, min(length // 16, 8))
    shapes = np.repeat(np.array(list(MOTIFS.values()), dtype="float32"), quarter, axis=1)
    # the last two steps are taken by the tail
    start = (draws.uniform() * (length - 2 - 4 * quarter + 1)).astype(int)
    x = np.zeros((draws.n, length), dtype="float32")
    np.put_along_axis(x, start[:, None] + np.arange(4 * quarter), shapes[kind], axis=1)
    return x


def _periods(length):
    """Four periods in steps; the longest fits two and a half times."""
    longest = min(length / 2.5, 60)
    return np.geomspace(max(3, longest / 6), max(longest, 3.1), 4)


def _season(kind, draws, length, weight):
    """A wave of random phase (n, T), and the memory (n,) of a noise that hides its lag-1 correlation.

    A wave of period p has the correlation cos(2 pi / p) from step to step. The noise
    makes up for the difference from the mean of the four.
    """
    periods = _periods(length)
    steps = np.arange(length, dtype="float32")
    phase = 2 * np.pi * (draws.uniform()[:, None] + steps / periods[kind][:, None].astype("float32"))
    correlation = np.cos(2 * np.pi / periods)
    memory = np.clip((correlation.mean() - correlation) * weight**2 / (2 * NOISE**2), -0.9, 0.9)
    return weight * np.sin(phase, dtype="float32"), memory[kind]


def _remembering(noise, memory):
    """An autoregressive noise of the same variance, made from white noise (n, T, C)."""
    memory = memory.astype("float32")[:, None]
    fresh = np.sqrt(1 - memory**2)
    x = noise.copy()
    for t in range(1, noise.shape[1]):
        x[:, t] = memory * x[:, t - 1] + fresh * noise[:, t]
    return x


def _standardised(x):
    return ((x - x.mean()) / x.std()).astype("float32")
