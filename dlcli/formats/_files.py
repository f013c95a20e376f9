"""Which files belong together: train, validation and test parts, told by their names."""

import re
from collections.abc import Callable
from pathlib import Path

from dlcli.errors import DataError

PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
TOKEN = re.compile(r"(?<![A-Za-z])(" + "|".join(sorted(PARTS, key=len, reverse=True)) + r")(?![A-Za-z])", re.IGNORECASE)
ORDER = ("train", "val", "test", "all")


def part_of(name: str) -> tuple[str, str]:
    """ "adult-train.csv" -> ("train", "adult-*.csv"); a name without such a word -> ("", name)."""
    found = TOKEN.search(name)
    if not found:
        return "", name
    return PARTS[found[1].lower()], name[: found.start()] + "*" + name[found.end() :]


def split_files(path: Path, accept: Callable[[Path], bool]) -> dict[str, Path]:
    """Files of one data set by split: {"train": …, "test": …} or {"all": …}; {} when unclear.

    A file whose name says "train" brings along its siblings that differ in that word alone.
    """
    if path.is_file():
        if not accept(path):
            return {}
        part, pattern = part_of(path.name)
        if part != "train":
            return {"all": path}
        siblings = [file for file in sorted(path.parent.iterdir()) if part_of(file.name)[1] == pattern]
        return _with_siblings(path, [file for file in siblings if file.is_file() and accept(file)])
    if not path.is_dir():
        return {}
    candidates = [
        file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".") and accept(file)
    ]
    if len(candidates) == 1:
        return {"all": candidates[0]}
    training = [file for file in candidates if part_of(file.name)[0] == "train"]
    return _with_siblings(training[0], candidates) if len(training) == 1 else {}


def required(files: dict, path: Path, what: str) -> dict:
    """The files found. Raises: DataError when there are none (a format was named that does not fit)."""
    if not files:
        raise DataError(f"{path} holds no {what}, or several whose parts cannot be told by their names.")
    return files


def _with_siblings(train: Path, candidates: list[Path]) -> dict[str, Path]:
    _, pattern = part_of(train.name)
    found = {"train": train}
    for file in candidates:
        part, other = part_of(file.name)
        if part and part not in found and other == pattern:
            found[part] = file
    if len(found) == 1:
        return {"all": train}
    return {part: found[part] for part in ORDER if part in found}
