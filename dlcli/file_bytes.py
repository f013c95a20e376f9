"""The bytes of a user's file: of a regular one only, never too many, and of large ones one at a time."""

import os
import stat
import threading
from contextlib import contextmanager, nullcontext

MAX_BYTES = 1 << 28
LARGE_BYTES = 1 << 25

_ALONE = threading.RLock()


class Unreadable(Exception):
    """Why a file is not one that can be used, in a few words."""


@contextmanager
def held(path: str):
    """The bytes of a file; while those of a large one are in memory, other threads wait with theirs.

    Raises: Unreadable.
    """
    with open_file(path) as file:
        large = os.fstat(file.fileno()).st_size > LARGE_BYTES
    with turn(large):
        yield read(path)


def turn(large: bool):
    """A large thing waits until no other thread holds one: threads do not multiply memory."""
    return _ALONE if large else nullcontext()


def read(path: str) -> bytes:
    """The bytes of a file.

    Raises: Unreadable.
    """
    with open_file(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES >> 20} MB")
    return data


@contextmanager
def open_file(path: str):
    """The file, open.

    Raises: Unreadable when the system refuses.
    """
    try:
        # A named pipe would else wait for its writer.
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    except OSError as error:
        lost = os.path.islink(path) and not os.path.exists(path)
        raise Unreadable("a link to nothing" if lost else error.strerror or str(error)) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("no regular file")
        try:
            yield file
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error
