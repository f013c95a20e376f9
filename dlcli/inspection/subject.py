"""What is inspected: a model, the examples that go into it, and how stimuli become its input."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, tree

from dlcli.errors import DlcliError
from dlcli.inspection import nesting
from dlcli.inspection.tap import Visit
from dlcli.stimuli._level import Level

Read = Callable[[np.ndarray], Any]  # rows -> the model's input for these examples


@dataclass(frozen=True, kw_only=True)
class Stimuli:
    """Which stimuli fit a model. entry: of the registry of stimuli.  make: the arguments of its
    `levels` besides n and seed.  feed: a level -> (Read, positions (n,) in the model's input or None).
    own: a level of the user's examples above them; its x are their numbers."""

    entry: str
    make: dict[str, Any]
    feed: Callable[[Level], tuple[Read, np.ndarray | None]]
    own: Level | None = None


@dataclass(kw_only=True)
class Subject:
    """A model with its data: `count` examples that `read` gives as the model takes them, what should come
    out of it (`truth`: for a generator the real pictures), class numbers where there are classes, whether it was
    trained on these very examples (`learned`), how ids are spelt where they stand for text (`spell`), how many of the first examples the user asked for, and the network
    that judges what a generator draws, as a subject of its own (`judge`)."""

    model: keras.Model
    title: str
    source: str
    family: str
    data: str | None = None
    read: Read | None = None
    truth: Read | None = None
    spell: Callable[[np.ndarray], str] | None = None
    count: int = 0
    asked: int = 0
    labels: np.ndarray | None = None
    learned: bool = False
    classes: list[str] = field(default_factory=list)
    stimuli: Stimuli | None = None
    judge: "Subject | None" = None
    warnings: list[str] = field(default_factory=list)


def batches(read: Read, n: int, positions: np.ndarray | None, size: int) -> Iterator[tuple]:
    """(x, positions, count) in batches of one size; the last is filled up with its first rows."""
    size = min(size, n)
    for start in range(0, n, size):
        chosen = np.arange(start, min(start + size, n))
        filled = np.resize(chosen, size)
        yield read(filled), None if positions is None else positions[filled], len(chosen)


def batch_size(visits: list[Visit]) -> int:
    """As many examples at once as keep all outputs of a call within some 1 GB: 8 to 128."""
    total = sum(int(np.prod([side or 64 for side in shape[1:]])) for shape in _shapes(visits))
    return int(2 ** np.clip(np.log2(2**28 / max(total, 1)) // 1, 3, 7))


def _shapes(visits: list[Visit]) -> list[tuple]:
    return [nesting.shape(x) for visit in visits for x in tree.flatten(visit.output) if hasattr(x, "shape")]


def at_random(total: int, samples: int, seed: int, asked: Sequence[int] = ()) -> np.ndarray:
    """Positions of at most so many examples, in random order behind those that were asked for.

    Raises: DlcliError for an example that there is none of.
    """
    missing = [i for i in asked if not 0 <= i < total]
    if missing:
        raise DlcliError(f"there is no example {missing[0]}.", f"--example is a number from 0 to {total - 1}.")
    order = np.random.default_rng([seed, 3]).permutation(total)
    return np.concatenate([np.array(list(asked), int), order[~np.isin(order, asked)]])[:samples]


def family_of(model: keras.Model) -> str:
    """The family that a foreign model's layers speak of."""
    kinds = list(model._flatten_layers())
    if any(isinstance(layer, layers.MultiHeadAttention | layers.GroupQueryAttention) for layer in kinds):
        return "transformer"
    if any(isinstance(layer, layers.RNN) for layer in kinds):
        return "rnn"
    if any("Conv" in type(layer).__name__ for layer in kinds):
        return "cnn"
    return "dense"


def matched(pixels: np.ndarray, reference: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """Stimuli with the brightness and contrast of the user's pictures, per channel alike.

    pixels uint8 (n, H, W, C); reference: mean and deviation (C,) in 0..255, or None to leave them.
    One gain and one shift for all channels: colours stay what they are.
    """
    if reference is None:
        return pixels
    mean, deviation = (float(np.mean(part)) for part in reference)
    x = pixels.astype(np.float32)
    x = (x - x.mean()) / max(float(x.std()), 1e-6) * deviation + mean
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def series(shape: tuple[int, int], read: Read | None, count: int) -> Stimuli:
    """Series with the level and spread that each channel of the user's data has."""
    mean, spread = np.zeros(shape[1], np.float32), np.ones(shape[1], np.float32)
    if read is not None:
        seen = np.asarray(tree.flatten(read(np.arange(min(count, 256))))[0], np.float32)
        mean, spread = np.nanmean(seen, axis=(0, 1)), np.nanstd(seen, axis=(0, 1))

    def feed(level: Level):
        x = (level.x * np.where(spread > 0, spread, 1) + mean).astype(np.float32)
        return lambda rows: x[rows], level.position

    return Stimuli(entry="series", make={"length": shape[0], "channels": shape[1]}, feed=feed)
