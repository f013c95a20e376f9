"""A process that runs commands of dlcli on hostile files, with limits, and tells what it did.

    python -m tests.hostile.watched < CASES > RESULTS

CASES: a JSON list of command lines. RESULTS: a line of JSON for each: exit code, stderr, seconds, peak memory.
Everything that Python opens, starts or connects to is written to the pipe in $WATCHED, also by the processes
that are started from here: see sitecustomize below, which every one of them imports first.
"""

import contextlib
import io
import json
import resource
import sys
import time

SITE = """
import json, os, sys
_out = os.open(os.environ["WATCHED"], os.O_WRONLY)
_busy = []
def _hook(event, arguments):
    if _busy or not (event in ("open", "import") or event.startswith(("socket.", "subprocess.", "os.exec", "os.posix", "os.system", "os.fork", "os.remove", "os.rename", "os.symlink"))):
        return
    _busy.append(1)
    try:
        if event != "import" or arguments[0].startswith(("canary", "keras_")):
            os.write(_out, json.dumps([os.getpid(), event, [str(a) for a in arguments[:3]]])[:3000].encode() + b"\\n")
    finally:
        _busy.pop()
sys.addaudithook(_hook)
"""


def peak() -> int:
    """The most memory that this process has had, in MB; getrusage counts what its parent had before it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmHWM"))


def main() -> None:
    cases = json.load(sys.stdin)
    # no file larger than 64 MB, in whatever place
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
    from dlcli import cli

    for argv in cases:
        sys.argv, begun, said = ["dlcli", *argv], time.monotonic(), io.StringIO()
        code = 0
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                cli.main()
            except SystemExit as error:
                code = error.code or 0
        memory = peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
        print(
            json.dumps(
                {
                    "code": code,
                    "said": said.getvalue(),
                    "seconds": time.monotonic() - begun,
                    "memory": max(memory),
                    "keras": "keras" in sys.modules,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
