"""HDF5 files of weights or of older models, each in a process of its own as `preflight` reads them.

The library that reads HDF5 can be sent into an endless loop by a few bytes, and that is what the process is for:
its end by a signal is a refusal. What it may not do is to raise something else than a DlcliError. Nothing that the
library does can be seen from here, so the search has no guide: bytes say where a good file is changed, and to what.
"""

import os
import resource
from pathlib import Path

from tests.fuzz.keras_file import judge

GOOD = [(Path(__file__).parent / "corpus" / "hdf5" / name).read_bytes() for name in ("weights", "older", "packed")]


def spoilt(data: bytes) -> bytes:
    """A good file with a byte changed for every four of `data`."""
    changed = bytearray(GOOD[data[0] % len(GOOD)] if data else GOOD[0])
    for at in range(1, len(data) - 3, 4):
        changed[int.from_bytes(data[at : at + 3]) % len(changed)] = data[at + 3]
    return bytes(changed)


def one(data: bytes) -> None:
    data = spoilt(data)
    process = os.fork()
    if not process:
        resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
        try:
            judge(data, ".h5")
        except BaseException:  # its traceback is printed by the process that waits
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if os.waitstatus_to_exitcode(status) == 1:
        judge(data, ".h5")
