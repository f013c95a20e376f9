"""Pictures of any size, in their own pixels, as tiles of one size: random ones to learn from, and all of a picture to score."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlcli.data import Images
from dlcli.store import budget


class Whole:
    """Pictures in their own size, uint8 (H, W, C), by number; those that were read are kept while there is room."""

    def __init__(self, images: Images, channels: int):
        self.images = images
        self.channels = channels
        self.shapes = [(*size, channels) for size in images.sizes()]
        self.said = ""  # of what is left out, for a score
        self._empty()

    def _empty(self) -> None:
        self._room = budget()
        self._kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.shapes)

    def middle(self, most: int) -> "Whole":
        """The same, cut to their middle where a side is longer than that."""
        cut = copy.copy(self)
        cut.shapes = [(min(height, most), min(width, most), channels) for height, width, channels in self.shapes]
        if cut.shapes != self.shapes:
            cut.said = f"; of pictures larger than {most} x {most} the middle"
        cut._empty()
        return cut

    def __call__(self, number: int) -> np.ndarray:
        if number in self._kept:
            return self._kept[number]
        picture = self.images.whole(number, self.channels)
        height, width = self.shapes[number][:2]
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        picture = np.ascontiguousarray(picture[top : top + height, left : left + width])
        if picture.nbytes <= self._room:
            self._room -= picture.nbytes
            self._kept[number] = picture
        return picture


@dataclass(frozen=True)
class Crops:
    """Somewhere in a picture, turned or mirrored in one of eight ways; as many in a pass as would tile them all, or
    `most` of them, though one of each picture."""

    pictures: Whole
    side: int
    most: int

    def __post_init__(self):
        fitting = np.array([height * width for height, width, _ in self.pictures.shapes]) / self.side**2
        counts = np.maximum(1, np.round(fitting * min(1.0, self.most / fitting.sum()))).astype(int)
        object.__setattr__(self, "_of", np.repeat(np.arange(len(counts)), counts))

    def __len__(self) -> int:
        return len(self._of)

    def read(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """uint8 (B, side, side, C)."""
        return np.stack([self._one(self.pictures(int(i)), rng) for i in self._of[indices]])

    def _one(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        picture = _at_least(picture, self.side)
        row, column = (int(rng.integers(length - self.side + 1)) for length in picture.shape[:2])
        cut = np.rot90(picture[row : row + self.side, column : column + self.side], int(rng.integers(4)))
        return cut[:, ::-1] if rng.random() < 0.5 else cut


class Tiles:
    """All of every picture: tiles overlap by twice a margin, and each pixel is owned by one of them.

    places (n, 3): number of the picture, and the row and column where a tile's inner part begins.
    Beyond the border of a picture a tile sees it mirrored.
    """

    def __init__(self, shapes: list[tuple[int, int]], side: int):
        self.shapes = [tuple(shape[:2]) for shape in shapes]
        self.side = side
        self.margin = side // 5
        self.inner = side - 2 * self.margin
        self.places = np.array(
            [
                (number, row, column)
                for number, (height, width) in enumerate(self.shapes)
                for row in range(0, height, self.inner)
                for column in range(0, width, self.inner)
            ]
        )

    def __len__(self) -> int:
        return len(self.places)

    def padded(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, ...) with room for every tile."""
        height, width = picture.shape[:2]
        behind = [self.margin + -length % self.inner for length in (height, width)]
        pads = [(self.margin, behind[0]), (self.margin, behind[1]), *[(0, 0)] * (picture.ndim - 2)]
        return np.pad(picture, pads, mode="symmetric")

    def cut(self, padded: Callable[[int], np.ndarray], indices: np.ndarray) -> np.ndarray:
        """Tiles (B, side, side, ...) of pictures, which `padded` gives with their room by number."""
        side = self.side
        return np.stack([padded(int(n))[r : r + side, c : c + side] for n, r, c in self.places[indices]])

    def own(self, tiles: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """The same tiles (B, side, side, C), NaN wherever another tile, or none, owns the pixel."""
        owned = np.full_like(tiles, np.nan)
        m = self.margin
        for into, tile, (number, row, column) in zip(owned, tiles, self.places[indices], strict=True):
            height, width = (
                min(self.inner, length - begin)
                for length, begin in zip(self.shapes[number], (row, column), strict=True)
            )
            into[m : m + height, m : m + width] = tile[m : m + height, m : m + width]
        return owned

    def inside(self, tiles: np.ndarray) -> np.ndarray:
        """Their inner parts (B, inner, inner, ...)."""
        return tiles[:, self.margin : -self.margin, self.margin : -self.margin]

    def joined(self, inner: np.ndarray) -> list[np.ndarray]:
        """The inner parts (n, inner, inner, ...) of the tiles of all places -> the pictures (H, W, ...)."""
        s = self.inner
        pictures = [np.empty((*shape, *inner.shape[3:]), inner.dtype) for shape in self.shapes]
        for part, (number, row, column) in zip(inner, self.places, strict=True):
            into = pictures[number][row : row + s, column : column + s]
            into[:] = part[: into.shape[0], : into.shape[1]]
        return pictures


def longest_side(shapes: list[tuple[int, ...]], side: int, most: int) -> int:
    """How long a side of pictures (H, W, ...) may be for them to have at most so many `Tiles` of that side together."""
    inner = side - 2 * (side // 5)
    sizes = np.array([shape[:2] for shape in shapes])
    longest = np.arange(inner, sizes.max() + inner, inner)
    tiles = [np.ceil(np.minimum(sizes, one) / inner).prod(axis=1).sum() for one in longest]
    return int(longest[max(0, np.searchsorted(tiles, most, side="right") - 1)])


def _at_least(picture: np.ndarray, side: int) -> np.ndarray:
    short = [max(0, side - length) for length in picture.shape[:2]]
    return np.pad(picture, [(0, short[0]), (0, short[1]), (0, 0)], mode="symmetric") if any(short) else picture
