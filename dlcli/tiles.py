"""Pictures of any size, in their own pixels, as tiles of one size: random ones to learn from, and all of a picture to score."""

from dataclasses import dataclass

import numpy as np

from dlcli.data import Images


def whole(images: Images, channels: int) -> list[np.ndarray]:
    """Every picture in its own size, uint8 (H, W, C)."""
    return [images.whole(i, channels) for i in range(len(images))]


@dataclass(frozen=True)
class Crops:
    """Somewhere in a picture, turned or mirrored in one of eight ways; as many in a pass as would tile them all."""

    pictures: list[np.ndarray]
    side: int

    def __post_init__(self):
        counts = [max(1, round(picture.shape[0] * picture.shape[1] / self.side**2)) for picture in self.pictures]
        object.__setattr__(self, "_of", np.repeat(np.arange(len(counts)), counts))

    def __len__(self) -> int:
        return len(self._of)

    def read(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """uint8 (B, side, side, C)."""
        return np.stack([self._one(self.pictures[i], rng) for i in self._of[indices]])

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

    def cut(self, pictures: list[np.ndarray], indices: np.ndarray) -> np.ndarray:
        """Tiles (B, side, side, ...) of padded pictures."""
        side = self.side
        return np.stack([pictures[n][r : r + side, c : c + side] for n, r, c in self.places[indices]])

    def joined(self, tiles: np.ndarray) -> list[np.ndarray]:
        """Tiles (n, side, side, ...) of all places -> the pictures (H, W, ...), of the inner parts."""
        m, s = self.margin, self.inner
        pictures = [np.empty((*shape, *tiles.shape[3:]), tiles.dtype) for shape in self.shapes]
        for tile, (number, row, column) in zip(tiles, self.places, strict=True):
            into = pictures[number][row : row + s, column : column + s]
            into[:] = tile[m : m + s, m : m + s][: into.shape[0], : into.shape[1]]
        return pictures


def _at_least(picture: np.ndarray, side: int) -> np.ndarray:
    short = [max(0, side - length) for length in picture.shape[:2]]
    return np.pad(picture, [(0, short[0]), (0, short[1]), (0, 0)], mode="symmetric") if any(short) else picture
