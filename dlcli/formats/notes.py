"""Music in voices: CSV files whose columns note0, note1, ... hold a MIDI number for each voice, row by row."""

import csv
from pathlib import Path

from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.formats import _files

# A note is one character, so that a language model over characters is one over notes: Braille has
# 256 signs, the rest (0) and 127 notes are the first of them.
FIRST_SIGN = 0x2800


def matches(path: Path) -> bool:
    return bool(_splits(path))


def open(path: Path) -> Data:
    """One document per file: the voices of each row in turn, a rest being note 0."""
    splits = {
        split: Examples(x=[_read(file) for file in files], names=[file.name for file in files])
        for split, files in _files.required(_splits(path), path, "table of notes").items()
    }
    return Data(kind="corpus", splits=splits, about={"target_kind": "none"})


def _splits(path: Path) -> dict[str, list[Path]]:
    """Files by the folders train, valid and test; or all of one folder."""
    if path.is_file():
        return {"all": [path]} if _holds_notes(path) else {}
    if not path.is_dir():
        return {}
    if files := _inside(path):
        return {"all": files}
    folders = {_files.PARTS.get(item.name.lower()): item for item in sorted(path.iterdir()) if item.is_dir()}
    if "train" not in folders:
        return {}
    parts = {part: _inside(folders[part]) for part in _files.ORDER if part in folders}
    return parts if all(parts.values()) else {}


def _inside(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.iterdir()) if file.is_file() and _holds_notes(file)]


def _holds_notes(file: Path) -> bool:
    if file.suffix.lower() != ".csv":
        return False
    with file.open(encoding="utf-8", errors="replace") as stream:
        names = stream.readline(2000).strip().split(",")
    return names == [f"note{i}" for i in range(len(names))]


def _read(file: Path) -> str:
    signs = []
    with file.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.reader(stream), 1):
            if number == 1 or not row:
                continue
            try:
                notes = [int(cell) for cell in row]
            except ValueError as error:
                raise DataError(f"{file}, line {number}: {error}.", "a note is a whole number, 0 is a rest.") from None
            if not all(0 <= note <= 127 for note in notes):
                raise DataError(f"{file}, line {number} has {notes}, not all from 0 to 127.", "notes are MIDI numbers.")
            signs += [chr(FIRST_SIGN + note) for note in notes]
    return "".join(signs)
