"""UCR archive: NAME_TRAIN.tsv and NAME_TEST.tsv, one labelled series per line."""

from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.formats import _encoding
from dlcli.formats._files import required
from dlcli.formats._gaps import finite

ENDINGS = {"train": "_TRAIN.tsv", "test": "_TEST.tsv"}


def matches(path: Path) -> bool:
    try:
        file = next(iter(_files(path).values()), None)
        if file is None:
            return False
        with file.open("rb") as stream:
            cells = stream.readline(100_000).split(b"\t")[:20]
        [float(cell) for cell in cells[1:]]
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
    """The two files by split. In a folder with several problems, the one named as the folder."""
    if path.is_file():
        name = next((path.name.removesuffix(e) for e in ENDINGS.values() if path.name.endswith(e)), None)
        folder = path.parent
    elif path.is_dir():
        names = sorted(file.name.removesuffix(ENDINGS["train"]) for file in path.glob("*" + ENDINGS["train"]))
        name = path.name if path.name in names else names[0] if len(names) == 1 else None
        folder = path
    else:
        return {}
    if name is None:
        return {}
    files = {split: folder / f"{name}{ending}" for split, ending in ENDINGS.items()}
    return {split: file for split, file in files.items() if file.is_file()}


def _read(file: Path) -> tuple[list[np.ndarray], np.ndarray]:
    x, y = [], []
    text, _ = _encoding.decode(file)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        label, *cells = line.split("\t")
        try:
            values = finite([float(cell) for cell in cells])
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}.", "lines are a label and numbers, with tabs.") from None
        filled = np.flatnonzero(~np.isnan(values))
        if len(filled) == 0:
            raise DataError(f"{file}, line {number} holds no number.")
        x.append(values[: filled[-1] + 1, None])
        y.append(_label(label.strip()))
    if not x:
        raise DataError(f"{file} is empty.")
    return x, np.array(y, dtype=str)


def _label(cell: str) -> str:
    """1.0 and 1.0000000e+00 are the class 1."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    return str(int(value)) if value.is_integer() else cell
