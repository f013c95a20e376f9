"""Safetensors files: eight bytes of length, a header in JSON, and the tensors one after another."""

import json
import math
from pathlib import Path

import numpy as np

from dlcli.checkpoints._pickled import refused
from dlcli.checkpoints.torch_zip import bfloat16

# A header describes tensors and holds none. The format's own readers take 100 MB, which as objects of Python
# are a gigabyte; the largest models there are have some thousands of tensors.
LONGEST_HEADER = 16 * 2**20
_MOST = 50_000

KINDS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def matches(path: Path) -> bool:
    """Whether a file begins like one: a length, then "{"."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= Path(path).stat().st_size


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors by name, read from the disk where they are used. bfloat16 becomes float32.

    Raises: DlcliError (exit code 4) for a header that is too long or does not describe the file.
    """
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_HEADER:
            raise refused(path, f"its header has {length} bytes, more than {LONGEST_HEADER}")
        if size < 8 or length > size - 8:
            raise refused(path, f"its header of {length} bytes goes beyond the end of the file")
        described = _header(file.read(length), path)
    if len(described) > _MOST:
        raise refused(path, f"it has {len(described):,} tensors, more than {_MOST:,}")
    room = size - 8 - length
    places = {name: _place(name, entry, path, room) for name, entry in described.items()}
    _gapless([(start, stop) for _, _, start, stop in places.values()], room, path)
    if not room:
        return {name: np.zeros(shape, kind) for name, (kind, shape, _, _) in places.items()}
    data = np.memmap(path, np.uint8, mode="r", offset=8 + length)
    return {
        name: _decoded(data[start:stop].view(kind), described[name]["dtype"]).reshape(shape)
        for name, (kind, shape, start, stop) in places.items()
    }


def _header(text: bytes, path: Path) -> dict:
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise refused(path, f"its header is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise refused(path, "its header names no tensors")
    header.pop("__metadata__", None)
    return header


def _once(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _place(name: str, entry, path: Path, room: int) -> tuple[str, tuple, int, int]:
    """NumPy's name of its type, shape, first byte and the one behind the last."""
    parts = entry if isinstance(entry, dict) else {}
    shape, offsets = parts.get("shape"), parts.get("data_offsets")
    if not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2 or len(shape) > 32:
        raise refused(path, f"its header does not describe {name}")
    if any(type(number) is not int or number < 0 for number in [*shape, *offsets]):
        raise refused(path, f"the shape or place of {name} makes no sense")
    kind = KINDS.get(parts.get("dtype")) if isinstance(parts.get("dtype"), str) else None
    if kind is None:
        raise refused(path, f"{name} is of type {parts.get('dtype')!r:.40}", f"known: {', '.join(KINDS)}.")
    if math.prod(number for number in shape if number) > 2**48:
        raise refused(path, f"the shape {shape} of {name} is beyond all memory")
    start, stop = offsets
    if not start <= stop <= room:
        raise refused(path, f"{name} is said to lie at bytes {start} to {stop} of {room}")
    if stop - start != math.prod(shape) * np.dtype(kind).itemsize:
        raise refused(path, f"{name} of shape {shape} does not take {stop - start} bytes")
    return kind, tuple(shape), start, stop


def _gapless(places: list[tuple[int, int]], room: int, path: Path) -> None:
    """The format knows no gaps and no overlaps: neither hidden bytes nor one tensor within another."""
    at = 0
    for start, stop in sorted(places):
        if start != at:
            raise refused(path, f"its tensors leave a gap or overlap at byte {min(start, at)}")
        at = stop
    if at != room:
        raise refused(path, f"{room - at} bytes at its end belong to no tensor")


def _decoded(values: np.ndarray, kind: str) -> np.ndarray:
    return bfloat16(values) if kind == "BF16" else values
