"""The command in a child process up to the moment when Keras would be started, measured and limited."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHILD = """
import atexit, json, resource, sys
def report():
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("\\nPEAK " + json.dumps(peak * 1024), file=sys.stderr)
atexit.register(report)
limit = {limit}
if limit:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from dlcli import backend
def ready(*_, **__):
    print("READY", file=sys.stderr)
    sys.exit(0)
backend.start = ready
sys.argv = ["dlcli", *{arguments}]
from dlcli.cli import main
main()
"""


@dataclass(frozen=True)
class Answer:
    """code: 0 when the data was read.  said: stderr.  peak: of resident memory, in bytes."""

    code: int
    said: str
    peak: int


def opened(
    *arguments: str | Path, cwd: Path, timeout: float = 60, limit: int = 0, before: tuple[str, ...] = ()
) -> Answer:
    """`dlcli ARGUMENTS` until Keras would start; limit: of address space, in bytes; before: a command that runs it.

    Raises: subprocess.TimeoutExpired for one that hangs.
    """
    code = CHILD.format(arguments=[str(argument) for argument in arguments], limit=limit)
    done = subprocess.run(
        [*before, sys.executable, "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "300"},
    )
    said, _, peak = done.stderr.rpartition("\nPEAK ")
    return Answer(done.returncode, said, int(json.loads(peak or "0")))


def bound_by_rights() -> tuple[str, ...] | None:
    """What runs a command so that the rights of files hold for it: nothing, for a common user; None where root cannot."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    return (setpriv, "--bounding-set=-dac_override,-dac_read_search") if setpriv else None
