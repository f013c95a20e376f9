"""Is a level used, not only present: erase it from the layer that gained it, and see what that costs.

What a probe reads off a layer may be of no use to the rest of the network. So the level is erased from
the layer's channels, linearly, and the rest is run on; erasing as many random directions is the yardstick.
"""

import numpy as np
from keras import ops

from dlcli.inspection import erasure
from dlcli.inspection.gradients import run, seen
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _placed, _scores

BUDGET = "deep"
FAMILIES = ("cnn", "transformer", "rnn")
EXAMPLES = 256
GAINED, PAIRS, RANDOM = 0.05, 8, 3
POSITIONS = 2000


def look(view: View) -> Finding | None:
    pairs = gained(view)
    x = view.examples(EXAMPLES)
    if not pairs or x is None:
        return None
    if len(view.subject.model.outputs) != 1:
        return None
    given = predicted(view, x, None, None)
    labels = _labels(view, given)
    measure, unit = (_accuracy_drop, "points of accuracy") if labels is not None else _change(view, given)
    rows = []
    for level, number in pairs:
        place = view.places[number]
        projection, rank, random = projections(view, level.name, place.key, x)
        if not rank:
            continue
        drop = measure(given, predicted(view, x, place.key, projection), labels)
        others = [measure(given, predicted(view, x, place.key, one), labels) for one in random]
        rows.append([level.name, place.layer, round(drop, 3), round(float(np.mean(others)), 3), rank])
    if not rows:
        return None
    table = {
        "title": "Levels that are used",
        "columns": ["level", "erased at", f"drop ({unit})", "drop, random", "directions"],
        "rows": rows,
        "note": f"On {len(given)} examples; random: as many random directions erased, mean of {RANDOM}. A level is used "
        "where its drop is the larger one.",
    }
    method = {
        "name": "erasure",
        "formula": "x - S^(1/2) Q Q' S^(-1/2) (x - mean) at every position, Q the directions of S^(-1/2) cov(stimuli's features, "
        "level), S the covariance of positions of the data and of stimuli",
        "source": "Belrose et al., 2023 (LEACE)",
    }
    return Finding(tables=[table], methods=[method])


def gained(view: View) -> list[tuple]:
    """(level, number of the place) of the largest gains; of a network's last layer nothing is left to run."""
    if view.strip is None:
        return []
    found = [
        (level, i)
        for level in view.strip.hierarchy.levels
        for i in range(len(view.places) - 1)
        if level.gain[i] > GAINED and view.places[i].axis == -1
    ]
    return sorted(found, key=lambda pair: -pair[0].gain[pair[1]])[:PAIRS]


def projections(view: View, level: str, key: str, x) -> tuple[tuple, int, list[tuple]]:
    """(mean, matrix) that erases a level from a place's channels, how many directions that takes, and as many
    random ones, some times over.

    Any whitening erases what the stimuli's label is told by; that of the user's own data changes them least. With
    the stimuli's alone, directions in which those hardly vary would be blown up, random ones most of all.
    """
    stimuli = next(one for one in view.strip.levels if one.name == level)
    visit = next(visit for visit in view.visits if visit.key == key)
    rows = view.strip.rows[level][key][:, : visit.output.shape[-1]].astype(np.float64)  # the means come first
    batch = next(_placed.batches(x, view.batch_size))
    own = seen(view.subject.model, batch, [key])[key].reshape(-1, rows.shape[1]).astype(np.float64)
    own = own[np.random.default_rng(view.seed).permutation(len(own))[:POSITIONS]]
    mean = own.mean(axis=0)
    # both around 0, and a label of their own for the user's: it goes with no direction
    joined = np.concatenate([rows - rows.mean(axis=0), own - mean])
    _, matrix = erasure.leace(joined, np.concatenate([stimuli.y, np.full(len(own), -1)]))
    rank = round(len(matrix) - np.trace(matrix))  # a projection's trace is its rank
    random = [erasure.random_erasure(joined, rank, seed)[1] for seed in range(view.seed, view.seed + RANDOM)]
    return (mean, matrix), rank, [(mean, one) for one in random]


def predicted(view: View, x, key: str | None, projection: tuple | None) -> np.ndarray:
    """The model's outputs (n, ...) with one place's channels projected at every position."""
    changes = {}
    if projection is not None:
        mean, matrix = (np.asarray(part, np.float32) for part in projection)

        def erased(values):
            kept = ops.matmul(ops.cast(values, "float32") - mean, np.ascontiguousarray(matrix.T)) + mean
            return ops.cast(kept, values.dtype)

        changes[key] = erased
    parts = [run(view.subject.model, batch, changes) for batch in _placed.batches(x, view.batch_size)]
    return np.concatenate([np.asarray(ops.convert_to_numpy(part), np.float32) for part in parts])


def _labels(view: View, given: np.ndarray) -> np.ndarray | None:
    """The user's labels, where the outputs are answers to them."""
    labels = view.subject.labels
    fits = (
        labels is not None and given.ndim == 2 and given.shape[1] >= 2 and len(view.subject.classes) == given.shape[1]
    )
    return labels[: len(given)] if fits and view.subject.read is not None else None


def _accuracy_drop(before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> float:
    """In points, 0 to 100."""
    return float(100 * ((before.argmax(axis=1) == labels).mean() - (after.argmax(axis=1) == labels).mean()))


def _change(view: View, given: np.ndarray):
    """How much outputs without labels changed: divergence of distributions, or squared change over their variance."""
    many = given.shape[-1] > 2
    tokens = "int" in str(view.subject.model.inputs[0].dtype)
    # scores of three dimensions are logits of the next token where ids go in, else a forecast
    if many and (_scores.is_distribution(given) or (given.ndim == 3 and tokens)):
        return lambda a, b, _: float(
            _scores.divergence(_scores.log_probabilities(a), _scores.log_probabilities(b)).mean()
        ), "KL, nats"
    return lambda a, b, _: float(((a - b) ** 2).mean() / max(a.var(), 1e-12)), "squared change / variance"
