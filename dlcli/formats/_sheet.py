"""Reading tables as text: delimited, Parquet or JSON lines -> a polars frame of stripped strings.

Nothing is guessed about values here: "NA", "None" and "00501" stay what they are.
"""

import csv
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.errors import DataError, some
from dlcli.formats._encoding import decode

DELIMITED = {".csv", ".tsv", ".tab", ".data", ".dat"}
SUFFIXES = DELIMITED | {".parquet", ".jsonl", ".ndjson"}
DELIMITERS = {"\t": "tab", ";": ";", "|": "|", ",": ","}
CHUNK = 50_000  # rows turned into columns at a time, so that lists of strings stay small


@dataclass
class Sheet:
    """A table as it stands in its file; `header` says whether the names are the file's own."""

    frame: object  # polars.DataFrame, every column a String without nulls
    header: bool
    warnings: list[str] = field(default_factory=list)


def is_table(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def read(path: Path, *, header: str = "auto", delimiter: str | None = None, encoding: str | None = None) -> Sheet:
    """The table in one file. header: auto, yes or no."""
    if header not in ("auto", "yes", "no"):
        raise DataError(f"data.header={header!r} is not known.", "it is auto, yes or no.")
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    text, warnings = decode(path, encoding)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        sheet = _json_lines(path, text)
    else:
        sheet = _delimited(path, text, header, delimiter)
    sheet.warnings[:0] = warnings
    return sheet


def _delimited(path: Path, text: str, header: str, delimiter: str | None) -> Sheet:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if delimiter is None:
        delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else find_delimiter(text)
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1:
        raise DataError(f"data.delimiter={delimiter!r} is not one character.")
    frame, first = _parse(path, text, delimiter, quoted=delimiter != "\t" or _quotes_fit(text))
    return _named(path, frame, first, header)


def find_delimiter(text: str) -> str:
    """The delimiter that cuts the first lines into most equal rows; a comma when none does."""
    head = text[:65_536]
    head = head[: head.rfind("\n") + 1] or head
    best = (0.0, 0, ",")
    for place, mark in enumerate(DELIMITERS):
        try:
            rows = [row for row in csv.reader(io.StringIO(head), delimiter=mark, skipinitialspace=True) if row][:200]
        except csv.Error:
            continue
        widths = [len(row) for row in rows]
        common = max(set(widths), key=widths.count)
        if common > 1:
            best = max(best, (widths.count(common) / len(widths), -place, mark))
    return best[2]


def _quotes_fit(text: str) -> bool:
    """In tab-separated text a quote mark is mostly just a quote mark: `"Happy birthday" he said`.
    It counts as quoting only where every field that begins with one ends with one on its line."""
    if '"' not in text:
        return True
    fields = (cell for line in text.split("\n") if '"' in line for cell in line.split("\t"))
    starts = [cell for cell in fields if cell.startswith('"')]
    return all(len(cell) > 1 and cell.endswith('"') for cell in starts)


def _parse(path: Path, text: str, delimiter: str, quoted: bool):
    """The rows as a frame, the first row apart. Rows of another width are an error."""
    import polars as pl

    csv.field_size_limit(10_000_000)
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, quoting=quoting, skipinitialspace=quoted, strict=True)
    first, chunk, done, short = None, [], [], []
    start = 1  # line where the row begins: a quoted field may hold line ends
    try:
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                start = reader.line_num + 1
                continue
            if first is None:
                first = [cell.strip() for cell in row]
            elif len(row) != len(first):
                short.append((start, len(row)))
                if len(short) > 100:
                    break
            else:
                chunk.append(row)
                if len(chunk) == CHUNK:
                    done.append(_frame(chunk))
                    chunk = []
            start = reader.line_num + 1
    except csv.Error as error:
        mended = re.sub(rf'"[ \t]+(?={re.escape(delimiter)}|\n)', '"', text) if quoted else text
        if mended != text:  # spaces between a closing quote and the delimiter
            return _parse(path, mended, delimiter, quoted)
        unclosed = "unexpected end" in str(error)
        what = "a quote that is never closed" if unclosed else f"a row that cannot be read ({error})"
        raise DataError(f"{path}, line {start}: {what}.", "check the quote marks and the delimiter there.") from None
    if first is None:
        raise DataError(f"{path} is empty.")
    if short:
        line, width = short[0]
        more = f"; so have {len(short) - 1} more lines" if len(short) > 1 else ""
        raise DataError(
            f"{path}, line {line}: {width} fields where the first line has {len(first)}{more}.",
            f"delimiter found: {DELIMITERS.get(delimiter, delimiter)!r}; another: --set data.delimiter=';'.",
        )
    if chunk:
        done.append(_frame(chunk))
    empty = pl.DataFrame({f"column_{i}": pl.Series([], dtype=pl.String) for i in range(len(first))})
    frame = pl.concat(done) if done else empty
    return frame.with_columns(pl.all().str.strip_chars()), first


def _frame(rows: list[list[str]]):
    import polars as pl

    return pl.DataFrame(
        [pl.Series(f"column_{i}", values, dtype=pl.String) for i, values in enumerate(zip(*rows, strict=True))]
    )


def _named(path: Path, frame, first: list[str], header: str) -> Sheet:
    import polars as pl

    from dlcli.formats._header import is_header

    warnings = []
    has_header = header == "yes" or (header == "auto" and is_header(first, frame))
    if not has_header:
        top = pl.DataFrame([first], schema=frame.schema, orient="row")
        frame = pl.concat([top, frame])
        names = [f"column{i}" for i in range(1, len(first) + 1)]
        if header == "auto":
            warnings.append(f"{path.name} seems to have no header line: columns are called column1 to {names[-1]}")
    else:
        names = [cell or f"column{i}" for i, cell in enumerate(first, 1)]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise DataError(
                f"{path} has columns of the same name: {some(doubled)}.",
                "rename them; or, if there is no header line: --set data.header=no.",
            )
        if frame.height == 0:
            raise DataError(f"{path} has a header line and no rows.")
    return Sheet(frame.rename(dict(zip(frame.columns, names, strict=True))), has_header, warnings)


def _json_lines(path: Path, text: str) -> Sheet:
    import polars as pl

    rows, names = [], {}
    for line, part in enumerate(text.split("\n"), 1):
        if not part.strip():
            continue
        try:
            row = json.loads(part, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {line}: {error}.", "each line holds one JSON object.") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {line} holds {type(row).__name__}, not a JSON object.")
        nested = [name for name, value in row.items() if isinstance(value, (dict, list))]
        if nested:
            raise DataError(f"{path}, line {line}: {some(nested)} is nested.", "only flat objects can be columns.")
        names.update(dict.fromkeys(row))
        rows.append(row)
    columns = {name: [_plain(row.get(name)) for row in rows] for name in names}
    return Sheet(pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String)), True)


def _unique_keys(pairs):
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key stands twice")
    return row


def _plain(value) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else str(value)


def _parquet(path: Path) -> Sheet:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is no Parquet file that can be read: {str(error).splitlines()[0]}.") from None
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == pl.Binary]
    if nested:
        raise DataError(f"{path} has nested or binary columns: {some(nested)}.", "only flat columns can be used.")
    if frame.height == 0:
        raise DataError(f"{path} has no rows.")
    return Sheet(frame.with_columns(pl.all().cast(pl.String).str.strip_chars().fill_null("")), True)
