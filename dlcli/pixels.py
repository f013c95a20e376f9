"""What the tasks on pictures share: their size, their statistics, batches, and the stem of a model."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from dlcli import augment
from dlcli.data import Examples, Images
from dlcli.errors import DataError

# The longer side of what a model sees, unless `size` says otherwise: work grows with its square.
LONGEST = 128

# Pictures that means and deviations are taken over; more change nothing that a model would notice.
SAMPLE = 2_000


def shape(images: Images, size: int | None) -> list[int]:
    """Height, width and channels for a model. size: the longer side; proportions are those of the
    typical picture. Small pictures keep their own size."""
    if len(images) == 0:
        raise DataError("there are no training pictures.", "check the path and the split.")
    height, width, channels = images.size()
    longest = size or min(LONGEST, max(height, width))
    scale = longest / max(height, width)
    return [max(1, round(height * scale)), max(1, round(width * scale)), channels]


def sample(images: Images, most: int = SAMPLE) -> np.ndarray:
    """Positions of at most so many pictures, evenly over all of them."""
    return np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(np.int64))


def statistics(pixels: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel, black 0 and white 1.  pixels uint8 (B, H, W, C)"""
    flat = pixels.reshape(-1, pixels.shape[-1])
    mean = flat.mean(axis=0, dtype=np.float64) / 255
    deviation = flat.std(axis=0, dtype=np.float64) / 255
    # A channel without contrast has nothing to be divided by.
    return mean.tolist(), np.where(deviation > 1e-3, deviation, 1.0).tolist()


def inputs(image: list[int]):
    """Pixels in 0..255. Batches bring them as bytes; the model casts them."""
    return keras.Input(tuple(image), name="pixels")


def stem(pixels, mean: list[float], deviation: list[float], kinds: list[str], shift: float):
    """Pixels (B, H, W, C) in 0..255 -> changed at random (while training only), then standardised.

    float32 throughout: in bfloat16 neighbouring greys would become one.
    """
    x = augment.layered(pixels, kinds, shift)
    x = layers.Rescaling(1 / 255, dtype="float32", name="stem_rescale")(x)
    variance = np.square(np.asarray(deviation, np.float32))
    mean = np.asarray(mean, np.float32)
    return layers.Normalization(mean=mean, variance=variance, dtype="float32", name="stem_standardize")(x)


@dataclass(frozen=True)
class Pictures:
    """x: bytes (B, H, W, C); y: rows of an array, or None."""

    images: Images
    y: np.ndarray | None

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        return self.images.read(indices), None if self.y is None else self.y[indices]


def flat(examples: Examples, image: list[int], rows: int = 1_024) -> np.ndarray:
    """Pixels as rows (n, H * W * C), black 0 and white 1."""
    images = examples.x.prepare(*image)
    out = np.empty((len(images), int(np.prod(image))), np.float32)
    for start in range(0, len(out), rows):
        part = np.arange(start, min(start + rows, len(out)))
        out[part] = images.read(part).reshape(len(part), -1)
    out /= 255
    return out


def names(examples: Examples):
    """What the user calls each picture; its number where it has no name."""
    return examples.names if examples.names is not None else [str(i) for i in range(len(examples))]
