"""aeon / sktime .ts files: NAME_TRAIN.ts and NAME_TEST.ts, many channels, unequal lengths."""

import math
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.formats import _encoding, ucr
from dlcli.formats._files import problem, required
from dlcli.formats._gaps import finite


def matches(path: Path) -> bool:
    file = next(iter(_files(path).values()), None)
    if file is None:
        return False
    with file.open("rb") as stream:
        head = stream.read(20_000).lower()
    return b"@problemname" in head or b"@data" in head


def open(path: Path) -> Data:
    """Sequences (T, C); "?" is a gap."""
    files = required(_files(path), path, ".ts problem")
    splits, warnings, kinds = {}, [], {}
    for name, file in files.items():
        x, y, kinds[name] = _read(file)
        splits[name] = Examples(x=x, y=y, names=[f"{file.name}:{i}" for i in range(1, len(x) + 1)])
        gaps = sum(int(np.isnan(series).any()) for series in x)
        if gaps:
            warnings.append(f"{gaps} of {len(x)} series in {file.name} have gaps")
    widths = sorted({series.shape[1] for examples in splits.values() for series in examples.x})
    if len(widths) > 1:
        raise DataError(f"{path}: series have different numbers of channels: {widths}.")
    if path.is_file() and len(splits) > 1:
        warnings.append(f"used as one data set: {', '.join(file.name for file in files.values())}")
    return Data(kind="sequences", splits=splits, about={"target_kind": next(iter(kinds.values()))}, warnings=warnings)


def _files(path: Path) -> dict[str, Path]:
    """Files by split; a file that is called neither train nor test, or a test file alone, is all there is."""
    files = problem(path, ".ts")
    if not files and path.is_file() and path.suffix == ".ts":
        return {"all": path}
    return files if "train" in files or not files else {"all": files["test"]}


def _read(file: Path):
    """Series, labels (or None), and "classes", "numbers" or "none"."""
    kind, stamped, started = "none", False, False
    x, y = [], []
    text, _ = _encoding.decode(file)
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not started:
            word, *rest = line.split()
            word, answer = word.lower(), rest[0].lower() if rest else ""
            if word == "@classlabel" and answer == "true":
                kind = "classes"
            elif word == "@targetlabel" and answer == "true":
                kind = "numbers"
            elif word == "@timestamps":
                stamped = answer == "true"
            elif word == "@data":
                started = True
            if stamped:
                raise DataError(f"{file}: values with time stamps are not read.", "use @timeStamps false.")
            continue
        channels = line.split(":")
        try:
            if kind != "none":
                y.append(_answer(channels.pop().strip(), kind))
            x.append(_series(channels))
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}.") from None
    if not x:
        raise DataError(f"{file} holds no series.")
    if kind == "numbers":
        return x, np.array(y, dtype=np.float64), kind
    return x, np.array(y, dtype=str) if y else None, kind


def _answer(text: str, kind: str):
    """A label, or a number. Raises: ValueError where there is none."""
    if not text:
        raise ValueError("there is no label after the last colon")
    if kind == "classes":
        return ucr.label(text)
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the target {text} is no finite number")
    return value


def _series(channels: list[str]) -> np.ndarray:
    """(T, C); channels shorter than the longest end in gaps."""
    if not channels:
        raise ValueError("there are no values")
    rows = [finite([float(cell) for cell in channel.replace("?", "nan").split(",")]) for channel in channels]
    length = max(len(row) for row in rows)
    series = np.full((length, len(rows)), np.nan, np.float32)
    for i, row in enumerate(rows):
        series[: len(row), i] = row
    return series
