"""CIFAR-10 and CIFAR-100 in their binary version: a folder with data_batch_1.bin … test_batch.bin, or train.bin and test.bin.

Krizhevsky's format: each picture is one byte for its class (CIFAR-100: a coarse and a fine one),
then 3 x 32 x 32 bytes, red before green before blue; the names of the classes stand line by line in
batches.meta.txt or fine_label_names.txt.
"""

import re
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.formats import _room

SIDE = 32

# the file of the classes' names: (bytes before a picture, the last of which is its class)
_NAMES = {"batches.meta.txt": 1, "fine_label_names.txt": 2}
_PICKLED = {"batches.meta", "meta"}  # beside files of the Python version
_PARTS = {"train": re.compile(r"^(data_batch_\d+|train)\.bin$"), "test": re.compile(r"^(test_batch|test)\.bin$")}


def matches(path: Path) -> bool:
    """Whether a folder holds the names of the classes and such files, or is the Python version."""
    if not path.is_dir():
        return False
    return _pickled(path) or (any((path / name).is_file() for name in _NAMES) and bool(_files(path)))


def open(path: Path) -> Data:
    """Colour pictures (32, 32, 3) with the names of their classes (of CIFAR-100 the fine ones)."""
    from dlcli.images import ArrayImages

    if _pickled(path):
        raise DataError(
            f"{path} holds CIFAR as Python pickles, which could run code when loaded.", "fetch its binary version."
        )
    named = next(name for name in _NAMES if (path / name).is_file())
    classes = (path / named).read_text(encoding="utf-8", errors="replace").split()
    splits, counts = {}, np.zeros(len(classes), np.int64)
    for split, files in _files(path).items():
        read = [_read(file, before=_NAMES[named], classes=len(classes)) for file in files]
        pixels, labels = (np.concatenate(parts) for parts in zip(*read, strict=True))
        splits[split] = Examples(x=ArrayImages(pixels), y=np.array(classes)[labels])
        counts += np.bincount(labels, minlength=len(classes))
    if len(splits) == 1:
        splits = {"all": next(iter(splits.values()))}
    about = {"classes": classes, "size": (SIDE, SIDE, 3), "counts": dict(zip(classes, counts.tolist(), strict=True))}
    return Data(kind="images", splits=splits, about=about)


def _pickled(path: Path) -> bool:
    return any((path / name).is_file() for name in _PICKLED) and any(
        (path / name).is_file() for name in ("data_batch_1", "train")
    )


def _files(path: Path) -> dict[str, list[Path]]:
    every = sorted(file for file in path.iterdir() if file.is_file())
    found = {split: [file for file in every if name.match(file.name)] for split, name in _PARTS.items()}
    return {split: files for split, files in found.items() if files}


def _read(path: Path, *, before: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, uint8 (N, 32, 32, 3), and the numbers of their classes (N,)."""
    size, row = path.stat().st_size, before + 3 * SIDE * SIDE
    if size == 0 or size % row:
        raise DataError(
            f"{path.name} has {size:,} bytes, no multiple of {row:,} as in CIFAR's binary version.",
            "fetch the file again.",
        )
    _room.check(2 * size, f"{path.name} of {size:,} bytes")  # as it is and as it is used
    rows = np.fromfile(path, np.uint8).reshape(-1, row)
    labels = rows[:, before - 1].astype(np.int64)
    if labels.max() >= classes:
        raise DataError(f"{path.name} has a class {labels.max()}; {classes} names are given.", "fetch the file again.")
    pixels = rows[:, before:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), labels
