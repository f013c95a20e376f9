"""Delimited text, read line by line -> a polars frame of stripped strings, and the first row apart."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.errors import NAMED, DataError, allowing, some
from dlcli.formats import _encoding, _files, _room

DELIMITERS = {"\t": "tab", ";": ";", "|": "|", ",": ","}
# Endings of tables that spaces may stand in, and lines of remarks that begin with a bar (C4.5's files at the UCI repository).
BARE = {".dat", ".test", ".txt", *_files.ENDINGS}
CHUNK = 50_000  # rows turned into columns at a time, so that lists of strings stay small
HEAD = 1 << 16  # characters that the delimiter is found from
LONGEST = 10_000_000  # characters of one field

# Columns. Finding what one holds takes 3 ms, so that more would take minutes.
MOST = 10_000


@dataclass
class Rows:
    """`frame` holds all rows but the first; `first` is that one; `lost` are lines left out: (line, width);
    `mark` stands between cells."""

    frame: object  # polars.DataFrame
    first: list[str]
    lost: list[tuple[int, int]] = field(default_factory=list)
    mark: str = ","


def read(path: Path, encoding: str, *, delimiter: str | None, unreadable: float) -> Rows:
    """The table in a file. unreadable: the fraction of rows of another width that may be left out.

    Raises: DataError with the line of what does not fit.
    """
    head = _head(path, encoding)
    delimiter = delimiter or mark_of(path, head)
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise DataError(f"data.delimiter={delimiter!r} is not one character that can stand between fields.")
    _room.check(_needed(path, head, delimiter), f"{path} as a table")
    quoted = delimiter != "\t" or _quotes_fit(_encoding.lines(path, encoding))
    try:
        return _parse(path, _lines(path, encoding, delimiter), delimiter, quoted, unreadable)
    except csv.Error as error:
        if not quoted:
            raise _unclear(path, error) from None
    # Spaces between a closing quote and the delimiter are no fault of the data.
    space = re.compile(rf'"[ \t]+(?={re.escape(delimiter)}|\n|$)')
    mended = (space.sub('"', line) for line in _lines(path, encoding, delimiter))
    try:
        return _parse(path, mended, delimiter, quoted, unreadable)
    except csv.Error as error:
        raise _unclear(path, error) from None


def mark_of(path: Path, head: str) -> str:
    """The delimiter of a file with that ending and that beginning."""
    mark = "\t" if path.suffix.lower() in (".tsv", ".tab") else find(head)
    return " " if path.suffix.lower() in BARE and _spaced(head, mark) else mark


def find(head: str) -> str:
    """The delimiter that cuts the first lines into most equal rows; a comma when none does."""
    best = (0.0, 0, ",")
    for place, mark in enumerate(DELIMITERS):
        widths = _widths(head, mark)
        common = max(set(widths), key=widths.count) if widths else 0
        if common > 1:
            best = max(best, (widths.count(common) / len(widths), -place, mark))
    return best[2]


def _spaced(head: str, mark: str) -> bool:
    """Whether runs of spaces and tabs cut the first lines into equal rows, of more cells than the mark does."""
    spaced, marked = _widths("".join(map(_trimmed, head.splitlines())), " "), _widths(head, mark)
    if not marked or len(set(spaced)) != 1 or spaced[0] < 2:
        return False
    return max(marked) == 1 or (mark == "\t" and spaced[0] > max(marked))


def _widths(head: str, mark: str) -> list[int]:
    """Cells of each of the first rows; none where quotes do not fit."""
    try:
        rows = [row for row in csv.reader(io.StringIO(head), delimiter=mark, skipinitialspace=True) if row]
    except csv.Error:
        return []
    return [len(row) for row in rows[:200]]


def _lines(path: Path, encoding: str, delimiter: str) -> Iterator[str]:
    found = _encoding.lines(path, encoding)
    if path.suffix.lower() in BARE and delimiter != "|":
        found = (line for line in found if not line.startswith("|"))
    return map(_trimmed, found) if delimiter == " " else found


def _trimmed(line: str) -> str:
    return line.replace("\t", " ").strip() + "\n"


def _head(path: Path, encoding: str) -> str:
    """The first whole lines, or the first characters where there is no whole line."""
    with path.open(encoding=encoding) as file:
        head = file.read(HEAD)
    return head[: head.rfind("\n") + 1] or head


def _needed(path: Path, head: str, delimiter: str) -> float:
    """Bytes that the table takes at its peak, found from its head: 16 for a cell, its text once more
    where it is long, twice while a column is taken apart; and a row of Python's for finding duplicates."""
    rows = head.count("\n") or 1
    cells = rows + head.count(delimiter)
    return path.stat().st_size * (3 + (30 * cells + 150 * rows) / max(1, len(head)))


def _quotes_fit(lines: Iterable[str]) -> bool:
    """In tab-separated text a quote mark is mostly just a quote mark: `"Happy birthday" he said`.
    It counts as quoting only where every field that begins with one ends with one on its line."""
    fields = (cell for line in lines if '"' in line for cell in line.rstrip("\n").split("\t"))
    return all(len(cell) > 1 and cell.endswith('"') for cell in fields if cell.startswith('"'))


def _parse(path: Path, lines: Iterator[str], delimiter: str, quoted: bool, unreadable: float) -> Rows:
    """Rows as columns. Raises: csv.Error(line, what) for quotes that do not fit; DataError for widths."""
    import polars as pl

    csv.field_size_limit(LONGEST)
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=quoted, strict=True)
    first, chunk, done, lost, count = None, [], [], [], 0
    start = 1  # line where the row begins: a quoted field may hold line ends
    try:
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                start = reader.line_num + 1
                continue
            count += 1
            if first is None:
                first = [cell.strip() for cell in row]
                if len(first) > MOST:
                    raise DataError(
                        f"{path} has {len(first):,} columns; at most {MOST:,} can be told apart.",
                        "save many numbers per row as arrays x and y in an .npz file.",
                    )
            elif len(row) != len(first):
                lost.append((start, len(row)))
                if not unreadable and len(lost) > NAMED:
                    break
            else:
                chunk.append(row)
                if len(chunk) * len(first) >= CHUNK * 10:
                    done.append(_frame(chunk))
                    chunk = []
            start = reader.line_num + 1
    except csv.Error as error:
        many = reader.line_num > start or "unexpected end" in str(error)
        what = "a quote that is never closed" if many else f"a row that cannot be read ({error})"
        raise csv.Error(start, what) from None
    if first is None:
        raise DataError(f"{path} is empty.")
    if len(lost) > unreadable * count:
        raise _ragged(path, lost, count, len(first), delimiter, unreadable)
    if chunk:
        done.append(_frame(chunk))
    empty = pl.DataFrame({f"column_{i}": pl.Series([], dtype=pl.String) for i in range(len(first))})
    return Rows(pl.concat(done) if done else empty, first, lost, delimiter)


def _frame(rows: list[list[str]]):
    import polars as pl

    frame = pl.DataFrame(
        [pl.Series(f"column_{i}", values, dtype=pl.String) for i, values in enumerate(zip(*rows, strict=True))]
    )
    return frame.with_columns(pl.all().str.strip_chars())


def _ragged(path, lost, count, width, delimiter, unreadable) -> DataError:
    line, other = lost[0]
    more = f"; so have {len(lost) - 1} more lines" if len(lost) > 1 else ""
    message = f"{path}, line {line}: {other} fields where the first line has {width}{more}."
    hint = f"delimiter found: {DELIMITERS.get(delimiter, delimiter)!r}; another: --set data.delimiter=';'."
    if delimiter == "," and all(other > width for _, other in lost) and len(lost) >= min(NAMED, count - 1):
        hint += " A cell that holds a comma is quoted; a decimal comma needs another delimiter."
    elif len(lost) <= min(NAMED, 0.5 * count):
        hint += f" To leave such lines out: {allowing(len(lost) / count)}."
    return DataError(message, hint)


def _unclear(path: Path, error: csv.Error) -> DataError:
    line, what = error.args
    return DataError(f"{path}, line {line}: {what}.", "check the quote marks and the delimiter there.")


def left_out(path: Path, rows: Rows) -> list[str]:
    """A warning that says which lines were left out."""
    if not rows.lost:
        return []
    lines = some([f"{line} ({width} fields)" for line, width in rows.lost], NAMED)
    return [f"{len(rows.lost)} lines of {path.name} do not have {len(rows.first)} fields and are left out: {lines}"]
