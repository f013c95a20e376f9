"""IDX files as MNIST came in (train-images-idx3-ubyte, also .gz): a folder of them, or one.

LeCun's format: two zero bytes, the type of the numbers, the rank, then each dimension as a
big-endian 32-bit integer, then the numbers.
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError, some
from dlcli.formats import _room

# train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte, emnist-letters-test-images-idx3-ubyte
_NAME = re.compile(
    r"^(?P<set>.*?)(?P<split>train|t10k|test|validation|valid|val)[-_.]"
    r"(?P<what>images|labels)[-_.]idx\d[-_.](?:ubyte|int)(?:\.gz)?$"
)
_SPLITS = {"train": "train", "t10k": "test", "test": "test"}
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}

MAX_BYTES = 1 << 33

# What a packed file may unpack to: MNIST's to 5 times its size, black pictures alone to 1 000 times.
MAX_RATIO = 100
RATIO_FROM = 1 << 26


def matches(path: Path) -> bool:
    """Whether a file, or one in the folder, is named as MNIST's images are."""
    paths = path.iterdir() if path.is_dir() else [path]
    return any(_is_images(candidate) for candidate in paths)


def open(path: Path) -> Data:
    """Images with the numbers of their classes as class names."""
    from dlcli.images import ArrayImages

    splits, labels = {}, {}
    for split, (images, named) in _pairs(path).items():
        pixels = _pixels(images)
        x = ArrayImages(pixels)
        if named:
            labels[split] = _labels(named, len(pixels))
        splits[split] = Examples(x=x, y=labels[split].astype(str) if named else None)
    if labels and len(labels) < len(splits):
        raise DataError(f"{path} has labels for {some(labels)} only, of {some(splits)}.")
    about = {"classes": None, "size": next(iter(splits.values())).x.size(), "counts": None}
    if labels:
        numbers, counts = np.unique(np.concatenate(list(labels.values())), return_counts=True)
        about["classes"] = [str(number) for number in numbers]
        about["counts"] = dict(zip(about["classes"], counts.tolist(), strict=True))
    return Data(kind="images", splits=splits, about=about)


def read(path: Path) -> np.ndarray:
    """The array in an IDX file, compressed or not.

    Raises: DataError for a header that does not fit the file, before anything large is read.
    """
    stored = path.stat().st_size
    packed = path.name.endswith(".gz")
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            dtype, shape = _header(file, path)
            if 0 in shape:
                raise DataError(f"{path.name} holds nothing: its header says {shape}.")
            size = math.prod(shape) * dtype.itemsize
            if size > min(MAX_BYTES, max(stored * MAX_RATIO, RATIO_FROM) if packed else stored):
                raise DataError(f"{path.name} says it holds {size:,} bytes, but is a file of {stored:,}.")
            _room.check(size, f"{path.name} of {stored:,} bytes, unpacked,")
            data = bytearray(size)
            view, filled = memoryview(data), 0
            while filled < size and (got := file.readinto(view[filled:])):
                filled += got
            if filled < size or file.read(1):
                held = "fewer" if filled < size else "more"
                raise DataError(f"{path.name} holds {held} than {size:,} bytes; its header says {shape}.")
    except (OSError, EOFError, zlib.error) as error:  # how gzip speaks of damage
        raise DataError(f"{path.name} could not be read: {error}.", "fetch the file again.") from error
    return np.frombuffer(data, dtype).reshape(shape)


def _header(file, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not 1 <= start[3] <= 4:
        raise DataError(f"{path.name} is no IDX file: it begins with {start.hex(' ') or 'nothing'}.")
    shape = file.read(4 * start[3])
    if len(shape) < 4 * start[3]:
        raise DataError(f"{path.name} ends within its header.")
    return np.dtype(_TYPES[start[2]]), struct.unpack(f">{start[3]}I", shape)


def _is_images(path: Path) -> bool:
    name = _NAME.match(path.name)
    return bool(name) and name["what"] == "images" and path.is_file()


def _pairs(path: Path) -> dict[str, tuple[Path, Path | None]]:
    """The files of images and labels of each split; one split alone is "all"."""
    found, sets = {}, set()
    for images in _candidates(path):
        name = _NAME.match(images.name)
        sets.add(name["set"])
        # A file stands before its own .gz in the order.
        found.setdefault(_SPLITS.get(name["split"], "val"), (images, _labels_of(images)))
    if not found:
        raise DataError(f"no file named like train-images-idx3-ubyte(.gz) in {path}.")
    if len(sets) > 1:
        raise DataError(
            f"{path} holds {len(sets)} sets: {some(sorted(sets))}.",
            "give each set a folder of its own, or name one file of images.",
        )
    order = [split for split in ("train", "val", "test") if split in found]
    return {split: found[split] for split in order} if "train" in found and len(found) > 1 else {"all": found[order[0]]}


def _candidates(path: Path) -> list[Path]:
    """The files of images in a folder; a file of training images brings along those of its set."""
    if path.is_dir():
        return [file for file in sorted(path.iterdir()) if _is_images(file)]
    if not _is_images(path):
        return []
    asked = _NAME.match(path.name)
    if asked["split"] != "train":
        return [path]
    return [file for file in _candidates(path.parent) if _NAME.match(file.name)["set"] == asked["set"]]


def _labels_of(images: Path) -> Path | None:
    """The file of labels beside a file of images, compressed or not."""
    wanted = _NAME.match(images.name)
    for path in sorted(images.parent.iterdir()):
        name = _NAME.match(path.name)
        found = name and (name["set"], name["split"], name["what"])
        if found == (wanted["set"], wanted["split"], "labels") and path.is_file():
            return path
    return None


def _pixels(path: Path) -> np.ndarray:
    pixels = read(path)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise DataError(f"{path.name} holds {pixels.dtype} of shape {pixels.shape}: no images of bytes.")
    if pixels.ndim == 4 and pixels.shape[3] not in (1, 3):
        raise DataError(f"{path.name} has {pixels.shape[3]} channels; 1 or 3 are possible.")
    return pixels


def _labels(path: Path, expected: int) -> np.ndarray:
    labels = read(path)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(f"{path.name} holds {labels.dtype} of shape {labels.shape}, which are no labels.")
    if len(labels) != expected:
        raise DataError(f"{path.name} holds {len(labels):,} labels for {expected:,} images.")
    return labels.astype(np.int64)
