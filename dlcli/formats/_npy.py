"""Files of one NumPy array (.npy), and the archives of them (.npz): read without running anything that is in them."""

import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dlcli.errors import DataError
from dlcli.formats import _room

# What an archive may unpack to, and by how much: one of 778 KB can hold 800 MB of zeros.
MAX_BYTES = 1 << 33
MAX_RATIO = 100
RATIO_FROM = 1 << 26

# What np.savez calls the first array that it gets without a name.
NAMELESS = "arr_0"

# UnicodeError: a member whose two names differ; the last two: encrypted
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, UnicodeError, NotImplementedError, RuntimeError)


def names(path: Path) -> list[str]:
    """What the arrays of an archive are called; none where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [member.filename.removesuffix(".npy") for member in archive.infolist()]
    except _BROKEN:
        return []


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, np.ndarray | None]]:
    """Name and array of each member of an archive, None for those that are not wanted.

    Raises: DataError for a damaged archive, and one that would unpack to too much, before anything is unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path)
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                where = f"{name} in {path.name}"
                opened = partial(archive.open, member)
                yield name, _array(opened, member.file_size, where) if wanted(name) else None
    except _BROKEN as error:
        raise DataError(f"{path.name} could not be read: {error}.") from error


def one(path: Path) -> np.ndarray:
    """The array of an .npy file, or the nameless one of an archive."""
    if path.suffix.lower() == ".npz":
        return next(array for _, array in members(path, lambda name: name == NAMELESS) if array is not None)
    try:
        size = path.stat().st_size
        _room.check(2 * size, f"{path.name} of {size:,} bytes")  # as it is and as it is used
        return _array(partial(path.open, "rb"), size, path.name)
    except OSError as error:
        raise DataError(f"{path.name} could not be read: {error}.") from error


def _check_size(archive: zipfile.ZipFile, path: Path) -> None:
    size = sum(member.file_size for member in archive.infolist())
    stored = path.stat().st_size
    if size > MAX_BYTES or (size > RATIO_FROM and size > MAX_RATIO * stored):
        raise DataError(
            f"{path.name} of {stored:,} bytes would unpack to {size:,}.",
            f"the limits are {MAX_BYTES >> 30} GiB, and {MAX_RATIO} times the file.",
        )
    _room.check(2 * size, f"{path.name} of {stored:,} bytes, unpacked,")  # as it is and as it is used


def _array(opened: Callable[[], BinaryIO], size: int, name: str) -> np.ndarray:
    """The array in an .npy file of so many bytes; its header is read first, and nothing is unpickled.

    Raises: DataError for what is no array of numbers or text, or says to hold more than it does.
    """
    with opened() as file:
        try:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
        except (ValueError, SyntaxError, tokenize.TokenError, TypeError, RecursionError, MemoryError) as error:
            raise DataError(f"{name} is no array: {error}.") from error
        if dtype.hasobject or dtype.kind not in "biufUS":
            raise DataError(
                f"{name} holds {dtype}, not numbers or text.",
                "save plain arrays; objects could run code when loaded.",
            )
        if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > size:
            raise DataError(f"{name} says its shape is {shape}, more than the file holds.")
    with opened() as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise DataError(f"{name} could not be read: {error}.") from error
