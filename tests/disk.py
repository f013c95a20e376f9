"""Stands in for `os` in dlcli.durable: lets the k-th call fail, or writes down what reaches the disk, and in which order."""

import os
import shutil
from pathlib import Path


class Failing:
    """`os` whose k-th write, fsync, rename, replace, mkdir or open raises; the others work."""

    CALLS = ("write", "fsync", "rename", "replace", "mkdir", "open")

    def __init__(self, k: int, number: int):
        self.left, self.number = k, number
        self.failed = ""

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in self.CALLS:
            return real

        def call(*arguments, **options):
            self.left -= 1
            if self.left == 0:
                self.failed = name
                raise OSError(self.number, os.strerror(self.number), "somewhere")
            return real(*arguments, **options)

        return call


class Recorder:
    """`os` that works, and keeps the order of what it was asked for."""

    def __init__(self):
        self.log: list[tuple] = []
        self.open_files: dict[int, str] = {}

    def __getattr__(self, name):
        return getattr(os, name)

    def open(self, path, *arguments, **options):
        descriptor = os.open(path, *arguments, **options)
        self.open_files[descriptor] = str(path)
        return descriptor

    def write(self, descriptor, data):
        written = os.write(descriptor, data)
        self.log.append(("write", self.open_files[descriptor], bytes(data[:written])))
        return written

    def fsync(self, descriptor):
        os.fsync(descriptor)
        self.log.append(("fsync", self.open_files[descriptor]))

    def mkdir(self, path, *arguments):
        os.mkdir(path, *arguments)
        self.log.append(("mkdir", str(path)))

    def rename(self, old, new):
        os.rename(old, new)
        self.log.append(("rename", str(old), str(new)))

    replace = rename


def after_power_loss(log: list[tuple], root: Path, target: Path) -> None:
    """What a disk may hold that kept only what was synced: bytes by fsync of their file, names by fsync of their folder.

    root is copied to target as it was before the log; names that were not synced are lost, as are bytes.
    """
    bytes_of: dict[str, bytes] = {}
    safe: dict[str, bytes] = {}
    pending: list[tuple] = []
    done: list[tuple] = []
    for entry in log:
        kind, path = entry[0], entry[1]
        if kind == "write":
            bytes_of[path] = bytes_of.get(path, b"") + entry[2]
            pending.append(("name", path))
        elif kind in ("mkdir", "rename"):
            pending.append((kind, *entry[1:]))
        elif path in bytes_of:
            safe[path] = bytes_of.get(path, b"")
        else:  # a folder: the names in it are safe from now on
            kept = [one for one in pending if str(Path(one[-1]).parent) == path]
            pending = [one for one in pending if one not in kept]
            done += kept
    for entry in done:
        if entry[0] == "rename":
            old, new = entry[1], entry[2]
            for name, held in safe.items():
                # a file of the folder that was renamed has its name only if that folder's names were synced
                inside = Path(name).parent == Path(old) and ("name", name) in done
                if inside or name == old:
                    place = target / Path(name.replace(old, new, 1)).relative_to(root)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(held)


def copied(folder: Path, target: Path) -> Path:
    """A copy to do harm to."""
    return Path(shutil.copytree(folder, target))
