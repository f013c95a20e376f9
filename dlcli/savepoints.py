"""Checkpoints of a training: folders that are whole or not there, with a checksum for every byte.

    RUN/checkpoints/step-0000000420[-scored|-finished]/
      state.safetensors    model, optimizer, metrics, best weights
      manifest.json        where training was, the history, SHA-256 of each array
      SHA256SUMS           of the two files: `sha256sum -c SHA256SUMS` checks them

The newest is found by its number, never by a date, and counts only when every checksum is right.
"""

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcli import __version__, console, durable
from dlcli.errors import DISK, MODEL, DlcliError
from dlcli.rundir import finite

FORMAT = 1
KEPT = 2
PHASES = ("", "-scored", "-finished")
STATE, MANIFEST, SUMS = "state.safetensors", "manifest.json", "SHA256SUMS"
_NAME = re.compile(r"step-(\d{10})(-scored|-finished)?")
_KINDS = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_TYPES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, kw_only=True)
class Savepoint:
    """step: batches of training done.  phase: 0 after a batch, 1 after an epoch's validation, 2 at the end.
    meta: where training was, JSON-able.  arrays: by group ("model", "optimizer", …), in order.
    digests: SHA-256 of every array, alike; empty before it is written."""

    step: int
    phase: int
    meta: dict[str, Any]
    arrays: dict[str, list[np.ndarray]]
    digests: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"step-{self.step:010d}{PHASES[self.phase]}"

    @property
    def finished(self) -> bool:
        return self.phase == 2


def write(folder: Path, point: Savepoint) -> Path:
    """Put a checkpoint into the folder, then take away all but the newest KEPT.

    Raises: OSError when it could not be written; whatever was there before is there still.
    """
    flat = [(f"{group}/{i:05d}", array) for group, arrays in point.arrays.items() for i, array in enumerate(arrays)]
    header, buffers = _packed(flat)
    digest = hashlib.sha256(header)
    for buffer in buffers:
        digest.update(buffer)
    manifest = {
        "format_version": FORMAT,
        "dlcli": __version__,
        "step": point.step,
        "phase": point.phase,
        "arrays": {name: sha(array) for name, array in flat},
        "meta": finite(point.meta),
    }
    text = json.dumps(manifest, indent=1).encode()
    sums = _sums({STATE: digest.hexdigest(), MANIFEST: hashlib.sha256(text).hexdigest()})
    target = folder / point.name
    folder.mkdir(parents=True, exist_ok=True)
    if target.exists():  # of the same number and found damaged: a good one is passed on, not written again
        durable.remove(target)
    durable.folder(target, {STATE: [header, *buffers], MANIFEST: [text], SUMS: [sums]})
    for old in listed(folder)[KEPT:]:
        durable.remove(old)
    return target


def listed(folder: Path) -> list[Path]:
    """The checkpoints there, whole or not, the newest first."""
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: _order(path.name), reverse=True)


def _order(name: str) -> tuple[int, int]:
    number, phase = _NAME.fullmatch(name).groups()
    return int(number), PHASES.index(phase or "")


def newest(folder: Path) -> Savepoint | None:
    """The newest checkpoint that is whole, or None where there are none at all.

    Raises: DlcliError (exit code 5) where there are some and none is whole; nothing is deleted.
    """
    tried = []
    for path in listed(folder):
        try:
            return read(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            tried.append(f"{path.name} ({_reason(error)})")
            console.warn(f"checkpoint {path} is damaged ({_reason(error)}); the one before it is used.")
    if tried:
        raise DlcliError(
            f"no checkpoint in {folder} is whole: {', '.join(tried)}.",
            "restore the folder from a copy, or train again into another --out.",
            code=DISK,
        )
    return None


def set_aside(folder: Path, point: Savepoint | None) -> None:
    """Give damaged checkpoints that are newer than the one that is used another name: nothing is deleted, and none of
    them counts among those that are kept."""
    for path in listed(folder):
        if point is not None and _order(path.name) > (point.step, point.phase):
            with contextlib.suppress(OSError):  # a name that is taken, a folder that cannot be written
                path.rename(path.with_name(f"damaged-{path.name}"))


def reached(folder: Path) -> int:
    """The step that the newest checkpoint stands at; 0 where there is none."""
    point = newest(folder)
    return point.step if point else 0


def read(path: Path) -> Savepoint:
    """One checkpoint, every byte of it checked.

    Raises: OSError, ValueError, KeyError or TypeError when it is damaged; DlcliError (exit code 4) when it is whole
    and of a later version of dlcli.
    """
    text, data = (path / MANIFEST).read_bytes(), (path / STATE).read_bytes()
    told = (path / SUMS).read_bytes()
    for name, content in ((MANIFEST, text), (STATE, data)):
        if f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode() not in told:
            raise ValueError(f"{name} has a wrong checksum")
    if len(told) != len(_sums({STATE: "0" * 64, MANIFEST: "0" * 64})):
        raise ValueError(f"{SUMS} is longer than it should be")
    manifest = json.loads(text)
    if manifest["format_version"] > FORMAT:
        raise DlcliError(
            f"{path} was written by dlcli {manifest['dlcli']}, this is {__version__}.",
            f"install dlcli {manifest['dlcli']} or later.",
            code=MODEL,
        )
    arrays, digests = {}, {}
    for name, array in _unpacked(data).items():
        group, _, _ = name.partition("/")
        arrays.setdefault(group, []).append(array)
        digests.setdefault(group, []).append(manifest["arrays"][name])
    return Savepoint(
        step=manifest["step"], phase=manifest["phase"], meta=manifest["meta"], arrays=arrays, digests=digests
    )


def sha(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes, type and shape."""
    digest = hashlib.sha256(f"{array.dtype.name}{array.shape}".encode())
    digest.update(_bytes(array))
    return digest.hexdigest()


def _sums(found: dict[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in found.items()).encode()


def _packed(flat: list[tuple[str, np.ndarray]]) -> tuple[bytes, list[np.ndarray]]:
    """The header of a safetensors file, and what follows it."""
    described, at, buffers = {}, 0, []
    for name, array in flat:
        stop = at + array.nbytes
        kind = _KINDS[array.dtype.name]
        described[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, stop]}
        buffers.append(_bytes(array))
        at = stop
    header = json.dumps(described).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header, buffers


def _unpacked(data: bytes) -> dict[str, np.ndarray]:
    length = int.from_bytes(data[:8], "little")
    described = json.loads(data[8 : 8 + length])
    begin = 8 + length
    return {
        name: np.frombuffer(
            data, _TYPES[entry["dtype"]], count=int(np.prod(entry["shape"])), offset=begin + entry["data_offsets"][0]
        ).reshape(entry["shape"])
        for name, entry in described.items()
    }


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename).name if error.filename else 'a file'}: {error.strerror}"
    return f"no field {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:120]
