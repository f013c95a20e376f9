"""Arrays by their names -> data: x_train and y_test are a role and a split; what x holds follows from its shape."""

import re
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError, some
from dlcli.formats import _npy, _pixels

# x_train and X_test of Keras, train_images and val_labels of MedMNIST, train-imgs of Kuzushiji
_X = {"x", "images", "image", "imgs", "img", "data", "features", "samples"}
_Y = {"y", "labels", "label", "targets", "target"}
_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

KINDS = ("auto", "images", "sequences", "table")


def role(name: str) -> tuple[str, str, str] | None:
    """kmnist-train-imgs -> ("kmnist", "train", "x"): whose, split ("all" without one) and what; None for no role."""
    words = re.split(r"[_\-. ]", name.lower())
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    rest = [word for word in words if word not in _SPLITS]
    roles = ["x" if word in _X else "y" for word in rest if word in _X | _Y]
    if len(roles) != 1 or len(splits) > 1:
        return None
    return "-".join(word for word in rest if word not in _X | _Y), (splits or ["all"])[0], roles[0]


def stands_alone(file: Path) -> bool:
    """Whether a file holds one array; of archives only those count whose array has no name, but the file says its role."""
    if file.suffix.lower() == ".npy":
        return file.is_file()
    if file.suffix.lower() != ".npz" or not role(file.stem) or not file.is_file():
        return False
    return _npy.names(file) == [_npy.NAMELESS]


def check_kind(kind: str) -> None:
    """Raises: DataError for a kind that no array is. To be asked before anything is read."""
    if kind not in KINDS:
        raise DataError(f"kind is {kind!r}.", f"known: {', '.join(KINDS)}.")


def data(found: dict[str, dict[str, np.ndarray]], *, kind: str, ignored: list[str], where: str) -> Data:
    """{split: {"x": array, "y": array}} -> bytes of rank 3 or 4 are images, numbers of rank 3 sequences (N, T, C),
    rank 2 is a table, unless kind (of KINDS) says what they are.

    ignored: names without a role.  where: what a sentence calls the source.
    Raises: DataError for what does not belong together, or is of no such shape.
    """
    arrays = _by_split(found, ignored, where)
    warnings = [f"arrays that were not used: {some(ignored)}."] if ignored else []
    x = {split: pair["x"] for split, pair in arrays.items()}
    y = _targets({split: pair["y"] for split, pair in arrays.items() if "y" in pair}, x, warnings)
    if kind == "auto":
        kind, why = _kind(next(iter(x.values())))
        warnings += why
    return {"images": _images, "sequences": _sequences, "table": _table}[kind](x, y, warnings)


def _by_split(found: dict[str, dict[str, np.ndarray]], ignored: list[str], where: str) -> dict:
    """{split: {"x": array, "y": array}} in order, one split alone as "all".

    Raises: DataError for labels without an x, splits beside arrays of none, and no x at all.
    """
    if "all" in found and len(found) > 1:
        raise DataError(f"{where} has arrays with and without a split: {some(found)}.")
    for split, pair in found.items():
        if "x" not in pair:
            raise DataError(f"{where} has no x for the {split} labels.")
    if not found:
        raise DataError(
            f"{where} has no array named x (received {some(ignored, 8) or 'nothing'}).",
            "name the arrays x_train, y_train, x_test, y_test, or x and y.",
        )
    if "all" not in found and (len(found) == 1 or "train" not in found):
        if len(found) > 1:
            raise DataError(f"{where} has {some(found)} arrays, but no x_train.")
        return {"all": next(iter(found.values()))}
    return {split: found[split] for split in ("train", "val", "test", "all") if split in found}


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

    splits = {}
    for split, array in x.items():
        if array.ndim != 2 or array.shape[1] != next(iter(x.values())).shape[1]:
            raise DataError(
                f"x of {split} has shape {array.shape}.",
                "a table is (N, C), C the same in all splits.",
            )
        frame = polars.DataFrame({f"x{i}": np.ascontiguousarray(array[:, i]) for i in range(array.shape[1])})
        splits[split] = frame
    if y and _measures(np.concatenate(list(y.values()))):
        y = {split: array.astype(np.float64) for split, array in y.items()}
    splits = {split: Examples(x=frame, y=y.get(split)) for split, frame in splits.items()}
    target_kind = "none" if not y else "numbers" if next(iter(y.values())).dtype.kind == "f" else "classes"
    about = {
        "target": {"none": None, "numbers": "target", "classes": "label"}[target_kind],
        "target_kind": target_kind,
        "columns": dict.fromkeys(frame.columns, "numeric"),
    }
    return Data(kind="table", splits=splits, about={**about, **_classes(y)}, warnings=warnings)


def _measures(labels: np.ndarray) -> bool:
    """Whether whole numbers beside a table are a quantity of many values, not the numbers of classes."""
    import polars

    from dlcli.formats._labels import MANY, counts_classes

    values = polars.Series(labels.tolist()).cast(polars.Float64, strict=False)
    many = values.null_count() == 0 and values.n_unique() > MANY
    return many and not counts_classes(values, called=True, beside={"numeric"})


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
                "y holds few different whole numbers, taken as classes (as numbers: --task image-regression or"
                " tabular-regression)"
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
