"""The level strip: how well each level can be read off each layer, of the network and of its untrained twin."""

from dataclasses import dataclass

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from dlcli import registry
from dlcli.inspection import hierarchy
from dlcli.inspection.hierarchy import Hierarchy, LevelCounts
from dlcli.inspection.probes import Ridge, control_labels, guessed
from dlcli.inspection.rows import raw
from dlcli.inspection.subject import Stimuli, batches
from dlcli.inspection.twin import untrained
from dlcli.inspection.watch import Watch
from dlcli.stimuli._level import Level

# Stimuli of each level. With all levels twice, for the network and its twin, these are the larger
# part of the work.
STIMULI = 300
# Examples that the twin's batch normalisation learns its statistics from.
_SETTLING = 64


@dataclass(frozen=True, kw_only=True)
class Strip:
    """hierarchy: what was measured.  levels: the stimuli.  rows, twin: features of the network and of its
    untrained twin, by level and place."""

    hierarchy: Hierarchy
    levels: list[Level]
    rows: dict[str, dict[str, np.ndarray]]
    twin: dict[str, dict[str, np.ndarray]]


def strip(
    model, stimuli: Stimuli, watch: Watch, keys: list[str], *, n: int, size: int, seed: int, before: Strip | None = None
) -> Strip:
    """Every level on the network, its untrained twin and the bare input. keys: the places, in order.

    before: an earlier strip of the same network with other weights; its stimuli and twin are used again.
    """
    levels = before.levels if before else _levels(stimuli, n, seed)
    fed = [stimuli.feed(level) for level in levels]

    def passed():
        return {
            level.name: watch.gathered(batches(read, len(level.y), at, size))
            for level, (read, at) in zip(levels, fed, strict=True)
        }

    rows, twin = passed(), before.twin if before else {}
    if levels and not before:
        settling = np.concatenate([np.full(_SETTLING // len(levels) + 1, i) for i in range(len(levels))])
        with untrained(model, _mixed([read for read, _ in fed], settling), seed=seed):
            twin = passed()
    with threadpool_limits(1):  # small factorisations: a second thread waits more than it works
        counts = [
            _counts(level, pair, rows[level.name], twin[level.name], keys, seed)
            for level, pair in zip(levels, fed, strict=True)
        ]
        measured = hierarchy.measure(counts, np.arange(len(keys)) + 1.0, seed=seed)
    return Strip(hierarchy=measured, levels=levels, rows=rows, twin=twin)


def _levels(stimuli: Stimuli, n: int, seed: int) -> list[Level]:
    return registry.find("stimuli", stimuli.entry).load().levels(n=n, seed=seed, **stimuli.make)


def _mixed(reads, which: np.ndarray):
    """A batch with stimuli of all levels."""
    parts = [reads[i](np.arange(int((which == i).sum()))) for i in np.unique(which)]
    return keras.tree.map_structure(lambda *values: np.concatenate(values), *parts)


def _counts(level: Level, fed, trained, twin, keys: list[str], seed: int) -> LevelCounts:
    control = control_labels(level.control, level.y, seed)
    ridges = [Ridge(trained[key]) for key in keys]
    return LevelCounts(
        name=level.name,
        trained=np.stack([_correct(ridge, level) for ridge in ridges]),
        untrained=np.stack([_correct(Ridge(twin[key]), level) for key in keys]),
        input=_correct(Ridge(_input(fed, len(level.y))), level),
        labels=level.y,
        nuisance=None if level.group is not None else guessed(level.control, level.y),
        control=np.stack([ridge.correct(control) for ridge in ridges]),
        control_labels=control,
    )


def _correct(ridge: Ridge, level: Level) -> np.ndarray:
    return ridge.correct(level.y) if level.group is None else ridge.correct(level.y, level.group)


def _input(fed, n: int) -> np.ndarray:
    """The bare input as rows, read as layers are read: which token stands at the position, the values
    of a step, or a series' mean, deviation and last step; of pictures every pixel, which is stricter."""
    read, at = fed
    x = read(np.arange(n))
    values = np.asarray(keras.tree.flatten(x)[0])
    if "int" in str(values.dtype) and values.ndim == 2 and at is not None:
        return _one_hot(values[np.arange(n), at])
    if values.ndim == 3:
        if at is not None:
            return values[np.arange(n), at]
        return np.concatenate([values.mean(axis=1), values.std(axis=1), values[:, -1]], axis=1)
    return raw(x, n)


def _one_hot(tokens: np.ndarray) -> np.ndarray:
    _, codes = np.unique(tokens, return_inverse=True)
    return np.eye(codes.max() + 1, dtype=np.float32)[codes]
