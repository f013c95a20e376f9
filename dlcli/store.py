"""Pixels of many pictures in one size: made when first read, then kept in memory or on disk."""

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dlcli.errors import DISK, DlcliError

# Bytes that one store keeps in memory; DLCLI_IMAGE_MEMORY overrides it.
MEMORY = 1 << 30

_POOL = ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="decode")


def budget() -> int:
    """Bytes of pixels that may be kept in memory."""
    return int(os.environ.get("DLCLI_IMAGE_MEMORY", MEMORY))


def each(function: Callable, items: Sequence, *, parallel: bool) -> list:
    """function(item) for all items, in order."""
    if not parallel or len(items) < 2:
        return [function(item) for item in items]
    return list(_POOL.map(function, items))


class Store:
    """Pictures of one shape by number; may be read from several threads.

    load(i, shape) makes one. Two threads that miss the same picture both make it, and alike.
    """

    def __init__(self, shape, records, filled: np.ndarray, load: Callable, *, parallel: bool = False):
        self.shape = shape
        self.records = records
        self.filled = filled
        self.load = load
        self.parallel = parallel

    def read(self, positions: np.ndarray) -> np.ndarray:
        """uint8 (B, H, W, C)."""
        ready = self.filled[positions]
        if not ready.all():
            each(self._fill, np.unique(positions[~ready]).tolist(), parallel=self.parallel)
        return self.records[positions]

    def _fill(self, i: int):
        self.records[i] = self.load(i, self.shape)
        self.filled[i] = True  # only now: another thread may be looking


def new_store(count: int, shape: tuple, load: Callable, *, parallel: bool) -> Store:
    """An empty store, in memory when all of it fits in the budget, else on disk."""
    size = count * int(np.prod(shape))
    records = np.empty((count, *shape), np.uint8) if size <= budget() else _Scratch(count, shape)
    return Store(shape, records, np.zeros(count, bool), load, parallel=parallel)


class Stores:
    """The stores of one source by shape, each for as long as someone holds it."""

    def __init__(self):
        self.alive = weakref.WeakValueDictionary()
        self.lock = threading.Lock()

    def get(self, shape: tuple, new: Callable[[], Store]) -> Store:
        """The store of this shape, made where there is none."""
        with self.lock:
            store = self.alive.get(shape)
            if store is None:
                store = self.alive[shape] = new()
            return store


class _Scratch:
    """Records in an unnamed file, which the system removes with the process. Reads and writes like
    an array; what was read is not part of the process's memory."""

    def __init__(self, count: int, shape: tuple):
        self.shape = shape
        self.bytes = int(np.prod(shape))
        needed, free = count * self.bytes, shutil.disk_usage(tempfile.gettempdir()).free
        if needed > free:
            raise _full(f"{needed / 1e9:.1f} GB of pictures do not fit into the {free / 1e9:.1f} GB")
        self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (lives as long as this)
        self.file.truncate(needed)

    def __getitem__(self, positions: np.ndarray) -> np.ndarray:
        pixels, descriptor = np.empty((len(positions), self.bytes), np.uint8), self.file.fileno()
        for row, i in zip(pixels, positions.tolist(), strict=True):
            row[:] = np.frombuffer(os.pread(descriptor, self.bytes, i * self.bytes), np.uint8)
        return pixels.reshape(-1, *self.shape)

    def __setitem__(self, i: int, pixels: np.ndarray):
        try:
            written = os.pwrite(self.file.fileno(), pixels.tobytes(), i * self.bytes)
        except OSError as error:
            raise _full(f"pictures could not be kept ({error.strerror}) in what is left") from error
        if written < self.bytes:  # what the system does with the last block of a full disk
            raise _full("pictures do not fit into what is left")


def _full(what: str) -> DlcliError:
    return DlcliError(
        f"{what} of the temporary folder {tempfile.gettempdir()}.",
        "ask for a smaller picture size, name a larger folder in TMPDIR, or allow more memory in "
        "DLCLI_IMAGE_MEMORY (bytes).",
        code=DISK,
    )
