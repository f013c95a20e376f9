"""The one way in for model and weights files: held open, read first by a limited process, then opened by name.

The process that reads first has no Keras, 1.5 GiB of address space, seconds, and no right to write a file. What
crashes it or keeps it busy is a refusal and nothing else. It costs about a third of a second.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlcli import registry
from dlcli.errors import MODEL, DlcliError
from dlcli.safety import limits
from dlcli.safety.refusal import damaged, refused
from dlcli.safety.verdict import Verdict

_ROOT = str(Path(__file__).parents[2])
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from dlcli.safety import child; child.main()"
# The name decides how Keras reads a file, so it is given by what the file is.
_CALLED = {"keras": "model.keras", "h5": "model.h5", "weights": "model.weights.h5", "legacy weights": "legacy.h5"}

# What was judged before, by what a file system says of it: commands look before Keras starts, and load after.
_judged: dict[tuple, Verdict] = {}


@dataclass(frozen=True, kw_only=True)
class Held:
    """path: opens what was judged, whatever now lies under the name that the user gave."""

    path: Path
    verdict: Verdict


def check(path: Path) -> Verdict:
    """What a file is and holds. Raises: DlcliError (exit code 4) when it should not be read."""
    descriptor = _open(path)
    try:
        return _verdict(descriptor, path)
    finally:
        os.close(descriptor)


@contextmanager
def held(path: Path) -> Iterator[Held]:
    """The file, judged and open; afterwards it is looked at again.

    Raises: DlcliError (exit code 4) when it should not be read, or was changed meanwhile.
    """
    descriptor = _open(path)
    try:
        before = os.fstat(descriptor)
        verdict = _verdict(descriptor, path)
        with tempfile.TemporaryDirectory(prefix="dlcli-") as folder:
            link = Path(folder) / _CALLED[verdict.kind]
            _place(descriptor, link)
            yield Held(path=link, verdict=verdict)
        if _written(before, os.fstat(descriptor)):
            raise refused(path, "it was changed while it was read", "try again when nothing writes to it.")
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    if not path.is_file():  # a FIFO would wait for a writer for ever
        what = "there is no such file" if not path.exists() else "it is no file"
        raise damaged(path, what, "check the path.")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise DlcliError(f"{path} could not be read: {error.strerror}.", "check its rights.", code=MODEL) from None
    size = os.fstat(descriptor).st_size
    if size > limits.FILE:
        os.close(descriptor)
        raise refused(path, f"it has {size:,} bytes, more than {limits.FILE:,}", "that is more than dlcli can hold.")
    return descriptor


def _identity(descriptor: int) -> tuple:
    about = os.fstat(descriptor)
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _written(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether the open file was written to. A run's newer model that takes its name only takes a link from it."""
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return True
    return before.st_ctime_ns != after.st_ctime_ns and before.st_nlink == after.st_nlink


def _place(descriptor: int, link: Path) -> None:
    """A name for an open file: a link to the descriptor, or a copy where the system has no names for those."""
    through = Path(f"/proc/self/fd/{descriptor}")
    if through.exists():
        link.symlink_to(through)
        return
    with link.open("wb") as copy:
        at = 0
        while piece := os.pread(descriptor, limits.MIB, at):
            copy.write(piece)
            at += len(piece)


def _verdict(descriptor: int, path: Path) -> Verdict:
    # what a file may name depends on what the user has named
    key = (_identity(descriptor), path.suffix.lower(), _named())
    if key not in _judged:
        _judged[key] = _asked(descriptor, path)
    return _judged[key]


def _named() -> str:
    """Packages that the user named, and classes that were registered by modules imported here; with commas."""
    packages = {name.partition(".")[0] for name in registry.named()}
    keras = sys.modules.get("keras")
    classes = keras.saving.get_custom_objects() if hasattr(keras, "saving") else {}
    return ",".join(sorted(packages | {name for name in classes if not name.startswith("dlcli>")}))


def _asked(descriptor: int, path: Path) -> Verdict:
    suffix = path.suffix.lower()
    # its own limit counts what it works; this one is for a machine that has other things to do
    work = limits.seconds(os.fstat(descriptor).st_size)
    command = [sys.executable, "-P", "-c", _START, _ROOT, str(descriptor), str(path), suffix, _named()]
    # no plug-in of HDF5, and no pool of threads, each of which asks for memory of its own
    environment = {**os.environ, "HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        answer = subprocess.run(
            command, pass_fds=[descriptor], env=environment, capture_output=True, timeout=5 * work, check=False
        )
    except subprocess.TimeoutExpired:
        raise _kept_busy(path, 5 * work) from None
    if answer.returncode == -signal.SIGXCPU:
        raise _kept_busy(path, work)
    if answer.returncode < 0:
        name = signal.Signals(-answer.returncode).name
        raise refused(path, f"the process that read it was ended by {name}", "it is damaged, or made to do harm.")
    if answer.returncode > 0:
        told = answer.stderr.decode("utf-8", "replace")
        if "MemoryError" in told or "failed to map segment" in told or "ImportError" in told:
            raise refused(path, "the process that reads it first could not start", "is there enough memory for it?")
        raise RuntimeError(told)  # a mistake of ours
    found = json.loads(answer.stdout)
    if "refused" in found:
        message, hint = found["refused"]
        raise DlcliError(message, hint, code=MODEL)
    return Verdict(**found["verdict"])


def _kept_busy(path: Path, seconds: int) -> DlcliError:
    return refused(path, f"reading it takes more than {seconds} s", "an honest file of its size does not.")
