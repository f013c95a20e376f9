"""Text files whose lines begin with a label: `1 a fine film` or `__label__spam buy now`."""

import re
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError, some
from dlcli.formats import _encoding, _files

SUFFIXES = {"", ".txt", ".all", ".train", ".test", ".dev", ".val", ".valid", ".ft", ".lines"}
LINE = re.compile(r"(-?\d{1,3}|__label__\S+)[ \t]+(\S.*)$")
LABELLED = 0.95  # share of lines that must begin with a label


def matches(path: Path) -> bool:
    return bool(_files.split_files(path, _is_labelled))


def open(path: Path, *, encoding: str | None = None) -> Data:
    """Texts with their labels, as the file has them."""
    files = _files.required(_files.split_files(path, _is_labelled), path, "file of labelled lines")
    splits, warnings = {}, []
    for name, file in files.items():
        text, notes = _encoding.decode(file, encoding)
        warnings += notes
        splits[name] = _examples(file, text, warnings)
    if path.is_file() and len(files) > 1:
        warnings.append(f"used as one data set: {', '.join(file.name for file in files.values())}")
    return Data(kind="texts", splits=splits, about={"target_kind": "classes"}, warnings=warnings)


def _is_labelled(file: Path) -> bool:
    """Nearly all lines begin with one of few labels; numbered headings have many."""
    if file.suffix.lower() not in SUFFIXES or file.name.startswith("."):
        return False
    try:
        with file.open("rb") as stream:
            lines = stream.read(20_000_000).decode("latin-1").split("\n")
    except OSError:
        return False
    lines = [line for line in lines if line.strip()]
    found = [match[1] for match in map(LINE.match, lines) if match]
    labels = len(set(found))
    return len(lines) >= 4 and len(found) >= LABELLED * len(lines) and 2 <= labels <= max(2, len(lines) // 4)


def _examples(file: Path, text: str, warnings: list[str]) -> Examples:
    texts, labels, names, empty = [], [], [], []
    # Only "\n" ends a line: splitlines() would also cut at byte 0x85, which Latin-1 texts hold.
    for number, line in enumerate(text.split("\n"), 1):
        match = LINE.match(line.strip())
        if match is None:
            if line.strip():
                empty.append(number)
            continue
        if match[1].startswith("__label__") and match[2].startswith("__label__"):
            raise DataError(f"{file}, line {number} has several labels.", "one label per text can be learned.")
        labels.append(match[1].removeprefix("__label__"))
        texts.append(match[2].strip())
        names.append(f"{file.name}:{number}")
    if empty:
        warnings.append(f"{len(empty)} lines of {file.name} have no label or no text and are left out: {some(empty)}")
    return Examples(x=texts, y=np.array(labels, dtype=str), names=names)
