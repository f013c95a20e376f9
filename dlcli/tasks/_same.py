"""Batches whose answer is what went in, in the units of the loss."""

import numpy as np

from dlcli import sequences


class Pictures:
    """x: bytes, y: the same in [0, 1]."""

    def __init__(self, images, training: bool):
        self.images = images
        self.training = training

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        x = self.images.read(indices)
        return x, x / np.float32(255)


class Drawn(Pictures):
    """x: bytes 0 or 255, drawn with the grey values as chances (Salakhutdinov & Murray, 2008); y: 0 or 1.
    Training sees another drawing every time; a score sees each picture always in the same."""

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        grey = self.images.read(indices)
        if self.training:
            chance = rng.random(grey.shape, dtype=np.float32)
        else:
            own = [np.random.default_rng([20_261, i]) for i in indices]
            chance = np.stack([one.random(grey.shape[1:], dtype=np.float32) for one in own])
        white = chance * 255 < grey
        return white * np.uint8(255), white.astype(np.float32)


class Series:
    """x: raw values, y: the same standardised. Padded steps weigh nothing."""

    def __init__(self, x, mean, spread):
        self.x = x
        self.known = known(x)
        self.weight = self.known / np.maximum(self.known.mean(axis=1, keepdims=True), 1e-9)
        y = (x - np.float32(mean)) / np.float32(spread)
        self.y = np.where(self.known[..., None] > 0, y, np.float32(0))

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        return self.x[indices], self.y[indices], self.weight[indices].astype(np.float32)


def known(x: np.ndarray) -> np.ndarray | None:
    """(B, T): 1 for steps that were measured, 0 for padding; None for tables."""
    return (x != sequences.PADDING).any(axis=-1).astype(np.float32) if x.ndim == 3 else None
