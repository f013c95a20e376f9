"""By what a layer tells things apart where the cues disagree: by their shape or by their surface.

Networks for photographs lean on texture (Geirhos et al., 2019). A reader learns from a layer's features which
is which from figures whose outline and surface say the same; then it is asked about figures in which they differ.
"""

from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from dlcli.inspection import strip, units
from dlcli.inspection.probes import Ridge
from dlcli.inspection.rows import raw_of
from dlcli.inspection.subject import batches
from dlcli.inspection.view import Finding, View
from dlcli.metrics import interval
from dlcli.stimuli import _cues
from dlcli.store import each

BUDGET = "standard"
FAMILIES = ("cnn", "transformer", "autoencoder")
STIMULI, FEWER = 480, 320
# What is known where both agree, beyond guessing and at the lower end of its interval, before a layer is asked.
KNOWN = 0.05
# Groups of pictures that are left out in turn, and Student's quantile for 95 % with that many.
_GROUPS, _QUANTILE = 12, 2.201


def look(view: View) -> Finding | None:
    stimuli = view.subject.stimuli
    if view.strip is None or stimuli is None or stimuli.entry != "pictures":
        return None
    if min(stimuli.make["height"], stimuli.make["width"]) < _cues.SMALLEST:
        return None
    heavy = len(view.strip.levels[0].y) < strip.STIMULI
    level = _cues.cues(**stimuli.make, n=FEWER if heavy else STIMULI, seed=view.seed)
    read, at = stimuli.feed(level)
    found = view.watch.gathered(batches(read, len(level.y), at, view.batch_size))
    rows, finding, last = [], Finding(methods=[_METHOD]), None
    seen = [("input", None, raw_of(read, np.arange(len(level.y))))]
    for layer, name, features in seen + [(place.layer, place.name, found[place.key]) for place in view.places]:
        bias = decided(features, level.y, np.random.default_rng([view.seed, 19]))
        explained = [f"{part:.0%}" for part in variance(features, level.y)]
        told = [f"{bias['known']:.2f}", *(["–"] * 3 if bias["shape"] is None else [f"{v:.2f}" for v in bias["shape"]])]
        rows.append([layer, *told, *explained])
        if name is not None and bias["shape"] is not None:
            finding.own[name] = {"shape bias": round(bias["shape"][0], 2)}
            last = (layer, bias["shape"])
    said = "No layer tells either well enough."
    if last is not None:
        layer, (share, low, high) = last
        said = f"At {layer}, {share:.0%} ({low:.0%} to {high:.0%}) of the answers go by the shape and the others by the surface."
    finding.tables.append(
        {
            "title": "Shape against surface",
            "columns": ["layer", "known", "by shape", "low", "high", "shape", "surface"],
            "rows": rows,
            "note": f"{said} known: held-out accuracy where both agree (guessing: {1 / _cues.KINDS:.2f}); by shape: of the answers "
            "beyond guessing where they differ; shape, surface: share of the units' variance. How strong the two are "
            "in the pictures is a choice: compare layers and networks, not with 0.5.",
        }
    )
    return finding


def decided(features: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> dict:
    """known: held-out accuracy where shape and surface agree.  shape: share of the answers by shape among those by
    either, where they differ, with its 95 % interval; None where what agrees is not known beyond chance, or
    what differs is only guessed at.

    Which surface agrees with which shape is arbitrary: each of the KINDS shifts of one against the other is
    learned and asked in turn. Every answer is about a picture that the reader did not learn from.  Other pictures
    would make other readers as well, so the interval leaves out groups of pictures from both (a jackknife).
    """
    right = np.concatenate([Ridge(features[agree]).correct(shape[agree]) for shape, _, agree in _pairings(y)])
    known = float(right.mean())
    if interval(right)[0] < 1 / _cues.KINDS + KNOWN:
        return {"known": known, "shape": None}
    found = share(*answers(features, y))
    if np.isnan(found):
        return {"known": known, "shape": None}
    kept = _without_each(y, rng)
    with threadpool_limits(1):
        counts = each(lambda rows: answers(features[rows], y[rows]), kept, parallel=True)
    others = np.array([share(*one) for one in counts])
    error = np.sqrt((_GROUPS - 1) / _GROUPS * ((others - others.mean()) ** 2).sum())
    # a group whose absence leaves nothing but guesses: nothing is known
    half = 1.0 if np.isnan(error) else _QUANTILE * error
    told = np.clip([found, found - half, found + half], 0, 1)
    return {"known": known, "shape": tuple(float(value) for value in told)}


def answers(features: np.ndarray, y: np.ndarray) -> tuple[int, int, int]:
    """How many answers are by shape, by surface and in all, where a reader of those that agree is asked about the others."""
    by_shape = by_surface = asked = 0
    for shape, named, agree in _pairings(y):
        said = Ridge(features[agree]).predict(shape[agree], features[~agree])
        by_shape += int((said == shape[~agree]).sum())
        by_surface += int((said == named[~agree]).sum())
        asked += len(said)
    return by_shape, by_surface, asked


def share(shape: int, surface: int, asked: int) -> float:
    """Of counts of answers by shape, by surface and in all, the share by shape of those by either.

    A guess names each kind equally often, so one of the KINDS - 2 that are neither tells how many of the answers
    by shape, and by surface, were guesses: they are taken off both.  NaN where next to nothing is left.
    """
    guesses = (asked - shape - surface) / (_cues.KINDS - 2)
    left = shape + surface - 2 * guesses
    return (shape - guesses) / left if left > KNOWN * asked else float("nan")


def _pairings(y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of every shift: the shape (n,), the shape that the surface speaks for (n,), and whether they agree (n,)."""
    shape, surface = _cues.parts(y)
    for shift in range(_cues.KINDS):
        named = (surface + shift) % _cues.KINDS
        yield shape, named, shape == named


def _without_each(y: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows that are left without each of the groups, over which every kind of figure is spread evenly."""
    shuffled = rng.permutation(len(y))
    group = np.empty(len(y), int)
    group[shuffled[np.argsort(y[shuffled], kind="stable")]] = np.arange(len(y)) % _GROUPS
    return [np.flatnonzero(group != number) for number in range(_GROUPS)]


def variance(features: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Mean over units of the share of their variance that the shape and the surface explain (omega squared)."""
    found = (np.nan_to_num(units.omega_squared(features, part)[0]) for part in _cues.parts(y))
    return tuple(max(0.0, float(one.mean())) for one in found)


_METHOD = {
    "name": "shape bias",
    "formula": "ridge regression on figures whose shape and surface agree answers for ones in which they differ: "
    f"(s - g) / (s + t - 2 g) of the answers s by shape and t by surface over all {_cues.KINDS} pairings, with g = those by neither "
    f"/ {_cues.KINDS - 2}, which is what guesses add to each; interval by leaving out each of {_GROUPS} groups of pictures, of those learned from and "
    "of those asked about (jackknife)",
    "source": "Geirhos et al., 2019 (cue conflict); Islam et al., 2021 (shares of variance by layer)",
}
