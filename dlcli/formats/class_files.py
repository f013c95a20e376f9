"""Texts of two opinions in a file each, one per line: NAME.pos and NAME.neg, or pos.txt and neg.txt."""

from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.formats import _encoding, _files

SIDES = {"pos": "pos", "positive": "pos", "neg": "neg", "negative": "neg"}


def matches(path: Path) -> bool:
    return bool(_files_of(path))


def open(path: Path, *, encoding: str | None = None) -> Data:
    """Lines with the side that their file stands for.  encoding: of the characters (default: what they look like)."""
    texts, labels, names, warnings = [], [], [], []
    for side, file in _files.required(_files_of(path), path, "pair of files with an opinion each").items():
        text, notes = _encoding.decode(file, encoding)
        warnings += notes
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                texts.append(line.strip())
                labels.append(side)
                names.append(f"{file.name}:{number}")
    examples = Examples(x=texts, y=np.array(labels, dtype=str), names=names)
    return Data(kind="texts", splits={"all": examples}, about={"target_kind": "classes"}, warnings=warnings)


def _files_of(path: Path) -> dict[str, Path]:
    """The file of each side: those of a folder, or a file and the one beside it; {} where one is missing."""
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and not (path.is_file() and _side(path)):
        return {}
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        side = _side(file) if file.is_file() else None
        if side in found:
            return {}
        if side:
            found[side] = file
    return found if len(found) == 2 else {}


def _side(file: Path) -> str | None:
    suffix = file.suffix.lower()
    return SIDES.get(file.stem.lower()) if suffix == ".txt" else SIDES.get(suffix.removeprefix("."))
