"""Pictures with noise drawn into them, as batches: whole ones of one size, or tiles of pictures of any size."""

import functools

import numpy as np

from dlcli import tiles
from dlcli.data import Images

# Noise of a picture that is scored is its own, whatever batch or tile it is seen in.
_SEED = 20_260


class Pictures:
    """x: noisy pixels, black 0 and white 255.  y: the clean ones in [0, 1]."""

    def __init__(self, images: Images, noise: float, training: bool):
        self.images = images
        self.noise = np.float32(255 * noise)
        self.training = training

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        clean = self.images.read(indices)
        if self.training:
            noise = rng.standard_normal(clean.shape, dtype=np.float32)
        else:
            noise = np.stack([_own_noise(int(i), clean.shape[1:]) for i in indices])
        return clean + self.noise * noise, clean / np.float32(255)


class Crops:
    """The same, of tiles from anywhere."""

    def __init__(self, crops: tiles.Crops, noise: float):
        self.crops = crops
        self.noise = np.float32(255 * noise)

    def __len__(self) -> int:
        return len(self.crops)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        clean = self.crops.read(indices, rng)
        return clean + self.noise * rng.standard_normal(clean.shape, dtype=np.float32), clean / np.float32(255)


class Tiled:
    """The same, all of every picture, in order; y is NaN where another tile counts the pixel.

    noise None: the pictures are noisy as they are, and there is no y.  places: only these tiles, with all of their y.
    """

    def __init__(self, pictures: tiles.Whole, side: int, noise: float | None, places: np.ndarray | None = None):
        self.tiles = tiles.Tiles(pictures.shapes, side)
        self.all = places is None
        self.places = np.arange(len(self.tiles)) if places is None else places
        self.pictures = pictures
        self.noise = noise
        # tiles come picture by picture, from a few threads: all of them, and their noise, would fill the memory
        self._clean = functools.lru_cache(maxsize=8)(lambda number: self.tiles.padded(pictures(number)))
        self._noisy = functools.lru_cache(maxsize=8)(self._drawn)

    def __len__(self) -> int:
        return len(self.places)

    def some(self, most: int) -> "Tiled":
        """At most so many of the tiles, in even steps, for a loss: none of their pixels is left out."""
        chosen = np.linspace(0, len(self) - 1, min(most, len(self))).astype(int)
        return Tiled(self.pictures, self.tiles.side, self.noise, self.places[chosen])

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        places = self.places[indices]
        clean = self.tiles.cut(self._clean, places)
        if self.noise is None:
            return clean, None
        y = clean / np.float32(255)
        return self.tiles.cut(self._noisy, places), self.tiles.own(y, places) if self.all else y

    def _drawn(self, number: int) -> np.ndarray:
        picture = self.pictures(number)
        return self.tiles.padded(picture + np.float32(255 * self.noise) * _own_noise(number, picture.shape))


def _own_noise(number: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng([_SEED, number]).standard_normal(shape, dtype=np.float32)
