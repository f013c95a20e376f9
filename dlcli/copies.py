"""Whether a generator has learned pictures by heart: how near what it draws comes to the training pictures."""

import keras
import numpy as np

from dlcli import pixels
from dlcli.task import Source

COMPARED = 5_000  # drawn, and real ones that it did not see
NEAR = 0.05  # share of the real ones that count as near copies, by definition
FORMULA = (
    "share of generated pictures nearer to a training picture, in pixels, than 95 % of the pictures of this split are:"
    f" {NEAR:g} where nothing was learned by heart"
)


def found(model: keras.Model, source: Source, known: Source) -> np.ndarray:
    """Which of so many pictures that the model draws are near copies, 1 or 0 for each.

    source: (noise, unseen pictures); known: (noise, training pictures).
    """
    chosen = pixels.sample(source, COMPARED)
    x, unseen = source.batch(chosen, np.random.default_rng(1))
    drawn = model.predict(x, batch_size=256, verbose=0)
    parts = np.array_split(np.arange(len(known)), -(-len(known) // 2_000))
    rows = (_rows(known.batch(part, np.random.default_rng(0))[1]) for part in parts)
    return near_copies(_rows(drawn), _rows(unseen), rows)


def near_copies(drawn: np.ndarray, unseen: np.ndarray, known) -> np.ndarray:
    """1 for each drawn picture that lies nearer to a training picture than all but a twentieth of
    unseen real pictures do, Euclidean in pixels; 0 for the others.

    drawn (n, d), unseen (m, d); known: yields training pictures (k, d) in turns.
    """
    nearest = [np.full(len(drawn), np.inf), np.full(len(unseen), np.inf)]
    for some in known:
        for best, pictures in zip(nearest, (drawn, unseen), strict=True):
            np.minimum(best, _squared(pictures, some).min(axis=1), out=best)
    return (nearest[0] < np.quantile(nearest[1], NEAR)).astype(np.float64)


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1)


def _rows(pictures) -> np.ndarray:
    return np.asarray(pictures, np.float32).reshape(len(pictures), -1)
