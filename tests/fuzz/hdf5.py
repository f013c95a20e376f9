"""HDF5 files of weights or of older models, each in a process of its own as `preflight` reads them.

The library that reads HDF5 can be sent into an endless loop by a few bytes, and that is what the process is for:
its end by a signal is a refusal. What it may not do is to raise something else than a DlcliError.
"""

import os
import resource

from tests.fuzz.keras_file import judge


def one(data: bytes) -> None:
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
