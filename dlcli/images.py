"""Pictures in memory or in files, read by position, decoded once and then kept.

`prepare` gives a store of one size that fills as pictures are first read: in memory when all of
them fit in the budget, else in an unnamed temporary file, so that memory stays flat. The first
epoch decodes; the later ones copy. Everything here may be called from several threads.
"""

import copy
import hashlib
import os
import time
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dlcli import decode
from dlcli.errors import DataError
from dlcli.file_bytes import Packed, Unreadable, held
from dlcli.store import Store, Stores, budget, each, new_store

# Below this many pixels Pillow mostly holds Python's lock: two threads took 1.4 times as long as
# one for 32 x 32 JPEGs, and half as long for 400 x 700.
PARALLEL_ABOVE = 128 * 128

# A scan decodes every file of a set up to this many pixels (1.2 s of JPEG photographs); in a larger
# set it reads the headers and the ends of the files.
CHECKED_PIXELS = 10**9

SAMPLE = 256

# Seconds to wait before a file that was good is tried again: it may be on its way over a network.
PAUSES = (0.1, 0.4)


class _Pictures:
    """Some positions of a source, and after prepare() the store that holds their pixels."""

    def __init__(self, source):
        self.source = source
        self.positions = np.arange(len(source))
        self.store = None

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, indices):
        """The pictures at these positions, nothing read yet."""
        taken = copy.copy(self)
        taken.positions = self.positions[np.asarray(indices, np.int64)]
        return taken

    def size(self) -> tuple[int, int, int]:
        """Median (height, width) of those looked at; 1 channel when all are grey, else 3."""
        shapes = self.source.shapes(self.positions)
        height, width = np.median(shapes[:, :2], axis=0).round().astype(int).tolist()
        return height, width, int(shapes[:, 2].max())

    def prepare(self, height: int, width: int, channels: int):
        """The same pictures at this size. All views of one source share what was decoded."""
        prepared = copy.copy(self)
        prepared.store = self.source.store((height, width, channels))
        return prepared

    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of every one."""
        return [tuple(self.source.shapes(np.array([i]))[0][:2].tolist()) for i in self.positions.tolist()]

    def whole(self, index: int, channels: int) -> np.ndarray:
        """One picture in its own size, uint8 (H, W, channels)."""
        position = int(self.positions[index])
        height, width = self.source.shapes(np.array([position]))[0][:2].tolist()
        return self.source._load(position, (height, width, channels))

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Pictures as uint8 (B, H, W, C) in 0..255."""
        assert self.store is not None, "read() needs prepare() first"
        return self.store.read(self.positions[indices])


class ArrayImages(_Pictures):
    """Pictures in memory: uint8 (N, H, W), or (N, H, W, C) with C 1 or 3."""

    def __init__(self, array: np.ndarray):
        super().__init__(_Arrays(array))


class FileImages(_Pictures):
    """Pictures in files, or in parts of files (`Packed`); `names` are what messages call them."""

    def __init__(self, paths: Sequence[str], names: Sequence[str] | None = None):
        super().__init__(_Files(paths, names))


class Scan(NamedTuple):
    """What scan() found. good: positions of readable files; bad: reasons of the others."""

    images: FileImages
    good: np.ndarray
    bad: dict[int, str]
    animated: list[int]


def scan(paths: Sequence[str], names: Sequence[str] | None = None) -> Scan:
    """Look at every file. What is decoded on the way is kept when it is small and of one size."""
    images = FileImages(paths, names)
    files = images.source
    headers, bad = _headers(files)
    files.headers = np.array([header[:3] for header in headers], np.int32).reshape(-1, 3)
    good = np.array([i for i in range(len(files)) if i not in bad], np.int64)
    animated = [i for i in good.tolist() if headers[i].animated]
    return Scan(images, good, bad, animated)


def together(many: Sequence[ArrayImages | FileImages]) -> ArrayImages | FileImages:
    """Several sets of pictures as one, in order. Raises: DataError for files beside arrays, or arrays of two sizes."""
    if all(isinstance(images, FileImages) for images in many):
        chosen = [(images.source, i) for images in many for i in images.positions.tolist()]
        return FileImages([files.paths[i] for files, i in chosen], [files.names[i] for files, i in chosen])
    arrays = [images.source.array[images.positions] for images in many if isinstance(images, ArrayImages)]
    if len(arrays) < len(many) or len({array.shape[1:] for array in arrays}) > 1:
        raise DataError("these inputs cannot be read together.", "give them one at a time.")
    return ArrayImages(np.concatenate(arrays))


def fingerprints(images: ArrayImages | FileImages) -> list[bytes]:
    """A hash per picture, equal for exact duplicates: of the file's bytes, or of the pixels."""
    source = images.source
    return each(source.fingerprint, images.positions.tolist(), parallel=source.large)


def _headers(files) -> tuple[list[decode.Header], dict[int, str]]:
    """The header of every file, and why some have none (theirs is all 0)."""
    sample = [header for header in map(_glance, _some(files.paths)) if header]
    pixels = np.mean([header.height * header.width for header in sample]) if sample else 0
    thorough = pixels * len(files) <= CHECKED_PIXELS
    sizes = {header[:2] for header in sample}
    channels = max((header.channels for header in sample), default=1)
    if thorough and len(sizes) == 1 and 4 * pixels * channels * len(files) <= budget():
        files.keep((*sizes.pop(), channels))
    bad = {}

    def look(i):
        try:
            return files.examine(i) if thorough else decode.look(files.paths[i])
        except Unreadable as error:
            bad[i] = str(error)
            return decode.Header(0, 0, 0, False)

    headers = each(look, range(len(files)), parallel=pixels > PARALLEL_ABOVE)
    return headers, dict(sorted(bad.items()))


def _glance(path: str) -> decode.Header | None:
    try:
        return decode.look(path)
    except Unreadable:
        return None


def _some(items: Sequence) -> list:
    """A sample in even steps."""
    steps = np.linspace(0, len(items) - 1, min(SAMPLE, len(items))).astype(int)
    return [items[i] for i in steps]


def _hash(data) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


class _Arrays:
    large = False

    def __init__(self, array):
        assert array.dtype == np.uint8, array.dtype
        self.array = array[..., None] if array.ndim == 3 else array
        assert self.array.ndim == 4, array.shape
        assert self.array.shape[-1] in (1, 3), array.shape
        self.stores = Stores()

    def __len__(self):
        return len(self.array)

    def shapes(self, positions):
        return np.array([self.array.shape[1:]])

    def store(self, shape):
        if shape == self.array.shape[1:]:
            return Store(shape, self.array, np.ones(len(self), bool), self._load)
        return self.stores.get(shape, lambda: new_store(len(self), shape, self._load, parallel=self.large))

    def fingerprint(self, i):
        return _hash(np.ascontiguousarray(self.array[i]))

    def _load(self, i, shape):
        return decode.fit(self.array[i], *shape)


class _Files:
    def __init__(self, paths, names=None):
        self.paths = [path if isinstance(path, Packed) else os.fspath(path) for path in paths]
        self.names = self.paths if names is None else list(names)
        self.headers = None  # (N, 3) once scanned
        self.hashes = [None] * len(self.paths)
        self.kept = None  # (N, H, W, C): those in their own size that a scan decoded
        self.is_kept = np.zeros(len(self.paths), bool)
        self.stores = Stores()

    def __len__(self):
        return len(self.paths)

    @cached_property
    def large(self):
        shapes = self.shapes(np.arange(len(self)))
        return float(np.mean(shapes[:, 0] * shapes[:, 1])) > PARALLEL_ABOVE

    def keep(self, shape):
        """Make room for pictures of this shape; examine() will fill it."""
        self.kept = np.empty((len(self), *shape), np.uint8)

    def examine(self, i) -> decode.Header:
        """Decode a file to its end, and keep its hash and, where there is room, its pixels."""
        with held(self.paths[i]) as data:
            self.hashes[i] = _hash(data)
            if self.kept is None:
                return decode.check(data)
            header, pixels = decode.examine(data)
        room = self.kept.shape[1:]
        if pixels.shape[:2] == room[:2] and pixels.shape[2] <= room[2]:
            self.kept[i] = pixels
            self.is_kept[i] = True
        return header

    def shapes(self, positions):
        if self.headers is not None:
            return self.headers[positions]
        looks = [self._try(i, lambda i=i: decode.look(self.paths[i])) for i in _some(positions)]
        return np.array([header[:3] for header in looks])

    def store(self, shape):
        def new():
            if self.kept is not None and self.kept.shape[1:] == shape:
                filled = self.is_kept.copy()  # not the same: the others are filled in another size
                return Store(shape, self.kept, filled, self._load, parallel=self.large)
            return new_store(len(self), shape, self._load, parallel=self.large)

        return self.stores.get(shape, new)

    def fingerprint(self, i):
        if self.hashes[i] is None:
            self.hashes[i] = self._try(i, lambda: self._hashed(i))
        return self.hashes[i]

    def _hashed(self, i):
        with held(self.paths[i]) as data:
            return _hash(data)

    def _load(self, i, shape):
        if self.is_kept[i]:
            return decode.fit(self.kept[i], *shape)
        height, width, channels = shape

        def load():
            with held(self.paths[i]) as data:
                return decode.decode(data, size=(height, width), channels=channels)

        return self._try(i, load)

    def _try(self, i, function):
        for pause in (*PAUSES, None):
            try:
                return function()
            except Unreadable as error:
                if pause is None:
                    raise DataError(
                        f"{self.names[i]} could not be read: {error}.",
                        "replace the file or delete it, then start again.",
                    ) from error
            time.sleep(pause)
