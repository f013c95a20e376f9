"""Which files belong together: train, validation and test parts, told by their names."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from dlcli.errors import DataError
from dlcli.formats import _pieces

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
# Endings that say it, as in the UCI repository: adult.data and adult.test, pendigits.tra and .tes, sat.trn and .tst.
ENDINGS = {".data": "train", ".tra": "train", ".trn": "train", ".tes": "test", ".tst": "test"}
ORDER = ("train", "val", "test", "all")
# Files that stand beside data and are none.
BESIDE = ("readme", "license", "licence", "source", "sha256sums", "changelog", "notice", "citation")


def part_of(name: str) -> tuple[str, str]:
    """ "adult-train.csv" -> ("train", "adult-*.csv"); "adult.data" -> ("train", "adult.*"); other names -> ("", name)."""
    name = _pieces.whole(name)
    found = TOKEN.search(name)
    if not found:
        stem, dot, ending = name.rpartition(".")
        part = ENDINGS.get((dot + ending).lower(), "")
        return (part, f"{stem}.*") if part else ("", name)
    return PARTS[found[1].lower()], name[: found.start()] + "*" + name[found.end() :]


def is_note(name: str) -> bool:
    """Whether a file of that name says something of the data and is none: README, poldata.README.2.0."""
    return name.lower().startswith(BESIDE) or ".readme" in name.lower()


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
    if len(training) > 1:  # a word in a name says more than an ending
        training = [file for file in training if TOKEN.search(file.name)]
    return _with_siblings(training[0], candidates) if len(training) == 1 else {}


def problem(path: Path, suffix: str) -> dict[str, Path]:
    """NAME_TRAIN and NAME_TEST with that suffix, by split. In a folder with several names, the one named as the folder."""
    endings = {"train": f"_TRAIN{suffix}", "test": f"_TEST{suffix}"}
    if path.is_file():
        folder = path.parent
        name = next((path.name.removesuffix(e) for e in endings.values() if path.name.endswith(e)), None)
    elif path.is_dir():
        folder = path
        names = sorted(file.name.removesuffix(endings["train"]) for file in path.glob("*" + endings["train"]))
        name = path.name if path.name in names else names[0] if len(names) == 1 else None
    else:
        return {}
    if name is None:
        return {}
    files = {split: folder / f"{name}{ending}" for split, ending in endings.items()}
    return {split: file for split, file in files.items() if file.is_file()}


def called_as(part: str, file: Path, folders: Iterable[Path]) -> list[Path]:
    """The folders, first those that are called as the split is to which the file's rows belong.

    Rows in one heap belong to training, whatever is to be cut from it, unless the name of their file says otherwise:
    where both folders have a 0.png, the labels are those of train/0.png.
    """
    wanted = part if part != "all" else part_of(file.name)[0] or "train"
    return sorted(folders, key=lambda folder: part_of(folder.name)[0] != wanted)


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
