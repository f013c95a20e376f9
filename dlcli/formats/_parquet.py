"""Parquet files, read for the first time in a process that may be lost -> a polars frame of stripped strings.

A column of whole picture files, as the data sets of Hugging Face have it ({bytes, path}, or bytes alone), becomes one of
names, beside what they name; numbers that stand for classes become their names where the file's notes say them.

A file of some kilobytes can ask for any amount of memory, and a damaged one can end the process
that reads it. So another one reads it first, with no more memory than is free, and says what it holds.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dlcli.errors import DataError, some
from dlcli.file_bytes import Packed
from dlcli.formats import _room
from dlcli.formats._delimited import MOST

LIMIT = 120  # seconds for the first reading
ADDRESSES = 1 << 32  # a process needs more addresses than memory: polars' threads and pools

_FIRST = """
import json, resource, sys
path, room = sys.argv[1], int(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
room = room if hard == resource.RLIM_INFINITY else min(room, hard)
import polars as pl
resource.setrlimit(resource.RLIMIT_AS, (room, hard))
schema = pl.read_parquet_schema(path)
def holds_files(kind):
    fields = {part.name: part.dtype for part in kind.fields} if kind == pl.Struct else {}
    return kind == pl.Binary or (set(fields) == {"bytes", "path"} and fields["bytes"] == pl.Binary)
packed = [name for name, kind in schema.items() if holds_files(kind)]
nested = [name for name, kind in schema.items() if kind.is_nested() or kind == pl.Binary]
said = {"columns": len(schema), "nested": [name for name in nested if name not in packed], "packed": packed}
said["rows"] = pl.scan_parquet(path).select(pl.len()).collect().item()
if not said["nested"] and said["columns"] * said["rows"] * 32 < room:
    whole = pl.read_parquet(path)
    cells = pl.all().exclude(packed).cast(pl.String).str.len_bytes().cast(pl.Float64).sum()
    said["bytes"] = sum(value or 0 for value in whole.select(cells).row(0)) if len(packed) < len(schema) else 0
    for name in packed:
        column = whole[name] if schema[name] == pl.Binary else whole[name].struct.field("bytes")
        said["bytes"] += column.bin.size().sum() or 0
print(json.dumps(said))
"""


def read(path: Path):
    """The frame, and by the names of its columns of pictures the `Packed` ones by their own names.

    Raises: DataError for a file that cannot be read, is nested, or does not fit into memory.
    """
    said = _first_look(path)
    if said["nested"]:
        raise DataError(
            f"{path} has nested or binary columns: {some(said['nested'])}.", "only flat columns can be used."
        )
    if said["columns"] > MOST:
        raise DataError(f"{path} has {said['columns']:,} columns; at most {MOST:,} can be told apart.")
    if not said["rows"] or not said["columns"]:
        raise DataError(f"{path} has no rows.")
    cells = said["rows"] * said["columns"]
    _room.check(40 * cells + 3 * said.get("bytes", 0), f"{path} with {said['rows']:,} rows")
    return frame(path, said["packed"])


def frame(path: Path, packed: Sequence[str] = ()):
    """The cells as text, and the pictures in these columns, without a first look."""
    import polars as pl

    pictures = {}
    try:
        cells, notes = pl.read_parquet(path), pl.read_parquet_metadata(path)
        for column in packed:
            names = [f"{path.name} row {row}" for row in range(1, cells.height + 1)]
            data = cells[column] if cells[column].dtype == pl.Binary else cells[column].struct.field("bytes")
            pictures[column] = {name: Packed(one or b"") for name, one in zip(names, data, strict=True)}
            cells = cells.with_columns(pl.Series(column, names))
        cells = cells.with_columns(pl.all().cast(pl.String).str.strip_chars().fill_null(""))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _unreadable(path, str(error)) from None
    for column, names in _classes(notes, cells.columns).items():
        # -1 is where the answer is kept back
        called = {str(number): name for number, name in enumerate(names)} | {"-1": "", "": ""}
        if cells[column].is_in(list(called)).all():
            cells = cells.with_columns(cells[column].replace_strict(called, return_dtype=pl.String))
    return cells, pictures


def _classes(notes: dict[str, str], columns: Sequence[str]) -> dict[str, list[str]]:
    """Names of classes by the columns whose numbers stand for them, from what Hugging Face's library notes in a file."""
    try:
        features = json.loads(notes.get("huggingface", "{}"))["info"]["features"]
        said = {column: features[column]["names"] for column in columns if "names" in features.get(column, {})}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {
        column: names
        for column, names in said.items()
        if isinstance(names, list) and all(isinstance(name, str) and name.strip() for name in names)
    }


def _first_look(path: Path) -> dict:
    room = int(_room.SHARE * _room.free()) + ADDRESSES
    try:
        done = subprocess.run(
            [sys.executable, "-c", _FIRST, str(path), str(room)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unreadable(path, f"reading took more than {LIMIT} s") from None
    if done.returncode == 0:
        return json.loads(done.stdout)
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(" ")]
    if any(line.startswith(("memory allocation", "MemoryError")) for line in lines):
        raise _unreadable(path, f"it asks for more memory than the {room / 1e9:.1f} GB that are free")
    if done.returncode < 0:
        raise _unreadable(path, f"it ended the process that read it (signal {-done.returncode})")
    raise _unreadable(path, lines[-1] if lines else "no reason given")


def _unreadable(path: Path, reason: str) -> DataError:
    reason = re.sub(r"^[\w.]+(Error|Exception): ", "", reason.strip()).split("\n")[0].rstrip(".")
    return DataError(f"{path} is no Parquet file that can be read: {reason}.", "write it again, or give it as CSV.")
