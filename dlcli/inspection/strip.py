"""The level strip: how well each level can be read off each layer, of the network and of its untrained twin."""

from dataclasses import dataclass

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from dlcli import registry
from dlcli.inspection import hierarchy
from dlcli.inspection.hierarchy import Hierarchy, LevelCounts
from dlcli.inspection.probes import Ridge, control_labels, guessed
from dlcli.inspection.rows import raw, raw_of
from dlcli.inspection.subject import Stimuli, batches
from dlcli.inspection.twin import untrained
from dlcli.inspection.watch import Watch
from dlcli.stimuli._level import CATEGORY, Level
from dlcli.store import each

# Stimuli of each level: as many as intervals ask for, and fewer where a network takes so much work for
# one example that three passes over all of them would take long.
STIMULI, FEWER = 400, 200
HEAVY = 5e8  # FLOP
# Examples that the twin's batch normalisation learns its statistics from.
_SETTLING = 64


@dataclass(frozen=True, kw_only=True)
class Strip:
    """hierarchy: what was measured.  levels: the stimuli.  rows: features of the network by level and place;
    twins: the same of untrained twins, each for some of the levels."""

    hierarchy: Hierarchy
    levels: list[Level]
    rows: dict[str, dict[str, np.ndarray]]
    twins: list[dict[str, dict[str, np.ndarray]]]


def strip(
    model, stimuli: Stimuli, watch: Watch, keys: list[str], *, n: int, size: int, seed: int, before: Strip | None = None
) -> Strip:
    """Every level on the network, its untrained twins and the bare input. keys: the places, in order.

    A second twin is asked about the levels that emerged beyond the first: random networks differ, and one
    that batch normalisation keeps in range may see less than one that it does not.
    before: an earlier strip of the same network with other weights; its stimuli and twins are used again.
    """
    levels = before.levels if before else _levels(stimuli, n, seed)
    fed = {level.name: stimuli.feed(level) for level in levels}

    def passed(chosen):
        return {
            level.name: watch.gathered(batches(fed[level.name][0], len(level.y), fed[level.name][1], size))
            for level in chosen
        }

    def measured():
        # one thread for each factorisation and several of them at once: they are small
        with threadpool_limits(1):
            counts = [_counts(level, fed[level.name], rows, twins, keys, seed, known) for level in levels]
            return hierarchy.measure(counts, np.arange(len(keys)) + 1.0, seed=seed)

    rows, twins, known = passed(levels), list(before.twins) if before else [], {}
    if levels and not before:
        with untrained(model, _mixed([read for read, _ in fed.values()]), seed=seed):
            twins.append(passed(levels))
    found = measured()
    emerged = [level for level, one in zip(levels, found.levels, strict=True) if one.emergence is not None]
    if emerged and not before:
        with untrained(model, None, seed=seed + 1):
            twins.append(passed(emerged))
        found = measured()
    return Strip(hierarchy=found, levels=levels, rows=rows, twins=twins)


def _levels(stimuli: Stimuli, n: int, seed: int) -> list[Level]:
    found = registry.find("stimuli", stimuli.entry).load().levels(n=n, seed=seed, **stimuli.make)
    return found if stimuli.own is None else [*found, stimuli.own]


def _mixed(reads):
    """A batch with stimuli of all levels."""
    parts = [read(np.arange(_SETTLING // len(reads) + 1)) for read in reads]
    return keras.tree.map_structure(lambda *values: np.concatenate(values), *parts)


def _counts(level: Level, fed, rows, twins, keys: list[str], seed: int, known: dict) -> LevelCounts:
    """known: what was found before, by level; it is not computed twice."""
    if level.name not in known:
        control = control_labels(level.control, level.y, seed)

        def read(key):
            ridge = Ridge(rows[level.name][key])
            return _correct(ridge, level), ridge.correct(control)

        trained, controlled = zip(*each(read, keys, parallel=True), strict=True)
        known[level.name] = {
            "trained": np.stack(trained),
            "input": _correct(Ridge(_input(fed, len(level.y), whole=level.name == CATEGORY)), level),
            "nuisance": None if level.group is not None else guessed(level.control, level.y),
            "control": np.stack(controlled),
            "control_labels": control,
        }
    for number, twin in enumerate(twins):
        if level.name in twin and (level.name, number) not in known:
            rows_of = twin[level.name]
            known[level.name, number] = np.stack(
                each(lambda key, rows_of=rows_of: _correct(_ridge(rows_of[key]), level), keys, parallel=True)
            )
    untrained = [known[level.name, number] for number in range(len(twins)) if (level.name, number) in known]
    # layer by layer the twin that can be read better
    best = np.argmax([one.mean(axis=1) for one in untrained], axis=0)
    return LevelCounts(
        name=level.name,
        untrained=np.stack(untrained)[best, np.arange(len(keys))],
        labels=level.y,
        group=level.group,
        ranked=level.name != CATEGORY,
        **known[level.name],
    )


def _ridge(rows: np.ndarray) -> Ridge:
    """Of a twin: where its random weights overflow it tells nothing, which is no fault of the network's."""
    return Ridge(np.where(np.isfinite(rows).all(axis=0), rows, 0.0))


def _correct(ridge: Ridge, level: Level) -> np.ndarray:
    return ridge.correct(level.y) if level.group is None else ridge.correct(level.y, level.group)


def _input(fed, n: int, *, whole: bool) -> np.ndarray:
    """The bare input as rows, read as layers are read: which token stands at the position, the values
    of a step, or a series' mean, deviation and last step; of pictures every pixel, which is stricter, as all
    steps of a series are where it is to be taken whole."""
    read, at = fed
    if whole or np.ndim(keras.tree.flatten(read(np.arange(1)))[0]) == 4:
        return raw_of(read, np.arange(n))
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
