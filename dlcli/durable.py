"""Files and folders that a crash leaves whole: the old, or the new, never a part of one.

Every write, sync and rename that a run's safety rests on is made here, by the functions of `os`.
"""

import io
import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, parts: Iterable) -> None:
    """A new file of these bytes, one buffer after another; on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Raw(io.FileIO):
    def write(self, data) -> int:
        return os.write(self.fileno(), data)


class Stream(io.BufferedWriter):
    """A new file for `model.save`.

    Keras is given an open file, which has no path, because with a path it lets HDF5 write weights of more than 512 MB
    into a file of another name beside it: kill -9 leaves that there, and where the disk is full HDF5 cannot close it,
    which ends in a RuntimeError or in a signal.
    """

    def __init__(self, path: Path):
        super().__init__(_Raw(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), "w"))

    def __str__(self) -> str:
        return "model.keras"  # what Keras reads the format from


def replace(temporary: Path, target: Path) -> None:
    """Put a finished file in the place of another, in one step."""
    sync(temporary)
    os.replace(temporary, target)
    sync(target.parent)


def folder(target: Path, files: dict[str, Iterable]) -> None:
    """A new folder with these files, whole or not at all. `target` must not exist.

    Files are synced before the folder's entries, those before the rename, and that before this returns:
    after a power failure too there is either nothing under the name, or all of it.
    """
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")
    try:
        os.mkdir(temporary)
        for name, parts in files.items():
            write(temporary / name, parts)
        sync(temporary)
        os.rename(temporary, target)
        sync(target.parent)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def remove(target: Path) -> None:
    """Take a folder away: it loses its name first, so that no half of it is ever found under that."""
    doomed = target.with_name(f"{TEMPORARY}{os.getpid()}-old-{target.name}")
    os.rename(target, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# What is being written has a name that begins like this, then a process id; a crash leaves such names behind.
TEMPORARY = ".tmp-"


def sweep(place: Path) -> None:
    """Take away what processes that were killed have left in a folder of ours."""
    for left in place.glob(f"{TEMPORARY}[0-9]*-*") if place.is_dir() else ():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
