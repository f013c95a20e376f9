"""The bytes of a user's file: of a regular one only, never too many, and of large ones one at a time."""

import io
import os
import stat
import threading
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

MAX_BYTES = 1 << 28
LARGE_BYTES = 1 << 25

_ALONE = threading.RLock()


class Packed(NamedTuple):
    """A file that lies in another one, and is given by its bytes where a path is asked for."""

    data: bytes


class Unreadable(Exception):
    """Why a file is not one that can be used, in a few words."""


@contextmanager
def held(path: str | Packed):
    """The bytes of a file; while those of a large one are in memory, other threads wait with theirs.

    Raises: Unreadable.
    """
    with turn(size(path) > LARGE_BYTES):
        yield read(path)


def size(path: str | Packed) -> int:
    """Of a file, in bytes. Raises: Unreadable."""
    if isinstance(path, Packed):
        return len(path.data)
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise _refused(path, error) from error


def turn(large: bool):
    """A large thing waits until no other thread holds one: threads do not multiply memory."""
    return _ALONE if large else nullcontext()


def read(path: str | Packed) -> bytes:
    """The bytes of a file.

    Raises: Unreadable.
    """
    with open_file(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES >> 20} MB")
    return data


@contextmanager
def open_file(path: str | Packed):
    """The file, open.

    Raises: Unreadable when the system refuses.
    """
    if isinstance(path, Packed):
        yield io.BytesIO(path.data)
        return
    try:
        # A named pipe would else wait for its writer.
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    except OSError as error:
        raise _refused(path, error) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("no regular file")
        try:
            yield file
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error


def _refused(path: str, error: OSError) -> Unreadable:
    lost = os.path.islink(path) and not os.path.exists(path)
    return Unreadable("a link to nothing" if lost else error.strerror or str(error))
