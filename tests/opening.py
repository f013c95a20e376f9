"""The command in a child process up to the moment when Keras would be started, measured and limited."""

import json
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


def opened(*arguments: str | Path, cwd: Path, timeout: float = 60, limit: int = 0) -> Answer:
    """`dlcli ARGUMENTS` until Keras would start; limit: of address space, in bytes.

    Raises: subprocess.TimeoutExpired for one that hangs.
    """
    code = CHILD.format(arguments=[str(argument) for argument in arguments], limit=limit)
    env_path = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=timeout,
        check=False,
        env={**__import__("os").environ, "PYTHONPATH": env_path, "COLUMNS": "300"},
    )
    said, _, peak = done.stderr.rpartition("\nPEAK ")
    return Answer(done.returncode, said, int(json.loads(peak or "0")))
