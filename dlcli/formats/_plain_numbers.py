"""Tables of numbers whose names end in .txt: told from texts by their first lines."""

import csv
import re
from pathlib import Path

from dlcli.formats import _delimited, _encoding

LINES = 50
HEAD = 1 << 16  # bytes of them
# Share of cells that must be numbers, times or missing: two in three are of `7<tab>a sentence<tab>1`.
NUMERIC = 0.75
NUMBER = re.compile(
    r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?$|\??$|(nan|na|null)$"
    r"|\d{1,4}([-/.]\d{1,2}){2,}(\d\d)?([ T]\d.*)?$|\d{1,2}[:.]\d\d([:.]\d\d)?$",
    re.IGNORECASE,
)
FEW = 50  # numbers from which a single line of them is a series


def is_table(file: Path) -> bool:
    """Whether the first lines split evenly into cells, nearly all of them numbers but for those of a header."""
    if file.suffix.lower() != ".txt" or not file.is_file():
        return False
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        return False
    text = head.decode("utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(head) == HEAD and len(lines) > 1:  # the last may be cut
        lines.pop()
    if len(lines) == 1:
        cells = _numbers(lines[0])
        return len(cells) >= FEW and all(NUMBER.match(cell) for cell in cells[:-1])
    try:
        mark = _delimited.mark_of(file, "\n".join(lines))
        rows = list(csv.reader(lines[:LINES], delimiter=mark, skipinitialspace=True))
    except csv.Error:
        return False
    cells = [cell.strip() for row in rows[1:] for cell in row]
    if len(rows) < 4 or len({len(row) for row in rows}) > 1:
        return False
    return sum(NUMBER.match(cell) is not None for cell in cells) >= NUMERIC * len(cells)


def in_one_line(file: Path, encoding: str) -> list[str]:
    """The numbers of a file that has all of them in one line; [] where it has several."""
    found: list[str] = []
    for line in _encoding.lines(file, encoding) if file.suffix.lower() == ".txt" else ():
        if found and line.strip():
            return []
        found = found or _numbers(line)
    return found if len(found) >= FEW else []


def _numbers(line: str) -> list[str]:
    return line.replace(",", " ").split()
