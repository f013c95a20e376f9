"""Arrays kept between runs under a name that is a hash of all they were computed from."""

import hashlib
from collections.abc import Iterable

import numpy as np

from dlcli import console, rundir
from dlcli.caches import folder


def key(*parts: Iterable) -> str:
    """A hash of byte strings, arrays and what `repr` tells apart."""
    digest = hashlib.sha256()
    for part in parts:
        for item in part:
            if isinstance(item, np.ndarray):
                digest.update(f"{item.dtype}{item.shape}".encode())
                data = np.ascontiguousarray(item).tobytes()
            else:
                data = item if isinstance(item, bytes) else repr(item).encode()
            digest.update(len(data).to_bytes(8, "big") + data)
        digest.update(b"end of part")
    return digest.hexdigest()[:32]


def read(name: str) -> np.ndarray | None:
    """What was kept under that name, or None. A damaged file is none."""
    try:
        return np.load(folder() / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def write(name: str, values: np.ndarray) -> None:
    """Keep an array, whole or not at all. A cache that cannot be written is no reason to stop."""
    try:
        rundir.commit(folder() / f"{name}.npy", lambda temporary: np.save(temporary, values))
    except OSError as error:
        console.warn(f"features were not kept in {folder()}: {error.strerror}")
