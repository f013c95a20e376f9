"""How smoothly a generator follows its noise, or a decoder its code: the path length (Karras et al., 2019)."""

from collections.abc import Callable

import numpy as np
from keras import ops

from dlcli.inspection.gradients import seen
from dlcli.inspection.view import Finding, View
from dlcli.lenses import footprint

BUDGET = "standard"
FAMILIES = ("gan", "autoencoder")
EXAMPLES = 128
# A step along the way from one code to another. Karras takes 1e-4, below what float32 tells apart in pixels.
STEP = 1e-2


def look(view: View) -> Finding | None:
    x, places = view.examples(EXAMPLES), footprint.generating(view)
    if x is None or not places:
        return None
    model, key = view.subject.model, places[0].key
    codes = seen(model, x, [key])[key] if key else footprint.noise_of(x)
    if codes.ndim != 2 or len(codes) < 2:
        return None
    # what goes in does not matter beyond the noise: the codes are put in its place
    length, apart = path_length(
        lambda z: footprint.pictures(model, x, {key: lambda before: ops.cast(z, before.dtype)}),
        codes,
        np.random.default_rng([view.seed, 15]),
    )
    name = "noise" if not key else places[0].layer
    table = {
        "title": "Path length",
        "columns": ["between two of", "PPL", "straight", "detour"],
        "rows": [[name, round(length, 3), round(apart, 3), round(length / max(apart, 1e-12), 2)]],
        "note": f"Over {len(codes)} pairs. A detour of 1: the picture changes evenly and straight from one to the other, as "
        "a linear generator's does; much more: it changes by leaps, or passes through other pictures.",
    }
    finding = Finding(tables=[table], methods=[_METHOD])
    if key:
        finding.own[places[0].name] = {"PPL": round(length, 3)}
    return finding


def path_length(generate: Callable, codes: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """E |G(z_(t + step)) - G(z_t)|^2 / step^2 over pairs of codes (n, Z) and t in [0, 1), and E |G(z_1) - G(z_0)|^2.

    generate: codes (n, Z) -> pictures (n, H, W, C).  z_t runs straight from one code to the other.
    """
    ends = codes[_derangement(len(codes), rng)]
    t = rng.random((len(codes), 1)) * (1 - STEP)

    def squared(first, second):
        moved = [generate((codes + share * (ends - codes)).astype(np.float32)) for share in (first, second)]
        return ((moved[1] - moved[0]) ** 2).reshape(len(codes), -1).sum(axis=1).mean()

    return float(squared(t, t + STEP) / STEP**2), float(squared(0.0, 1.0))


def _derangement(n: int, rng: np.random.Generator) -> np.ndarray:
    """Everyone's partner, nobody being their own."""
    order = rng.permutation(n)
    partner = np.empty(n, int)
    partner[order] = np.roll(order, 1)
    return partner


_METHOD = {
    "name": "path length",
    "formula": f"E |G(z_(t + e)) - G(z_t)|^2 / e^2, e = {STEP:g}, z_t = (1 - t) z_0 + t z_1, pairs of examples' codes; squared "
    "distance of all pixels, since there is no perceptual network here; straight: E |G(z_1) - G(z_0)|^2",
    "source": "Karras, Laine & Aila, 2019",
}
