"""What runs in the limited process: the whole of a file is read and judged, and the verdict written as JSON.

python -c "…; child.main()" DESCRIPTOR NAME SUFFIX NAMED
"""

import contextlib
import json
import os
import resource
import struct
import sys
import zipfile
import zlib
from dataclasses import asdict

from dlcli.errors import DlcliError
from dlcli.safety import archive, configuration, document, kinds, limits, versions
from dlcli.safety.refusal import damaged, refused
from dlcli.safety.verdict import Verdict
from dlcli.safety.window import Memory, Window, of_member

WEIGHTS = "model.weights.h5"


def main() -> None:
    descriptor, name, suffix, named = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    size = os.fstat(descriptor).st_size
    _limit(size)
    try:
        found = judged(descriptor, name, suffix, frozenset(filter(None, named.split(","))))
        answer = {"verdict": asdict(found)}
    except DlcliError as error:
        answer = {"refused": [error.message, error.hint]}
    except MemoryError:
        error = refused(name, f"reading it takes more than {limits.MEMORY >> 20:,} MiB of memory")
        answer = {"refused": [error.message, error.hint]}
    print(json.dumps(answer))


def _limit(size: int) -> None:
    """Memory, time, no file written, few opened."""
    for what, most in (
        (resource.RLIMIT_AS, limits.MEMORY),
        (resource.RLIMIT_CPU, limits.seconds(size)),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _, hard = resource.getrlimit(what)
        # the signal for too much time comes at the first of the two, an end without a word at the second
        hard = most + 1 if hard == resource.RLIM_INFINITY else min(most + 1, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of address space
            resource.setrlimit(what, (min(most, hard), hard))


def judged(descriptor: int, path: str, suffix: str, named: frozenset[str]) -> Verdict:
    """The verdict on an open file. Raises: DlcliError (exit code 4) with the first thing that is wrong."""
    size = os.fstat(descriptor).st_size
    kind = kinds.of(os.pread(descriptor, 512, 0), size)
    try:
        if kind == kinds.ZIP:
            return _zip(descriptor, path, suffix, size, named)
        if kind == kinds.HDF5:
            return _hdf5(Window(descriptor, 0, size), path, suffix, named)
    except (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, NotImplementedError, OverflowError,
            EOFError, struct.error, zlib.error, zipfile.BadZipFile) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:160]
        raise damaged(path, reason or type(error).__name__) from None
    expected = {".keras": "no zip archive, which every .keras file is"}.get(suffix, "no HDF5 file")
    raise damaged(path, f"it is {expected}, but {kind}")


def _zip(descriptor: int, path: str, suffix: str, size: int, named: frozenset[str]) -> Verdict:
    with os.fdopen(os.dup(descriptor), "rb") as file, archive.opened(file, path, size) as opened:
        members = {info.filename: info for info in opened.infolist()}
        if "config.json" not in members:
            raise refused(path, f"it is {kinds.of_members(list(members))}", "MODEL is what model.save('NAME.keras') writes.")  # fmt: skip
        archive.of_keras(opened.infolist(), path)
        if suffix in (".h5", ".hdf5"):
            raise refused(path, "it is a model of Keras in a zip archive and no HDF5 file", "call it NAME.keras.")
        verdict = Verdict(kind="keras", made=_made(opened, members, path))
        info = members["config.json"]
        if info.file_size > limits.CONFIG:
            raise refused(path, f"its config.json has {info.file_size:,} bytes, more than {limits.CONFIG:,}")
        _examine(verdict, document.parsed(opened.read(info), path, "config.json"), path, named, legacy=False)
        if WEIGHTS not in members:
            raise damaged(path, f"it has no {WEIGHTS}", "save the whole model: model.save('NAME.keras').")
        if opened.testzip() is not None:
            raise damaged(path, "a checksum in it does not fit: bytes were changed")
        info = members[WEIGHTS]
        if info.compress_type == zipfile.ZIP_STORED:
            window = of_member(descriptor, info)
        elif info.file_size <= limits.PACKED:
            window = Memory(opened.read(info))
        else:
            raise refused(path, f"{WEIGHTS} in it is packed, which Keras never does", "save it again with Keras.")
        _weigh(verdict, window, path)
        return verdict


def _made(opened: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], path: str) -> str:
    info = members.get("metadata.json")
    if info is None:
        return ""
    if info.file_size > limits.MIB:
        raise refused(path, f"its metadata.json has {info.file_size:,} bytes")
    metadata = document.parsed(opened.read(info), path, "metadata.json")
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version[:20] if isinstance(version, str) else ""


def _hdf5(window: Window, path: str, suffix: str, named: frozenset[str]) -> Verdict:
    if suffix == ".keras":
        raise refused(path, "it is an HDF5 file and no zip archive", "call it NAME.h5.")
    from dlcli.safety import hdf5

    found = hdf5.walked(window, path)
    said = found.attributes.get("model_config")
    legacy = "layer_names" in found.attributes or "layer_names0" in found.attributes or "model_weights" in found.groups
    verdict = Verdict(
        kind="h5" if said else "legacy weights" if legacy else "weights", made=found.attributes.get("keras_version", "")
    )
    if said:
        config = document.parsed(said, path, "configuration")
        _examine(verdict, config, path, named, legacy=True)
    _take(verdict, found, path)
    return verdict


def _examine(verdict: Verdict, config, path: str, named: frozenset[str], *, legacy: bool) -> None:
    try:
        found = configuration.examined(config, path, named=named, legacy=legacy)
    except DlcliError as error:
        if verdict.made and versions.newer(verdict.made):
            error.hint = (
                f"it was made with Keras {verdict.made}, and you have {versions.installed()}. {error.hint}".strip()
            )
        raise
    verdict.layers, verdict.calls, verdict.own = found.layers, found.calls, found.own
    verdict.least, verdict.names = found.least, sorted(found.names)


def _weigh(verdict: Verdict, window: Window | Memory, path: str) -> None:
    from dlcli.safety import hdf5

    if window.read_at(0, 8) != b"\x89HDF\r\n\x1a\n":
        raise damaged(path, f"its {WEIGHTS} is no HDF5 file")
    _take(verdict, hdf5.walked(window, path), path)


def _take(verdict: Verdict, found, path: str) -> None:
    verdict.values, verdict.arrays, verdict.unfinite = found.values, found.arrays, found.unfinite
    if verdict.least > verdict.values + limits.SPARE:
        raise refused(
            path,
            f"its layers need at least {verdict.least:,} weights, and it holds {verdict.values:,}",
            "its configuration does not belong to its weights.",
        )
