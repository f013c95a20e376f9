"""Pictures that a table names, with their endings or, as competitions give them, without."""

import os
import re
from itertools import islice
from pathlib import Path

from dlcli.formats import _files
from dlcli.formats._image_files import folders, is_named_picture, pictures

LOOKED_AT = 20  # cells of a column, and files of a folder
_THERE = 0.8  # share of the names whose pictures are there; the others are told by whoever opens them


def completed(path: Path, sheets: dict, files: dict[str, Path]) -> dict:
    """The sheets with endings behind the cells of columns whose first cells, all different, are such names but for a few.

    files: those in which the sheets stand.
    """
    folder = path if path.is_dir() else path.parent
    rooms = _rooms([folder, *folders(folder)])
    if not rooms:
        return sheets
    ordered = {part: {room: rooms[room] for room in _files.called_as(part, files[part], rooms)} for part in sheets}
    return {part: _completed(frame, ordered[part]) for part, frame in sheets.items()}


def root_of(path: Path, names: list[str], part: str, file: Path) -> Path:
    """Where pictures of these names lie: beside the table or in one of its folders.

    The one that is called as the split is wins over others of the same names, also when it lacks a few.
    """
    folder = path if path.is_dir() else path.parent
    roots = _files.called_as(part, file, [folder, *sorted(item for item in folder.iterdir() if item.is_dir())])
    there = {root: [(root / name).is_file() for name in names[:50]] for root in roots}
    return next((root for root in roots if _mostly(there[root])), max(roots, key=lambda root: sum(there[root])))


def listed(folder: Path) -> bool:
    """Whether a table in the folder names pictures that are there: it then says more of them than their folders."""
    tables = [file for file in folder.iterdir() if file.suffix.lower() in (".csv", ".tsv") and file.is_file()]
    roots = [folder, *folders(folder)] if tables else []
    rooms = _rooms(roots)
    for file in tables:
        with file.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(2_000).replace('"', "")
        lines = [[cell.strip() for cell in re.split(r"[,;\t]", line)] for line in text.splitlines()]
        names = [cell for cells in lines for cell in cells if is_named_picture(cell)][:5]
        if _mostly(any((root / name).is_file() for root in roots) for name in names):
            return True
        rows = [] if names else lines[1:6]
        if _mostly(any(_where([cell], rooms) for cell in cells) for cells in rows):
            return True
    return False


def _rooms(roots: list[Path]) -> dict[Path, list[str]]:
    """Those of the folders that hold pictures, each with its usual endings as they are written there."""
    found = {}
    for room in roots:
        if not os.access(room, os.R_OK | os.X_OK):
            continue
        first = islice((file for file in room.iterdir() if is_named_picture(file)), LOOKED_AT)
        if endings := sorted({file.suffix for file in first}):
            found[room] = endings
    return found


def _completed(frame, rooms: dict[Path, list[str]]):
    changed = []
    for name in frame.columns:
        cells = frame[name].head(LOOKED_AT).to_list()
        if len(set(cells)) == len(cells) and (room := _where(cells, rooms)):
            there = {file.stem: file.name for file in pictures(room)}
            absent = [cell for cell in frame[name].unique() if _is_name(cell) and cell not in there]
            changed.append(frame[name].replace(there | {cell: cell + rooms[room][0] for cell in absent}))
    return frame.with_columns(changed)


def _where(cells: list[str], rooms: dict[Path, list[str]]) -> Path | None:
    """The first folder that holds pictures of these names, of nearly all at least."""
    for room, endings in rooms.items():
        if _mostly(_is_name(cell) and any((room / (cell + end)).is_file() for end in endings) for cell in cells):
            return room
    return None


def _mostly(there) -> bool:
    found = list(there)
    return bool(found) and sum(found) >= _THERE * len(found)


def _is_name(cell: str | None) -> bool:
    return bool(cell) and len(cell) < 200 and not set(cell) & set("/\\\0") and not is_named_picture(cell)
