"""The code of an autoencoder: which numbers are used, what they stand for, and which detail is lost."""

from typing import Any

import numpy as np
from keras import ops

from dlcli.inspection.gradients import run, seen
from dlcli.inspection.subject import batches
from dlcli.inspection.tap import Visit
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _drawing, _factors, _placed
from dlcli.stimuli._level import Level

BUDGET = "standard"
FAMILIES = ("autoencoder",)
EXAMPLES = 512
# Variance over examples from which a number of the code counts as used (Burda et al., 2016).
ACTIVE = 0.01
_STIMULI = 600
_STEPS = np.linspace(-2, 2, 7)
_BANDS = ((0, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2), (1 / 2, 1))


def look(view: View) -> Finding | None:
    place, codes = code(view)
    x = view.examples(EXAMPLES)
    if place is None or x is None:
        return None
    model = view.subject.model
    means = encoded(model, x, codes.key, view.batch_size)
    finding = Finding()
    own = finding.own.setdefault(place, {})
    own["active"] = f"{active(means)}/{means.shape[1]}"
    finding.methods.append(_METHODS["active"])
    divergences = divergence(view, x)
    if divergences is not None:
        own["KL"] = round(float(divergences.sum()), 2)
        finding.methods.append(_METHODS["KL"])
    order = np.argsort(-(means.var(axis=0) if divergences is None else divergences), kind="stable")
    finding.tables.append(_used(means, divergences, order))
    if _drawing.drawable(x):
        _factor_scores(view, codes.key, finding, own)
        output = ops.convert_to_numpy(model(x, training=False))
        # a scale that nobody knows is that of a denoiser's input: not what it shall give back
        if output.shape == x.shape and np.ndim(_drawing.scale(x)[0]) == 0:
            finding.tables.append(_by_band(x, output))
            finding.methods.append(_METHODS["bands"])
        if _drawing.drawable(output):
            finding.pictures[""] = [_traversals(model, x, codes.key, means, order[:4])]
    return finding


def code(view: View) -> tuple[str | None, Visit | None]:
    """Name of the narrowest place without positions, and the visit whose output the decoder reads: a layer
    called "latent" behind it, where there is one (it draws when training, and gives the mean otherwise)."""
    visits = {visit.key: visit for visit in view.visits}
    flat = [place for place in view.places if len(visits[place.key].output.shape) == 2]
    if not flat:
        return None, None
    place = min(flat, key=lambda one: visits[one.key].output.shape[-1])
    width = visits[place.key].output.shape[-1]
    for visit in view.visits:
        if visit.layer.name in ("latent", "z", "sampling") and tuple(getattr(visit.output, "shape", ()))[1:] == (
            width,
        ):
            return place.name, visit
    return place.name, visits[place.key]


def encoded(model, x, key: str, size: int) -> np.ndarray:
    """Codes (n, Z) of examples."""
    return np.concatenate([seen(model, batch, [key])[key] for batch in _placed.batches(x, size)])


def active(means: np.ndarray) -> int:
    """How many numbers of the code vary from example to example: #{j : Var_x E[z_j | x] > 0.01}."""
    return int((means.var(axis=0) > ACTIVE).sum())


def divergence(view: View, x) -> np.ndarray | None:
    """Mean KL (Z,) in nats of each number from the standard normal; None for a code that is not drawn."""
    spread = [visit for visit in view.visits if "log_var" in visit.layer.name or "logvar" in visit.layer.name]
    if not spread:
        return None
    place, found = code(view)
    key = next((p.key for p in view.places if p.name == place), found.key)
    # the places beside each other: mean and log variance, of which the narrowest found may be either
    pair = {key, spread[0].key} if key != spread[0].key else {found.key, spread[0].key}
    parts = [seen(view.subject.model, batch, list(pair)) for batch in _placed.batches(x, view.batch_size)]
    joined = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    variance = np.clip(joined.pop(spread[0].key), -20, 20)
    mean = next(iter(joined.values()), None)
    if mean is None or mean.shape != variance.shape:
        return None
    return 0.5 * (mean**2 + np.exp(variance) - 1 - variance).mean(axis=0)


def bands(x: np.ndarray, output: np.ndarray) -> list[tuple[float, float]]:
    """Share of the pictures' power (n, H, W, C) that is missing or wrong, and share of all power, in four bands of
    frequency (in shares of the highest, 0.5 cycles per pixel); the mean of each picture is left out."""
    x, output = (values - values.mean(axis=(1, 2), keepdims=True) for values in (x, output))
    there, wrong = ((np.abs(np.fft.fft2(values, axes=(1, 2))) ** 2).sum(axis=(0, 3)) for values in (x, output - x))
    rows, columns = (np.fft.fftfreq(side) for side in x.shape[1:3])
    radius = np.maximum(np.abs(rows)[:, None], np.abs(columns)[None]) / 0.5
    inside = [(radius > low) & (radius <= high) for low, high in _BANDS]
    return [
        (float(wrong[band].sum() / max(there[band].sum(), 1e-12)), float(there[band].sum() / max(there.sum(), 1e-12)))
        for band in inside
    ]


def drawn(n: int, height: int, width: int, channels: int, seed: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Discs and squares on black, uint8 (n, H, W, C), and their factors (n, 5), integers, independent of each other."""
    names = ("x", "y", "size", "brightness", "shape")
    factors = np.random.default_rng([seed, 12]).integers(0, (6, 6, 4, 4, 2), size=(n, 5))
    side = min(height, width)
    x, y = (0.3 + 0.4 * factors[:, i, None, None] / 5 for i in (0, 1))
    radius = side * (0.1 + 0.05 * factors[:, 2, None, None])
    across = np.abs(np.arange(width)[None, None, :] + 0.5 - x * width)
    down = np.abs(np.arange(height)[None, :, None] + 0.5 - y * height)
    # a square of the disc's area: size shall not tell the shape
    distance = np.where(
        factors[:, 4, None, None] == 0, np.hypot(across, down) - radius, np.maximum(across, down) - radius * 0.886
    )
    light = (90 + 55 * factors[:, 3, None, None]) * np.clip(0.5 - distance, 0, 1)
    return np.repeat(np.round(light).astype(np.uint8)[..., None], channels, axis=3), factors, names


def _factor_scores(view: View, key: str, finding: Finding, own: dict[str, Any]) -> None:
    """MIG, DCI and what each factor is told by, on drawn pictures."""
    if view.subject.stimuli is None or view.subject.stimuli.entry != "pictures":
        return
    make = view.subject.stimuli.make
    pixels, factors, names = drawn(_STIMULI, make["height"], make["width"], make["channels"], view.seed)
    level = Level(name="factors", x=pixels, y=factors[:, 4], names=("disc", "square"), control=factors[:, 0])
    read, _ = view.subject.stimuli.feed(level)
    parts = batches(read, len(pixels), None, view.batch_size)
    codes = np.concatenate([seen(view.subject.model, x, [key])[key][:count] for x, _, count in parts])
    shared, entropies = _factors.information(codes, factors)
    own["MIG"] = round(_factors.mig(shared, entropies), 3)
    own["DCI D/C"] = f"{_factors.disentanglement(shared):.2f}/{_factors.completeness(shared):.2f}"
    best = shared.argsort(axis=0)[::-1]
    finding.tables.append(
        {
            "title": "What the code stands for",
            "columns": ["factor", "best number", "its share", "second", "its share"],
            "rows": [
                [name, int(best[0, k]), _part(shared, entropies, best[0, k], k)]
                + ([int(best[1, k]), _part(shared, entropies, best[1, k], k)] if len(best) > 1 else [None, None])
                for k, name in enumerate(names)
            ],
            "note": f"Of {_STIMULI} drawn pictures, discs and squares: share of a factor's entropy that one number of "
            "the code tells, beyond chance.",
        }
    )
    finding.methods.append(_METHODS["factors"])


def _part(shared: np.ndarray, entropies: np.ndarray, j: int, k: int) -> float:
    return round(float(shared[j, k] / entropies[k]), 2)


def _used(means: np.ndarray, divergences: np.ndarray | None, order: np.ndarray) -> dict[str, Any]:
    variance = means.var(axis=0)
    return {
        "title": "Numbers of the code",
        "columns": ["number", "variance of the mean", *([] if divergences is None else ["KL (nats)"])],
        "rows": [
            [int(j), round(float(variance[j]), 4), *([] if divergences is None else [round(float(divergences[j]), 3)])]
            for j in order[:16]
        ],
        "note": f"{active(means)} of {len(variance)} vary by more than {ACTIVE:g} over {len(means)} examples.",
    }


def _by_band(x, output) -> dict[str, Any]:
    # both to 0..1, each by its own scale: 255 goes in where 1 comes out
    x, output = (_drawing.visible(values).astype(np.float64) / 255 for values in (x, output))
    return {
        "title": "What the code loses, by frequency",
        "columns": ["cycles per pixel", "error / power", "share of all power"],
        "rows": [
            [f"{low / 2:.3f} to {high / 2:.3f}", round(error, 3), round(share, 3)]
            for (low, high), (error, share) in zip(_BANDS, bands(x, output), strict=True)
        ],
        "note": "Squared error over the power of the pictures that went in: 0 is perfect, 1 is as bad as grey.",
    }


def _traversals(model, x, key: str, means: np.ndarray, chosen: np.ndarray) -> dict[str, str]:
    """One number of a median example's code moved from -2 to 2 deviations, the others kept."""
    start = means[np.argsort(((means - means.mean(axis=0)) ** 2).sum(axis=1))[len(means) // 2]]
    codes = np.tile(start, (len(chosen) * len(_STEPS), 1)).astype(np.float32)
    for row, j in enumerate(chosen):
        codes[row * len(_STEPS) : (row + 1) * len(_STEPS), j] = means[:, j].mean() + _STEPS * means[:, j].std()
    # what goes in does not matter: the code is put in its place
    filler = np.resize(x, (len(codes), *x.shape[1:]))
    output = ops.convert_to_numpy(run(model, filler, {key: lambda before: ops.cast(codes, before.dtype)}))
    tiles = list(_drawing.visible(output))
    rows = [tiles[i : i + len(_STEPS)] for i in range(0, len(tiles), len(_STEPS))]
    names = ", ".join(str(j) for j in chosen)
    return _drawing.picture(
        "traversals",
        _drawing.sheet(rows, 48),
        caption=f"Numbers {names} of the code, one per row, from -2 to 2 deviations around their mean; the other "
        "numbers are those of one example.",
        alt=f"What the decoder draws when numbers {names} of the code change",
    )


_METHODS = {
    "active": {
        "name": "active numbers of a code",
        "formula": "#{j : Var_x E[z_j | x] > 0.01}",
        "source": "Burda, Grosse & Salakhutdinov, 2016",
    },
    "KL": {
        "name": "KL of a code",
        "formula": "(mean^2 + variance - 1 - log variance) / 2 per number, in nats, mean over examples",
        "source": "Kingma & Welling, 2014",
    },
    "factors": {
        "name": "MIG and DCI",
        "formula": "I = mutual information of 20 equally full bins of a number with a factor, less that with shuffled "
        "factors; MIG = mean (I_1 - I_2) / H; D, C = 1 - entropy of I over factors, over numbers",
        "source": "Chen et al., 2018; Eastwood & Williams, 2018, with I as the importance",
    },
    "bands": {
        "name": "error by frequency",
        "formula": "sum |F(x - y)|^2 / sum |F(x)|^2 within a band",
        "source": "",
    },
}
