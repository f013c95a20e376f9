"""NumPy archives (.npz): x_train, y_train, x_test, y_test, or x and y, or only x.

Bytes of rank 3 or 4 are images, numbers of rank 3 are sequences (N, T, C), rank 2 is a table.
"""

from pathlib import Path

from dlcli.data import Data
from dlcli.errors import DataError
from dlcli.formats import _arrays, _npy


def matches(path: Path) -> bool:
    """Whether the file's name ends in .npz, and says no part of a set whose arrays have files of their own."""
    return path.suffix.lower() == ".npz" and path.is_file() and not _arrays.stands_alone(path)


def open(path: Path, *, kind: str = "auto") -> Data:
    """Arrays by their names.  kind: auto, images, sequences or table, which is what x holds."""
    _arrays.check_kind(kind)
    found, ignored = {}, []
    for name, array in _npy.members(path, _says):
        if array is None:
            ignored.append(name)
            continue
        _, split, what = _arrays.role(name)
        if what in found.setdefault(split, {}):
            raise DataError(f"{path.name} has two arrays for {what} of {split}: {name!r} and another.")
        found[split][what] = array
    return _arrays.data(found, kind=kind, ignored=ignored, where=path.name)


def _says(name: str) -> bool:
    """Whether a name is that of a role, and of nothing besides."""
    role = _arrays.role(name)
    return role is not None and not role[0]
