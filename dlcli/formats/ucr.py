"""UCR archive: NAME_TRAIN.tsv and NAME_TEST.tsv (or .txt, .csv, none), one labelled series per line."""

from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.formats import _encoding
from dlcli.formats._files import problem, required
from dlcli.formats._gaps import finite

SUFFIXES = (".tsv", ".txt", ".csv", "")


def matches(path: Path) -> bool:
    try:
        file = next(iter(_files(path).values()), None)
        if file is None:
            return False
        with file.open("rb") as stream:
            cells = _cells(stream.readline(100_000).decode("latin-1"))[:20]
        [float(cell) for cell in cells[1:-1]]  # the last may be cut
    except (OSError, ValueError):
        return False
    return len(cells) > 2


def open(path: Path) -> Data:
    """Sequences of one channel; the padding of unequal lengths (NaN at the end) is cut off."""
    splits, warnings = {}, []
    for name, file in required(_files(path), path, "UCR problem").items():
        x, y = _read(file)
        splits[name] = Examples(x=x, y=y, names=[f"{file.name}:{i}" for i in range(1, len(x) + 1)])
        gaps = sum(int(np.isnan(series).any()) for series in x)
        if gaps:
            warnings.append(f"{gaps} of {len(x)} series in {file.name} have gaps")
    if path.is_file() and len(splits) > 1:
        warnings.append(f"used as one data set: {', '.join(file.name for file in _files(path).values())}")
    if "train" not in splits:
        splits = {"all": splits["test"]}
    return Data(kind="sequences", splits=splits, about={"target_kind": "classes"}, warnings=warnings)


def _files(path: Path) -> dict[str, Path]:
    """The two files by split, of the first release that is there; none where aeon has the same series."""
    if path.is_dir() and any(path.glob("*_TRAIN.ts")):
        return {}
    return next((found for suffix in SUFFIXES if (found := problem(path, suffix))), {})


def _cells(line: str) -> list[str]:
    """Tabs, commas or spaces are between them, by the archive's release."""
    return line.replace(",", " ").split()


def _read(file: Path) -> tuple[list[np.ndarray], np.ndarray]:
    x, y = [], []
    text, _ = _encoding.decode(file)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, *cells = _cells(line)
        try:
            values = finite([float(cell) for cell in cells])
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}.", "lines are a label and numbers.") from None
        filled = np.flatnonzero(~np.isnan(values))
        if len(filled) == 0:
            raise DataError(f"{file}, line {number} holds no number.")
        x.append(values[: filled[-1] + 1, None])
        y.append(label(name.strip()))
    if not x:
        raise DataError(f"{file} is empty.")
    return x, np.array(y, dtype=str)


def label(cell: str) -> str:
    """1.0 and 1.0000000e+00 are the class 1."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    return str(int(value)) if value.is_integer() else cell
