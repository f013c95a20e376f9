"""One process per run directory. The kernel frees the lock of a process that dies, however it dies."""

import errno
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlcli.errors import DISK, LOCKED, DlcliError

NAME = "run.lock"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the run directory as long as this lasts.

    Raises: DlcliError naming who holds it (exit code 8), or why nothing can be written there (5).
    """
    try:
        descriptor = os.open(path / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise DlcliError(
            f"{path} cannot be written: {error.strerror}.", "copy it to another place, and go on there.", code=DISK
        ) from None
    try:
        if not _taken(descriptor):
            raise busy(path, descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
        yield
    finally:
        os.close(descriptor)


def check(path: Path) -> None:
    """Raises as `held` does when another process holds the run directory now."""
    try:
        descriptor = os.open(path / NAME, os.O_RDWR)
    except OSError:
        return
    try:
        if not _taken(descriptor):
            raise busy(path, descriptor)
    finally:
        os.close(descriptor)


def busy(path: Path, descriptor: int) -> DlcliError:
    try:
        holder = json.loads(os.pread(descriptor, 1000, 0))
        who = f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    return DlcliError(f"{path} is in use by {who}.", "wait for it, or choose another --out.", code=LOCKED)


def _taken(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: a run is its user's to keep to one process
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
    return True
