"""PyTorch's checkpoints (.pt, .pth, .th): the zip archives of today and the streams of pickles before 1.6.

A zip archive holds ROOT/data.pkl, a pickle in which storages are named, and ROOT/data/KEY with the bytes
of each. The older file is five pickles - magic number, version, system, object, keys of storages - and
then for each key the number of values (int64) and the values.
"""

import math
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlcli.checkpoints._pickled import LONGEST, Storage, Stored, refused, unpickled

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # protocol 2, a long: 0x1950A86A20F9469CFC6C
_VERSION = 1001

# Where training scripts put the weights of a model among other things.
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights", "params")
# What wrappers put before every name: DataParallel, torch.compile.
_PREFIXES = ("module.", "_orig_mod.")
_DIMENSIONS = 32
_LARGEST = 2**48
_DEEPEST = 3  # a pickle can hold itself

Values = Callable[[Storage], np.ndarray]


def read(path: Path) -> dict[str, np.ndarray]:
    """The weights by name; nested ones are found, prefixes of wrappers are taken off.

    bfloat16 becomes float32. Raises: DlcliError (exit code 4).
    """
    return load(path)[0]


def load(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The weights, and `model_args` where the file has them: the options that its model was built with."""
    path = Path(path)
    with path.open("rb") as file:
        legacy = file.read(len(LEGACY)) == LEGACY
    return _legacy(path) if legacy else _zip(path)


def _zip(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise refused(path, "it is a zip archive without the data.pkl of a PyTorch checkpoint")
            root = pickles[0].removesuffix("data.pkl")
            if root + "constants.pkl" in members:
                raise refused(path, "it is a TorchScript program, code and all", "save model.state_dict() alone.")
            _stored_plainly(path, archive.infolist())
            if members[pickles[0]].file_size > LONGEST:
                raise refused(path, f"its pickle has {members[pickles[0]].file_size} bytes, more than {LONGEST}")
            order = ">" if root + "byteorder" in members and archive.read(root + "byteorder") == b"big" else "<"
            found = unpickled(archive.read(pickles[0]), path)

            def values(storage: Storage) -> np.ndarray:
                info = members.get(f"{root}data/{storage.key}")
                if info is None or not storage.key.isalnum():
                    raise refused(path, f"it holds no storage {storage.key!r}")
                if info.file_size != storage.size * _bytes(storage):
                    raise refused(
                        path, f"storage {storage.key} should hold {storage.size} values and has {info.file_size} bytes"
                    )
                return _decoded(archive.read(info), storage, order)

            return _chosen(found.value, values, path)
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError, ValueError, struct.error) as error:
        raise refused(path, f"its zip archive is damaged ({error})") from None


def _stored_plainly(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """PyTorch does not compress, so what an archive holds is never more than the file: no zip bombs."""
    packed = [info.filename for info in members if info.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise refused(path, f"{packed[0]} in it is compressed, which PyTorch never does")
    if sum(info.file_size for info in members) > path.stat().st_size:
        raise refused(path, "its parts say that they are larger than the file")


def _legacy(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(LONGEST)
    at, parts, storages = len(LEGACY), [], {}
    for _ in range(4):  # version, system, object, keys
        value, at, named = unpickled(head, path, at)
        parts.append(value)
        storages |= named
    version, system, value, keys = parts
    if version != _VERSION or not isinstance(system, dict) or not isinstance(keys, list):
        raise refused(path, f"it is a PyTorch checkpoint of an unknown version ({version!r:.40})")
    if system.get("little_endian") is not True:
        raise refused(path, "it was written by a big-endian machine", "save it again with a newer PyTorch.")
    places = {}
    with path.open("rb") as file:
        for key in keys:
            storage = storages.get(key) if isinstance(key, str) else None
            if storage is None or key in places:
                raise refused(path, f"its storage {key!r:.40} belongs to no tensor")
            file.seek(at)
            if int.from_bytes(file.read(8), "little", signed=True) != storage.size:
                raise refused(path, f"storage {key} does not have the {storage.size} values that it should")
            places[key] = at + 8
            at += 8 + storage.size * _bytes(storage)
            if at > size:
                raise refused(path, f"storage {key} of {storage.size} values goes beyond the end of the file")

    def values(storage: Storage) -> np.ndarray:
        if storage.key not in places:
            raise refused(path, f"it holds no storage {storage.key!r}")
        with path.open("rb") as file:
            file.seek(places[storage.key])
            return _decoded(file.read(storage.size * _bytes(storage)), storage, "<")

    return _chosen(value, values, path)


def _bytes(storage: Storage) -> int:
    return 2 if storage.kind == "bfloat16" else np.dtype(storage.kind).itemsize


def _decoded(data: bytes, storage: Storage, order: str) -> np.ndarray:
    if storage.kind == "bfloat16":
        return bfloat16(np.frombuffer(data, f"{order}u2"))
    dtype = np.dtype(storage.kind)
    return np.frombuffer(data, dtype.newbyteorder(order)).astype(dtype, copy=False)


def bfloat16(bits: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers (uint16) as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _chosen(value, values: Values, path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Only what the weights need is read, each storage once; all tensors are checked before."""
    arguments = value.get("model_args") if isinstance(value, dict) else None
    state = _state(value, path)
    for name, stored in state.items():
        _check(name, stored, path)
    read = {}
    for stored in state.values():
        if stored.storage.key not in read:
            read[stored.storage.key] = values(stored.storage)
    tensors = {name: _view(read[stored.storage.key], stored) for name, stored in state.items()}
    return tensors, dict(arguments) if isinstance(arguments, dict) else {}


def _state(value, path: Path) -> dict[str, Stored]:
    for _ in range(_DEEPEST):
        inner = [value[key] for key in _NESTED if isinstance(value, dict) and isinstance(value.get(key), dict)]
        value = inner[0] if inner else value
    if not isinstance(value, dict):
        raise refused(path, f"it holds a {type(value).__name__} and no weights by name", "save model.state_dict().")
    state = {key: stored for key, stored in value.items() if isinstance(stored, Stored) and isinstance(key, str)}
    if not state:
        keys = ", ".join(str(key)[:40] for key in list(value)[:5])
        raise refused(path, f"it holds no weights by name (but {keys or 'nothing'})", "save model.state_dict().")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): stored for name, stored in state.items()}
    return state


def _check(name: str, stored: Stored, path: Path) -> None:
    """That a tensor lies within its storage and has no more values than that: no room is made for a lie."""
    storage, offset, shape, strides = stored
    numbers = [offset, *shape, *strides] if isinstance(shape, tuple) and isinstance(strides, tuple) else [-1]
    if any(type(number) is not int or number < 0 for number in numbers) or len(shape) != len(strides):
        raise refused(path, f"the shape of {name} makes no sense")
    last = offset + sum((count - 1) * stride for count, stride in zip(shape, strides, strict=True))
    count = math.prod(shape)
    # NumPy refuses a shape beyond all memory even where one of its axes is empty
    beyond = math.prod(number for number in shape if number) > _LARGEST
    if beyond or len(shape) > _DIMENSIONS or count > storage.size or (count and last >= storage.size):
        raise refused(
            path,
            f"{name} needs {count} values, up to number {last}, of a storage of {storage.size}",
            "is it whole? A tensor that was expanded must be saved as tensor.contiguous().",
        )


def _view(values: np.ndarray, stored: Stored) -> np.ndarray:
    if math.prod(stored.shape) == 0:
        return np.zeros(stored.shape, values.dtype)
    # the stride of an axis with one place is never walked, and may be any number
    steps = [s * values.itemsize if n > 1 else 0 for n, s in zip(stored.shape, stored.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(values[stored.offset :], stored.shape, steps, writeable=False)
