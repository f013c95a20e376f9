"""Reading tables as text: delimited, Parquet or JSON lines -> a polars frame of stripped strings.

Nothing is guessed about values here: "NA", "None" and "00501" stay what they are.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.errors import DataError, counted, some
from dlcli.file_bytes import Packed
from dlcli.formats import _delimited, _encoding, _files, _json_lines, _parquet, _pieces, _plain_numbers

DELIMITED = {".csv", ".tsv", ".tab", ".dat", *_files.ENDINGS}
TEXTS = {".txt", ".md", ".text"}
LONGEST_NAME = 1000
SUFFIXES = DELIMITED | {".parquet", ".jsonl", ".ndjson"}


@dataclass
class Sheet:
    """A table as it stands in its file; `header` says whether the names are the file's own; `packed` holds the pictures
    that lie in it, by columns and by the names that stand there; `mark` is what stands between cells."""

    frame: object  # polars.DataFrame, every column a String without nulls
    header: bool
    warnings: list[str] = field(default_factory=list)
    packed: dict[str, dict[str, Packed]] = field(default_factory=dict)
    mark: str = ""


def is_table(path: Path) -> bool:
    """By the ending; one that says nothing of its own, .test, counts beside a .data of the same name."""
    if path.suffix.lower() == ".test":
        return path.with_suffix(".data").is_file()
    return path.suffix.lower() in SUFFIXES


def _is_first(path: Path) -> bool:
    return is_table(path) and not _pieces.is_later(path)


def files_of(path: Path) -> dict[str, Path]:
    """Tables of one data set by split. Of a folder, those that end in .txt count only where nothing but texts is in it."""
    found = _files.split_files(path, is_table if path.is_file() else _is_first)
    inside = [item for item in path.iterdir() if item.name[0] not in "._"] if path.is_dir() else []
    if found or any(item.is_dir() or item.suffix.lower() not in TEXTS for item in inside):
        return found
    return _files.split_files(path, _plain_numbers.is_table)


def read(
    path: Path,
    *,
    header: str = "auto",
    delimiter: str | None = None,
    encoding: str | None = None,
    unreadable: float = 0.0,
) -> Sheet:
    """The table in one file. header: auto, yes or no. unreadable: the fraction of lines that may be left out."""
    if header not in ("auto", "yes", "no"):
        raise DataError(f"data.header={header!r} is not known.", "it is auto, yes or no.")
    import polars as pl

    if path.suffix.lower() == ".parquet":
        frame, packed = _parquet.read(path)
        _check_names(path, frame.columns)
        return Sheet(frame, True, packed=packed)
    encoding, warnings = _encoding.find(path, encoding)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        frame, lost = _json_lines.read(path, encoding, unreadable=unreadable)
        _check_names(path, frame.columns)
        return Sheet(frame, True, warnings + lost)
    if cells := _plain_numbers.in_one_line(path, encoding):
        return Sheet(pl.DataFrame({"column1": cells}), False, warnings)
    rows = _delimited.read(path, encoding, delimiter=delimiter, unreadable=unreadable)
    sheet = _named(path, rows.frame, rows.first, header)
    sheet.mark = rows.mark
    sheet.warnings[:0] = warnings + _delimited.left_out(path, rows)
    return sheet


def _named(path: Path, frame, first: list[str], header: str) -> Sheet:
    import polars as pl

    from dlcli.formats._header import is_header

    frame, first, warnings = _filled(path, frame, first)
    has_header = header == "yes" or (header == "auto" and is_header(first, frame))
    if not has_header:
        top = pl.DataFrame([first], schema=frame.schema, orient="row")
        frame = pl.concat([top, frame])
        names = [f"column{i}" for i in range(1, len(first) + 1)]
        if header == "auto":
            warnings.append(f"{path.name} seems to have no header line: columns are called column1 to {names[-1]}")
    else:
        names = [cell or f"column{i}" for i, cell in enumerate(first, 1)]
        nameless = [f"column{i}" for i, cell in enumerate(first, 1) if not cell]
        if nameless:
            warnings.append(f"columns of {path.name} without a name are called by their place: {some(nameless)}")
        _check_names(path, names)
        if frame.height == 0:
            raise DataError(f"{path} has a header line and no rows.")
    return Sheet(frame.rename(dict(zip(frame.columns, names, strict=True))), has_header, warnings)


def _filled(path: Path, frame, first: list[str]) -> tuple[object, list[str], list[str]]:
    """Without the columns and rows in which nothing stands, as spreadsheets save them beside and below a table."""
    warnings = []
    empty = {name for name, cell in zip(frame.columns, first, strict=True) if not cell and (frame[name] == "").all()}
    if frame.height and 0 < len(empty) < frame.width:
        kept = [name for name in frame.columns if name not in empty]
        first = [cell for name, cell in zip(frame.columns, first, strict=True) if name not in empty]
        frame = frame[kept]
        warnings.append(f"{counted(len(empty), 'column')} of {path.name} without a name and a value: left out")
    rows = frame.height
    if frame.width > 1:
        bare = frame[:, 0] == ""
        for column in frame.columns[1:] if bare.any() else ():
            bare &= frame[column] == ""
        frame = frame.filter(~bare) if bare.any() else frame
    if frame.height < rows:
        warnings.append(f"{rows - frame.height} rows of {path.name} have no value: left out")
    return frame, first, warnings


def _check_names(path: Path, names: list[str]) -> None:
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        raise DataError(
            f"{path} has columns of the same name: {some(map(_short, doubled))}.",
            "rename them; or, if there is no header line: --set data.header=no.",
        )
    long = [name for name in names if len(name) > LONGEST_NAME]
    if long:
        raise DataError(
            f"{path} has a column whose name has {len(long[0]):,} characters: {_short(long[0])}.",
            f"names have at most {LONGEST_NAME:,}; if there is no header line: --set data.header=no.",
        )
    # polars takes it for a regular expression wherever it can, in methods of the column itself too
    patterns = [name for name in names if name.startswith("^") and name.endswith("$")]
    if patterns:
        raise DataError(
            f"{path} has a column called {_short(patterns[0])!r}, which stands for many columns.",
            "rename it: no ^ in front.",
        )


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:60] + "…"
