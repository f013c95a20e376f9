"""NumPy archives (.npz): x_train, y_train, x_test, y_test, or x and y, or only x.

Bytes of rank 3 or 4 are images, numbers of rank 3 are sequences (N, T, C), rank 2 is a table.
"""

import math
import re
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError, some
from dlcli.formats import _pixels, _room

# What an archive may unpack to, and by how much: one of 778 KB can hold 800 MB of zeros.
MAX_BYTES = 1 << 33
MAX_RATIO = 100
RATIO_FROM = 1 << 26

# x_train and X_test of Keras, train_images and val_labels of MedMNIST
_X = {"x", "images", "image", "data", "features", "samples"}
_Y = {"y", "labels", "label", "targets", "target"}
_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


# UnicodeError: a member whose two names differ
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, UnicodeError)


def matches(path: Path) -> bool:
    """Whether the file's name ends in .npz."""
    return path.suffix.lower() == ".npz" and path.is_file()


def open(path: Path, *, kind: str = "auto") -> Data:
    """Arrays by their names; kind (auto, images, sequences, table) says what x holds."""
    if kind not in ("auto", "images", "sequences", "table"):
        raise DataError(f"kind is {kind!r}.", "known: auto, images, sequences, table.")
    arrays, ignored = _arrays(path)
    warnings = [f"arrays that were not used: {some(ignored)}."] if ignored else []
    x = {split: pair["x"] for split, pair in arrays.items()}
    y = _targets({split: pair["y"] for split, pair in arrays.items() if "y" in pair}, x, warnings)
    if kind == "auto":
        kind, why = _kind(next(iter(x.values())))
        warnings += why
    return {"images": _images, "sequences": _sequences, "table": _table}[kind](x, y, warnings)


# ---- reading ---------------------------------------------------------------------------------


def _arrays(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], list[str]]:
    """{split: {"x": array, "y": array}} and the names that say nothing to us."""
    found, ignored = {}, []
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path)
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                role = _role(name)
                if role is None:
                    ignored.append(name)
                    continue
                split, what = role
                if what in found.setdefault(split, {}):
                    raise DataError(f"{path.name} has two arrays for {what} of {split}: {name!r} and another.")
                found[split][what] = _array(archive, member, path)
    except (*_BROKEN, NotImplementedError, RuntimeError) as error:  # the last two: encrypted
        raise DataError(f"{path.name} could not be read: {error}.") from error
    if "all" in found and len(found) > 1:
        raise DataError(f"{path.name} has arrays with and without a split: {some(found)}.")
    for split, pair in found.items():
        if "x" not in pair:
            raise DataError(f"{path.name} has no x for the {split} labels.")
    if not found:
        raise DataError(
            f"{path.name} has no array named x (received {some(ignored, 8) or 'nothing'}).",
            "name the arrays x_train, y_train, x_test, y_test, or x and y.",
        )
    if "all" not in found and (len(found) == 1 or "train" not in found):
        if len(found) > 1:
            raise DataError(f"{path.name} has {some(found)} arrays, but no x_train.")
        return {"all": next(iter(found.values()))}, ignored
    return {split: found[split] for split in ("train", "val", "test", "all") if split in found}, ignored


def _check_size(archive: zipfile.ZipFile, path: Path) -> None:
    size = sum(member.file_size for member in archive.infolist())
    stored = path.stat().st_size
    if size > MAX_BYTES or (size > RATIO_FROM and size > MAX_RATIO * stored):
        raise DataError(
            f"{path.name} of {stored:,} bytes would unpack to {size:,}.",
            f"the limits are {MAX_BYTES >> 30} GiB, and {MAX_RATIO} times the file.",
        )

    _room.check(2 * size, f"{path.name} of {stored:,} bytes, unpacked,")  # as it is and as it is used


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        except (ValueError, SyntaxError, tokenize.TokenError, TypeError, RecursionError, MemoryError) as error:
            raise DataError(f"{name} in {path.name} is no array: {error}.") from error
        if dtype.hasobject or dtype.kind not in "biufUS":
            raise DataError(
                f"{name} in {path.name} holds {dtype}, not numbers or text.",
                "save plain arrays; objects could run code when loaded.",
            )
        if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > member.file_size:
            raise DataError(f"{name} in {path.name} says its shape is {shape}, more than the file holds.")
    with archive.open(member) as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise DataError(f"{name} in {path.name} could not be read: {error}.") from error


def _role(name: str) -> tuple[str, str] | None:
    """x_train -> ("train", "x"); None for other names."""
    words = re.split(r"[_\-. ]", name.lower())
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    rest = [word for word in words if word not in _SPLITS]
    if len(rest) != 1 or len(splits) > 1:
        return None
    what = "x" if rest[0] in _X else "y" if rest[0] in _Y else None
    return (splits[0] if splits else "all", what) if what else None


# ---- x ---------------------------------------------------------------------------------------


def _kind(x: np.ndarray) -> tuple[str, list[str]]:
    """What an array of this rank and type holds, and what the user should know of the guess."""
    if x.ndim == 2:
        return "table", []
    if x.ndim == 4 or (x.ndim == 3 and x.dtype.kind != "f"):
        return "images", []
    if x.ndim == 3:
        square = x.shape[1] == x.shape[2] and x.shape[1] >= 8
        if square and (x.min() >= 0) and x.max() <= 255:
            shape = f"({x.shape[0]}, {x.shape[1]}, {x.shape[2]})"
            return "images", [f"x {shape} was read as grey images; for series: --set data.kind=sequences."]
        return "sequences", []
    raise DataError(f"x has shape {x.shape}.", "images have rank 3 or 4, sequences 3, tables 2.")


def _images(x, y, warnings) -> Data:
    from dlcli.images import ArrayImages

    pixels, remarks = _pixels.pictures(x)
    images = {split: ArrayImages(array) for split, array in pixels.items()}
    splits = {split: Examples(x=x, y=y.get(split)) for split, x in images.items()}
    about = {"size": next(iter(images.values())).size(), **_classes(y)}
    return Data(kind="images", splits=splits, about=about, warnings=warnings + remarks)


def _sequences(x, y, warnings) -> Data:
    for split, array in x.items():
        if array.ndim != 3 or array.dtype.kind not in "iufb":
            raise DataError(f"x of {split} has shape {array.shape}.", "sequences are (N, T, C).")
        if np.isinf(array).any():
            raise DataError(f"x of {split} has infinite values.")
    splits = {split: Examples(x=array.astype(np.float32), y=y.get(split)) for split, array in x.items()}
    return Data(kind="sequences", splits=splits, about=_classes(y), warnings=warnings)


def _table(x, y, warnings) -> Data:
    import polars

    target, splits = None, {}
    for split, array in x.items():
        if array.ndim != 2 or array.shape[1] != next(iter(x.values())).shape[1]:
            raise DataError(
                f"x of {split} has shape {array.shape}.",
                "a table is (N, C), C the same in all splits.",
            )
        frame = polars.DataFrame({f"x{i}": np.ascontiguousarray(array[:, i]) for i in range(array.shape[1])})
        if split in y:
            target = "target" if y[split].dtype.kind == "f" else "label"
            frame = frame.with_columns(polars.Series(target, y[split].tolist()))
        splits[split] = Examples(x=frame)
    return Data(kind="table", splits=splits, about={"target": target, **_classes(y)}, warnings=warnings)


# ---- y ---------------------------------------------------------------------------------------


def _targets(y: dict[str, np.ndarray], x: dict[str, np.ndarray], warnings: list[str]) -> dict[str, np.ndarray]:
    """Labels as text, or numbers as float64, one per row of x."""
    if y and y.keys() != x.keys():
        raise DataError(f"there is a y for {some(y)} but not for {some(x.keys() - y.keys())}.")
    targets = {}
    for split, array in x.items():
        if array.ndim == 0 or 0 in array.shape:
            raise DataError(f"x of {split} has shape {array.shape}: nothing in it.")
        if array.dtype.kind not in "biuf":
            raise DataError(f"x of {split} holds {array.dtype}, not numbers.")
        if split in y:
            targets[split] = _target(y[split], split, len(array))
    if targets and all(target.dtype.kind == "f" for target in targets.values()):
        from dlcli.formats._labels import MANY

        every = np.concatenate(list(targets.values()))
        if (every == np.round(every)).all() and len(np.unique(every)) <= min(MANY, len(every) // 5):
            targets = {split: target.astype(np.int64).astype(str) for split, target in targets.items()}
            warnings.append(
                "y holds few different whole numbers, taken as classes (as numbers: --task image-regression)"
            )
    if len({target.dtype.kind for target in targets.values()}) > 1:
        raise DataError("y holds numbers in one split and labels in another.")
    return targets


def _target(y: np.ndarray, split: str, expected: int) -> np.ndarray:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        hint = "of one-hot rows save y.argmax(axis=1)." if y.ndim == 2 else ""
        raise DataError(f"y of {split} has shape {y.shape}; one label per row is needed.", hint)
    if len(y) != expected:
        raise DataError(f"y of {split} has {len(y):,} rows, x has {expected:,}.")
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            raise DataError(f"{int((~np.isfinite(y)).sum()):,} values of y of {split} are NaN or infinite.")
        return y.astype(np.float64)
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8", "backslashreplace")
    return y.astype(str)


def _classes(y: dict[str, np.ndarray]) -> dict:
    labels = [array for array in y.values() if array.dtype.kind == "U"]
    if not labels:
        return {"classes": None, "counts": None}
    names, counts = np.unique(np.concatenate(labels), return_counts=True)
    found = dict(zip(names.tolist(), counts.tolist(), strict=True))
    integers = all(re.fullmatch(r"-?\d+", name) for name in found)
    classes = sorted(found, key=int) if integers else sorted(found)
    return {"classes": classes, "counts": {name: found[name] for name in classes}}
