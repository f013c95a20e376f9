"""NumPy arrays in files of their own: a folder with x_train.npy, y_train.npy and so on, or one of them.

Also archives of one nameless array each, as Kuzushiji-MNIST has them: kmnist-train-imgs.npz, kmnist-train-labels.npz.
"""

from pathlib import Path

from dlcli.data import Data
from dlcli.errors import DataError, some
from dlcli.formats import _arrays, _npy


def matches(path: Path) -> bool:
    """Whether it is such a file, or a folder in which some are named as an x with labels or of a split."""
    if path.is_file():
        return _arrays.stands_alone(path)
    if not path.is_dir():
        return False
    roles = [_arrays.role(file.stem) for file in _files(path)]
    found = {(split, what) for _, split, what in filter(None, roles)}
    return any(what == "x" and (split != "all" or (split, "y") in found) for split, what in found)


def open(path: Path, *, kind: str = "auto") -> Data:
    """Arrays by the names of their files.  kind: auto, images, sequences or table, which is what x holds."""
    _arrays.check_kind(kind)
    found, sets, ignored = {}, set(), []
    for file in _files(path) if path.is_dir() else _with_others(path):
        role = _arrays.role(file.stem)
        if role is None and file != path:
            ignored.append(file.name)
            continue
        of, split, what = role or ("", "all", "x")
        sets.add(of)
        if what in found.setdefault(split, {}):
            raise DataError(f"{path.name} has two files for {what} of {split}: {file.name} and another.")
        found[split][what] = file
    if len(sets) > 1:
        raise DataError(
            f"{path} holds {len(sets)} sets: {some(sorted(sets))}.",
            "give each set a folder of its own, or name one file of its x.",
        )
    arrays = {split: {what: _npy.one(file) for what, file in pair.items()} for split, pair in found.items()}
    return _arrays.data(arrays, kind=kind, ignored=ignored, where=path.name)


def _files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.iterdir()) if _arrays.stands_alone(file)]


def _with_others(path: Path) -> list[Path]:
    """A file, and what belongs to it: labels of the same split; a training part brings along the other splits."""
    asked = _arrays.role(path.stem)
    if asked is None:
        return [path]
    of, split, _ = asked
    beside = [(file, _arrays.role(file.stem)) for file in _files(path.parent)]
    mine = [(file, role) for file, role in beside if role and role[0] == of]
    return [file for file, role in mine if role[1] == split or (split == "train" and role[1] != "all")]
