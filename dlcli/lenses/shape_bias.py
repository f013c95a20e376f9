"""By what a layer tells things apart where the cues disagree: by their shape or by their surface.

Networks for photographs lean on texture (Geirhos et al., 2019). A reader learns from a layer's features which
is which from figures whose outline and surface say the same; then it is asked about figures in which they differ.
"""

import numpy as np

from dlcli.inspection import strip, units
from dlcli.inspection.probes import Ridge, interval
from dlcli.inspection.rows import raw
from dlcli.inspection.subject import batches
from dlcli.inspection.view import Finding, View
from dlcli.stimuli import _cues

BUDGET = "standard"
FAMILIES = ("cnn", "transformer", "autoencoder")
STIMULI, FEWER = 480, 320
# What is known where both agree, beyond guessing and at the lower end of its interval, before a layer is asked.
KNOWN = 0.05
_DRAWS = 400


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
    seen = [("input", None, raw(read(np.arange(len(level.y))), len(level.y)))]
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
    learned and asked in turn. Every answer is about a picture that the reader did not learn from.
    """
    shape, surface = _cues.parts(y)
    right, by_shape, by_surface, asked = [], [], [], []
    for shift in range(_cues.KINDS):
        named = (surface + shift) % _cues.KINDS  # what the surface says
        agree = shape == named
        ridge, differ = Ridge(features[agree]), np.flatnonzero(~agree)
        right.append(ridge.correct(shape[agree]))
        answers = ridge.predict(shape[agree], features[differ])
        asked.append(differ)
        by_shape.append(answers == shape[differ])
        by_surface.append(answers == named[differ])
    right = np.concatenate(right)
    if interval(right)[0] < 1 / _cues.KINDS + KNOWN:
        return {"known": float(right.mean()), "shape": None}
    # answers about one picture are not independent: the pictures are drawn again, with all their answers
    counts = np.zeros((3, len(y)))
    for rows, first, second in zip(asked, by_shape, by_surface, strict=True):
        counts[:, rows] += first, second, np.ones(len(rows))
    weights = np.vstack([np.ones(len(y)), rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=_DRAWS)])
    found = share(*(weights @ one for one in counts))
    if np.isnan(found[0]):
        return {"known": float(right.mean()), "shape": None}
    low, high = np.nanquantile(found, [0.025, 0.975])
    return {"known": float(right.mean()), "shape": (float(found[0]), float(low), float(high))}


def share(shape: np.ndarray, surface: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Of counts (n,) of answers by shape, by surface and in all, the share by shape of those by either, in 0..1.

    A guess names each kind equally often, so one of the KINDS - 2 that are neither tells how many of the answers
    by shape, and by surface, were guesses: they are taken off both.  NaN where next to nothing is left.
    """
    guesses = (asked - shape - surface) / (_cues.KINDS - 2)
    left = shape + surface - 2 * guesses
    return np.where(left > KNOWN * asked, np.clip((shape - guesses) / np.maximum(left, 1e-12), 0, 1), np.nan)


def variance(features: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Mean over units of the share of their variance that the shape and the surface explain (omega squared)."""
    found = (np.nan_to_num(units.omega_squared(features, part)[0]) for part in _cues.parts(y))
    return tuple(max(0.0, float(one.mean())) for one in found)


_METHOD = {
    "name": "shape bias",
    "formula": "ridge regression on figures whose shape and surface agree answers for ones in which they differ: "
    f"(s - g) / (s + t - 2 g) of the answers s by shape and t by surface over all {_cues.KINDS} pairings, with g = those by neither "
    f"/ {_cues.KINDS - 2}, which is what guesses add to each; interval by drawing the pictures again",
    "source": "Geirhos et al., 2019 (cue conflict); Islam et al., 2021 (shares of variance by layer)",
}
