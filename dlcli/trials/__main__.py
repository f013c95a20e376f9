"""The process that makes trials: it imports Keras once and forks itself for each.

TensorFlow with XLA keeps memory of every model, so a trial needs a process of its own; importing Keras
takes five seconds, so no trial should pay for it again. Nothing but the import happens here: threads of
the libraries, which a fork would break, begin with their first work, in the child.

Jobs come as JSON lines on stdin, {"kind", "folder", "slot", ...}; {"event", "folder"} goes out on
stdout. When stdin ends, so does this process, with all its children.
"""

import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path

from dlcli.errors import DlcliError
from dlcli.rundir import Run

TICK = 0.02  # seconds


def serve(lines: int, events: int) -> None:
    """Until `lines`, a file descriptor, ends."""
    children: dict[int, str] = {}
    waiting = b""
    while True:
        if select.select([lines], [], [], TICK)[0]:
            read = os.read(lines, 1 << 16)
            if not read:
                break
            *whole, waiting = (waiting + read).split(b"\n")
            for line in whole:
                job = json.loads(line)
                children[_forked(job, lines, events)] = job["folder"]
        while children:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            os.write(events, (json.dumps({"event": "ended", "folder": children.pop(pid)}) + "\n").encode())
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _forked(job: dict, lines: int, events: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.close(lines)
        os.close(events)
        folder = Path(job["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _done(job, Run(folder))
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # the parent's clean-up is not the child's


def _done(job: dict, run: Run) -> None:
    """Run a job; its result, or why there is none, is in its folder."""
    told = {key: value for key, value in job.items() if key not in ("folder", "slot")}
    begun = time.monotonic()
    try:
        result = importlib.import_module(f"dlcli.trials.{job['kind']}").run(job, run)
    except DlcliError as error:
        run.write("failure.json", {"message": error.message, "hint": error.hint, "code": error.code})
    except BaseException:
        # whatever it is, it is told by the process that asked for the trial
        run.write("failure.json", {"message": traceback.format_exc(), "hint": "", "code": 70})
    else:
        run.write("result.json", {"job": told, "result": result, "seconds": round(time.monotonic() - begun, 3)})


def main() -> None:
    backend, lines, events = sys.argv[1], os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints is no event
    from dlcli import backend as engine

    engine.load(backend)
    for kind in ("fitting", "rivals", "sizing"):
        importlib.import_module(f"dlcli.trials.{kind}")
    os.write(events, b'{"event": "ready", "folder": ""}\n')
    serve(lines, events)


if __name__ == "__main__":
    main()
