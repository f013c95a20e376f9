"""What the data passes measure: of every place its units, its geometry, and how well labels are read off it."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from dlcli.inspection import geometry, probes, units
from dlcli.inspection.probes import Ridge
from dlcli.inspection.subject import Read
from dlcli.inspection.watch import Watch
from dlcli.metrics import intervals

# Rows that probes and geometry are computed from; a factorisation grows with the cube of them.
KEPT = 768
# The same for heavy networks, whose many and wide layers would take as long as a pass over the data.
FEWER = 256
# Rows that similarities are computed from; they grow with the square, for every pair of layers.
COMPARED = 512


@dataclass
class Units:
    """Sums over all rows of one place: all that is kept of them beyond the first KEPT."""

    count: int = 0
    total: Any = 0.0
    squares: Any = 0.0
    highest: Any = -np.inf
    lowest: Any = np.inf

    def add(self, means: np.ndarray, deviations: np.ndarray) -> None:
        """means and deviations over positions, (B, d) each."""
        self.count += len(means)
        self.total = self.total + means.sum(axis=0, dtype=np.float64)
        self.squares = self.squares + (means**2 + deviations**2).sum(axis=0, dtype=np.float64)
        self.highest = np.maximum(self.highest, (means + deviations).max(axis=0))
        self.lowest = np.minimum(self.lowest, (means - deviations).min(axis=0))

    def dead(self) -> np.ndarray:
        """bool (d,)"""
        variance = np.maximum(self.squares / self.count - (self.total / self.count) ** 2, 0)
        # a deviation above the mean means a value below 0 only where values are signed
        lowest = np.where((self.lowest < 0) & (self.total >= 0), 0, self.lowest) if self._rectified() else self.lowest
        return units.dead(self.highest, lowest, variance)

    def _rectified(self) -> bool:
        """Whether the means of a whole layer are never negative: then its values are taken to be so too."""
        return bool(np.all(np.asarray(self.total) >= 0))


@dataclass(frozen=True, kw_only=True)
class DataPass:
    """kept: rows (n <= KEPT, d) of every place; input: rows of the raw input; measured: the documents'
    "units", "geometry" and "probe" by place; grams: of every place what `geometry.cka_matrix` compares."""

    kept: dict[str, np.ndarray]
    input: np.ndarray
    labels: np.ndarray | None
    measured: dict[str, dict[str, Any]]
    grams: dict[str, np.ndarray]


def data_pass(
    watch: Watch, batches, labels: np.ndarray | None, channels: dict[str, int], *, seed: int, most: int = KEPT
) -> DataPass:
    """Run over all batches once; memory does not grow with their number. most: rows that are kept.

    labels: class numbers in the order of the batches, or None.  channels: features of each place
    (its rows hold their means first, then their deviations).
    """
    kept: dict[str, list[np.ndarray]] = {}
    inputs, sums, seen, tokens = [], {key: Units() for key in channels}, 0, False
    solver: _Solver | None = None
    # one thread for each factorisation and several of them at once: they are small
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in batches:
            rows = watch.rows(*batch)
            for key, values in rows.items():
                d = channels[key]
                spread = values[:, d : 2 * d] if values.shape[1] >= 2 * d else np.zeros_like(values[:, :d])
                sums[key].add(values[:, :d], spread)
                if seen < most:
                    kept.setdefault(key, []).append(values)
            if seen < most:
                tokens = _are_tokens(batch[0])
                inputs.append(raw(batch[0], batch[2]))
            seen += batch[2]
            if seen >= most and solver is None:  # all rows are there: they are solved while the pass goes on
                solver = _Solver(pool, kept, inputs, labels, most, tokens, seed)
        solver = solver or _Solver(pool, kept, inputs, labels, most, tokens, seed)
        units_of = {
            key: pool.submit(_units, sums[key], values, solver.labels, channels[key])
            for key, values in solver.rows.items()
        }
        solved = {key: future.result() for key, future in solver.solving.items()}
        measured = {key: {"units": units_of[key].result(), **found} for key, (found, _) in solved.items()}
    return DataPass(
        kept=solver.rows,
        input=solver.input,
        labels=solver.labels,
        measured=measured,
        grams={key: gram for key, (_, gram) in solved.items()},
    )


class _Solver:
    """Probes and geometry of the kept rows, place by place in the threads of a pool."""

    def __init__(self, pool: ThreadPoolExecutor, kept, inputs, labels, most: int, tokens: bool, seed: int):
        self.rows = {key: np.concatenate(parts)[:most] for key, parts in kept.items()}
        kept.clear()
        joined = np.concatenate(inputs)[:most]
        self.input = _counted(joined) if tokens else joined
        self.labels = None if labels is None else labels[: len(self.input)]
        self.shared = pool.submit(self._shared, seed)
        self.solving: dict[str, Future] = {key: pool.submit(self._solved, key) for key in self.rows}

    def _shared(self, seed: int):
        """What all places are compared with: Gram matrices of input and labels, and control labels."""
        known = self.labels
        control = None if known is None else probes.control_labels(probes.control_types(self.input), known, seed)
        labels = None if known is None else geometry.Cloud(np.eye(known.max() + 1)[known]).gram(COMPARED)
        return geometry.Cloud(self.input).gram(COMPARED), labels, control

    def _solved(self, key: str) -> tuple[dict[str, Any], np.ndarray]:
        given, named, control = self.shared.result()
        values, known = self.rows[key], self.labels
        cloud = geometry.Cloud(values)
        gram = cloud.gram(COMPARED)
        shape = {
            "effective_rank": cloud.effective_rank(),
            "intrinsic_dimension": cloud.intrinsic_dimension(),
            "cka_input": geometry.cka(gram, given),
            "cka_labels": None if named is None else geometry.cka(gram, named),
            "nc1": None if known is None else geometry.nc1(values, known),
        }
        return {
            "geometry": shape,
            "probe": None if known is None else _probe(values, known, control),
        }, geometry.unit(gram)


def raw(x, count: int) -> np.ndarray:
    """The input itself as rows (count, d): what a linear reader has before any layer. Large pictures by every k-th pixel."""
    parts = []
    for values in keras.tree.flatten(x):
        values = np.asarray(values[:count])
        if values.ndim == 4:
            step = max(1, values.shape[1] // 48)
            values = values[:, ::step, ::step]
        parts.append(np.nan_to_num(values.reshape(count, -1).astype(np.float32)))
    return np.concatenate(parts, axis=1)


def raw_of(read: Read, chosen: np.ndarray, size: int = 64) -> np.ndarray:
    """`raw` of the chosen examples, some at a time: hundreds of whole pictures may be gigabytes."""
    cuts = (chosen[at : at + size] for at in range(0, len(chosen), size))
    return np.concatenate([raw(read(rows), len(rows)) for rows in cuts])


def _are_tokens(x) -> bool:
    values = np.asarray(keras.tree.flatten(x)[0])
    return values.ndim == 2 and "int" in str(values.dtype)


def _counted(ids: np.ndarray) -> np.ndarray:
    """How often each token stands in each example: as numbers, ids mean nothing."""
    known, codes = np.unique(ids, return_inverse=True)
    counts = np.zeros((len(ids), len(known)), np.float32)
    np.add.at(counts, (np.arange(len(ids))[:, None], codes.reshape(ids.shape)), 1)
    return counts[:, known != 0]  # 0 is padding


def _units(sums: Units, values: np.ndarray, labels: np.ndarray | None, d: int) -> dict[str, Any]:
    dead = sums.dead()
    selectivity = None
    if labels is not None:
        means = np.stack([values[labels == c, :d].mean(axis=0) for c in np.unique(labels)])
        indices = units.class_selectivity(means)
        selectivity = float(np.nanmean(indices)) if np.isfinite(indices).any() else None
    return {
        "count": d,
        "dead": int(dead.sum()),
        "dead_units": np.flatnonzero(dead).tolist()[:100],
        "dead_bound": units.dead_bound(sums.count),
        "duplicates": int(units.duplicates(values[:, :d], dead)),
        "selectivity": selectivity,
    }


def _probe(values: np.ndarray, labels: np.ndarray, control: np.ndarray) -> dict[str, Any]:
    ridge = Ridge(values)
    correct = ridge.correct(labels)
    low, high = intervals.interval(correct)
    return {
        "accuracy": float(correct.mean()),
        "low": low,
        "high": high,
        "control": float(ridge.correct(control).mean()),
        "chance": probes.majority(labels),
        "n": len(labels),
    }
