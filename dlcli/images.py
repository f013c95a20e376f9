"""Pictures in memory or in files, read by position, decoded once and then kept.

`prepare` gives a store of fixed size that fills as pictures are first read: in memory when all of
them fit in the budget, else in an unnamed temporary file, so that memory stays flat. The first
epoch decodes; the later ones copy.
"""

import contextlib
import copy
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dlcli import decode
from dlcli.errors import DISK, DataError, DlcliError

# Bytes of pictures kept in memory; DLCLI_IMAGE_MEMORY overrides it.
MEMORY = 1 << 30

# Below this many pixels Pillow spends its time holding Python's lock: two threads took 1.4 times
# as long as one for 32 x 32 JPEGs, and half as long for 400 x 700.
PARALLEL_ABOVE = 128 * 128

SAMPLE = 256

_POOL = ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="decode")


def budget() -> int:
    """Bytes of pictures that may be kept in memory."""
    return int(os.environ.get("DLCLI_IMAGE_MEMORY", MEMORY))


def each(function, items, *, parallel: bool) -> list:
    """function(item) for all items, in order; in threads where decoding gains by it."""
    if not parallel or len(items) < 2:
        return [function(item) for item in items]
    return list(_POOL.map(function, items))


def fingerprints(images: "ArrayImages | FileImages") -> list[bytes]:
    """A hash per picture, equal for exact duplicates: of the file's bytes, or of the pixels."""
    source = images.source
    return each(source.fingerprint, images.positions.tolist(), parallel=source.large)


class _Pictures:
    """Some positions of a source, and after prepare() the store that holds their pixels."""

    def __init__(self, source):
        self.source = source
        self.positions = np.arange(len(source))
        self._store = None

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, indices):
        """The pictures at these positions, nothing read yet."""
        taken = copy.copy(self)
        taken.positions = self.positions[np.asarray(indices, np.int64)]
        return taken

    def size(self) -> tuple[int, int, int]:
        """Median (height, width) of a sample; 1 channel when the whole sample is grey, else 3."""
        some = np.linspace(0, len(self) - 1, min(SAMPLE, len(self))).astype(int)
        shapes = self.source.shapes(self.positions[some])
        height, width = np.median(shapes[:, :2], axis=0).round().astype(int).tolist()
        return height, width, int(shapes[:, 2].max())

    def prepare(self, height: int, width: int, channels: int):
        """The same pictures at this size. Views of one source share what was decoded."""
        prepared = copy.copy(self)
        shape = (height, width, channels)
        with self.source.lock:
            store = self.source.stores.get(shape)
            if store is None:
                store = self.source.stores[shape] = self.source.store(shape)
        prepared._store = store
        return prepared

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Pictures as uint8 (B, H, W, C) in 0..255."""
        assert self._store is not None, "read() needs prepare() first"
        return self._store.read(self.positions[indices])


class ArrayImages(_Pictures):
    """Pictures in memory: uint8 (N, H, W), or (N, H, W, C) with C 1 or 3."""

    def __init__(self, array: np.ndarray):
        super().__init__(_Arrays(array))


class FileImages(_Pictures):
    """Pictures in files; names are what messages call them."""

    def __init__(self, paths: Sequence[str], names: Sequence[str] | None = None):
        super().__init__(_Files([os.fspath(path) for path in paths], names))


class _Source:
    """What both kinds share: the stores in use, by shape, for as long as someone holds them."""

    def __init__(self):
        self.stores = weakref.WeakValueDictionary()
        self.lock = contextlib.nullcontext()

    def __getstate__(self):
        raise TypeError("pictures cannot be sent to another process: read them in threads")


class _Arrays(_Source):
    def __init__(self, array):
        super().__init__()
        assert array.dtype == np.uint8, array.dtype
        self.array = array[..., None] if array.ndim == 3 else array
        assert self.array.ndim == 4 and self.array.shape[-1] in (1, 3), array.shape
        self.large = False

    def __len__(self):
        return len(self.array)

    def shapes(self, positions):
        return np.tile(self.array.shape[1:], (len(positions), 1))

    def store(self, shape):
        if shape == self.array.shape[1:]:
            return _Store(shape, self.array, np.ones(len(self), bool), None)
        return _new_store(len(self), shape, self._load)

    def fingerprint(self, i):
        return _hash(np.ascontiguousarray(self.array[i]))

    def _load(self, i, shape):
        return decode.fit(self.array[i], *shape)
