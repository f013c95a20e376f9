"""JSON lines: a flat object per line -> a polars frame of stripped strings."""

import json
import re
from pathlib import Path

from dlcli.errors import NAMED, DataError, counted, some
from dlcli.formats import _encoding, _room
from dlcli.formats._delimited import MOST

CHUNK = 50_000
SURROGATE = re.compile("[\ud800-\udfff]")


def read(path: Path, encoding: str, *, unreadable: float):
    """The frame, and a warning for lines left out. unreadable: the fraction that may be.

    Raises: DataError with the line of what does not fit.
    """
    import polars as pl

    _room.check(8 * path.stat().st_size, f"{path} as a table")
    rows, names, done, lost, count = [], {}, [], {}, 0
    for line, text in enumerate(_encoding.lines(path, encoding), 1):
        if not text.strip():
            continue
        count += 1
        try:
            row = _row(path, line, text)
        except DataError as error:
            lost[line] = error
            if not unreadable:
                break
            continue
        names.update(dict.fromkeys(row))
        if len(names) > MOST:
            raise DataError(f"{path}, line {line}: more than {MOST:,} different keys.", "each key is a column.")
        rows.append(row)
        if len(rows) * len(names) >= 10 * CHUNK:
            done.append(_frame(rows, names))
            rows = []
    if len(lost) > unreadable * count:
        first = next(iter(lost.values()))
        more = f" So have {len(lost) - 1} more lines." if len(lost) > 1 else ""
        raise DataError(first.message + more, first.hint)
    if not names:
        raise DataError(f"{path} holds no object with a key.")
    if rows:
        done.append(_frame(rows, names))
    frame = pl.concat(done, how="diagonal").with_columns(pl.all().fill_null(""))
    found = f"{counted(len(lost), 'line')} of {path.name} with no flat object, left out: {some(lost, NAMED)}"
    return frame, [found] if lost else []


def _row(path: Path, line: int, text: str) -> dict[str, str]:
    try:
        row = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {line}: {error}.", "each line holds one JSON object.") from None
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {line} holds {type(row).__name__}, not a JSON object.", "one object per line.")
    nested = [name for name, value in row.items() if isinstance(value, (dict, list))]
    if nested:
        raise DataError(f"{path}, line {line}: {some(nested)} is nested.", "only flat objects can be columns.")
    plain = {name: _plain(value) for name, value in row.items()}
    if any(_halved(part) for pair in plain.items() for part in pair):
        raise DataError(f"{path}, line {line}: half of a surrogate pair (\\ud800 to \\udfff) is no character.")
    return plain


def _unique_keys(pairs):
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key stands twice")
    return row


def _plain(value) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else str(value)


def _halved(text: str) -> bool:
    return not text.isascii() and SURROGATE.search(text) is not None


def _frame(rows: list[dict[str, str]], names):
    import polars as pl

    return pl.DataFrame(
        {name: [row.get(name, "") for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String)
    )
