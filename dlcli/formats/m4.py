"""M4 competition: one ragged series per line, NAME-train.csv and NAME-test.csv."""

import csv
import math
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError, some
from dlcli.formats import _encoding, _files
from dlcli.formats._gaps import finite

# Names, seasons and horizons of the competition's frequencies.
FREQUENCIES = {
    "hourly": ("1 hour", 24, 48),
    "daily": ("1 day", 1, 14),
    "weekly": ("1 week", 1, 13),
    "monthly": ("1 month", 12, 18),
    "quarterly": ("1 quarter", 4, 8),
    "yearly": ("1 year", 1, 6),
}


def matches(path: Path) -> bool:
    return bool(_files.split_files(path, _is_m4))


def open(path: Path) -> Data:
    """The test rows follow the training rows of the same name."""
    files = _with_test(_files.required(_files.split_files(path, _is_m4), path, "M4 file"))
    main = next(iter(files.values()))
    past, warnings = _read(main), []
    word = next((word for name in (path.name, main.name) for word in FREQUENCIES if word in name.lower()), None)
    frequency, season, horizon = FREQUENCIES.get(word, ("row", 1, 0))
    future = {}
    if "test" in files:
        future = _read(files["test"])
        lost = [name for name in future if name not in past]
        if lost:
            raise DataError(f"{files['test']} has series that the training file lacks: {some(lost)}.")
    elif horizon and min(map(len, past.values())) > horizon:
        warnings.append(
            f"{main.name} has no test file beside it: the last {horizon} values of each series are the test"
        )
        future = {name: values[-horizon:] for name, values in past.items()}
        past = {name: values[:-horizon] for name, values in past.items()}
    spans = [Span(values, 0, len(values), name) for name, values in past.items()]
    splits = {"train" if future or "train" in files else "all": Examples(x=spans, names=list(past))}
    about = {"columns": ["value"], "target_columns": ["value"], "frequency": frequency, "season": season}
    if future:
        spans = []
        for name, values in future.items():
            joined = np.concatenate([past[name], values])
            spans.append(Span(joined, len(past[name]), len(joined), name))
        splits["test"] = Examples(x=spans, names=list(future))
        about["horizon"] = max(span.stop - span.start for span in spans)
    if path.is_file() and len(files) > 1:
        warnings.append(f"used as one data set: {', '.join(file.name for file in files.values())}")
    return Data(kind="series", splits=splits, about=about, warnings=warnings)


def _with_test(files: dict[str, Path]) -> dict[str, Path]:
    """Train/Monthly-train.csv, as the competition's repository has it, brings Test/Monthly-test.csv along."""
    file = files.get("all")
    if file is None or _files.part_of(file.name)[0] != "train" or _files.part_of(file.parent.name)[0] != "train":
        return files
    pattern = _files.part_of(file.name)[1]
    for folder in sorted(item for item in file.absolute().parent.parent.iterdir() if item.is_dir()):
        for other in sorted(folder.iterdir()) if _files.part_of(folder.name)[0] == "test" else ():
            if _files.part_of(other.name) == ("test", pattern) and _is_m4(other):
                return {"train": file, "test": other}
    return files


def _is_m4(file: Path) -> bool:
    if file.suffix.lower() != ".csv":
        return False
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline(2000).replace('"', "").split(",")
    except OSError:
        return False
    return len(first) > 5 and first[:5] == ["V1", "V2", "V3", "V4", "V5"]


def _read(file: Path) -> dict[str, np.ndarray]:
    """Series (T, 1) by name; empty fields at the end of a line are no values."""
    found = {}
    encoding, _ = _encoding.find(file)
    for number, line in enumerate(_encoding.lines(file, encoding), 1):
        try:
            # Short series end in thousands of commas, and 48 000 such lines of them are most of the time of reading.
            row = next(csv.reader([line.rstrip("\r\n, ")]), [])
            if number == 1 or not row:
                continue
            values = finite([float(cell) if cell else math.nan for cell in row[1:]])
        except (ValueError, csv.Error) as error:
            raise DataError(f"{file}, line {number}: {error}.", "a line is a name and numbers.") from None
        filled = np.flatnonzero(~np.isnan(values))
        if len(filled) == 0 or row[0] in found:
            raise DataError(f"{file}, line {number}: series {row[0]!r} is empty or stands twice.")
        found[row[0]] = values[: filled[-1] + 1, None]
    if not found:
        raise DataError(f"{file} holds no series.", "each line after the first is a name and numbers.")
    return found
