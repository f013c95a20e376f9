"""How much of the picture a unit in the middle really depends on: the effective receptive field (Luo et al., 2016)."""

import numpy as np
from keras import ops

from dlcli.inspection.gradients import gradients
from dlcli.inspection.tap import Tap
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _drawing, _placed

BUDGET = "deep"
FAMILIES = ("cnn", "autoencoder")
EXAMPLES = 16
_SIDE = 64


def look(view: View) -> Finding | None:
    x, places = view.examples(EXAMPLES), _placed.maps(view)
    if not _drawing.drawable(x) or not places:
        return None
    finding, tiles = Finding(), []
    for place in places:
        mass = field(view.subject.model, x, place.key, seed=view.seed)
        side = _placed.side_of_mass(mass)
        finding.own[place.name] = {"eff. RF": side or None}
        # the square root: else the middle is all that is seen
        tiles.append(np.round(255 * np.sqrt(mass / max(mass.max(), 1e-30))).astype(np.uint8)[..., None])
    finding.pictures[""] = [
        _drawing.picture(
            "effective receptive fields",
            _drawing.sheet([tiles[i : i + 8] for i in range(0, len(tiles), 8)], _SIDE),
            caption=f"Of the middle of each of the {len(tiles)} places with maps, in order of depth, over the whole "
            "picture; brightness is the square root of the dependence, each by its own largest.",
            alt="Bright spots that grow with depth",
        )
    ]
    finding.methods.append(
        {
            "name": "effective receptive field",
            "formula": f"mean over {len(x)} examples of |d(v . y) / dx|, y the features at the middle of a layer, v random "
            "signs; side of the smallest square that holds 95 % of it",
            "source": "Luo et al., 2016",
        }
    )
    return finding


def field(model, x, key: str, *, seed: int) -> np.ndarray:
    """How much each pixel (H, W) moves the middle unit of one layer: mean over examples, sum over colours."""
    rng = np.random.default_rng([seed, 13])

    def score(pixels):
        found = []

        def look_at(visit):
            if visit.key == key:
                found.append(visit.output)

        with Tap(change=look_at):
            model(pixels, training=False)
        y = ops.cast(found[0], "float32")
        middle = y[:, y.shape[1] // 2, y.shape[2] // 2]
        # signs and not ones: the sum of all features may cancel where none of them is 0
        signs = rng.choice(np.array([-1, 1], np.float32), size=middle.shape)
        return ops.sum(middle * signs)

    _, (slope,) = gradients(score, [x])
    return np.abs(slope).mean(axis=0).sum(axis=-1)
