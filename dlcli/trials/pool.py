"""Jobs in processes of their own, as many at once as there are cores or devices for them."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.errors import DlcliError
from dlcli.rundir import Run

# Seconds between two looks at how far the running trials are.
LOOK = 0.5


@dataclass(frozen=True, kw_only=True)
class Job:
    """kind: a module of dlcli.trials.  folder: of the results.  told: all that the result depends on.
    label: what the progress table calls it."""

    kind: str
    folder: Path
    told: dict[str, Any]
    label: str = ""

    def result(self) -> dict[str, Any] | None:
        """What it came to, where it was finished with the same settings before."""
        file = self.folder / "result.json"
        if not file.is_file():
            return None
        found = Run(self.folder).read("result.json")
        same = json.loads(json.dumps({"kind": self.kind, **self.told}))
        return found["result"] if found["job"] == same else None


class Pool:
    """`with Pool(...) as pool: pool.run(jobs)`. What is finished is on disk, and not done again.

    workers: trials at once.  look: is shown what is done, what runs and what waits.
    """

    def __init__(self, backend: str, *, workers: int, look: Callable[[list, list, list], None]):
        self.backend = backend
        self.workers = workers
        self.look = look
        self.trials: list[float] = []  # seconds of each that was made and not found finished
        self.wall = 0.0  # seconds that making them took, all in all
        self._server: subprocess.Popen | None = None
        self._unread = b""

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if self._server is not None:
            self._server.stdin.close()  # the end of its jobs is the end of the server and its children
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._server.pid, signal.SIGKILL)
                self._server.wait()
            self._server.stdout.close()

    def run(self, jobs: list[Job]) -> list[dict[str, Any]]:
        """The results in order. Raises: DlcliError of the first job that failed, when the others have ended."""
        begun = time.monotonic()
        waiting = [job for job in jobs if job.result() is None]
        running: dict[str, tuple[int, Job]] = {}
        failed = None
        self.look(jobs, [], waiting)
        while waiting or running:
            free = [slot for slot in range(self.workers) if slot not in {number for number, _ in running.values()}]
            while waiting and free and failed is None:
                job = waiting.pop(0)
                running[str(job.folder)] = (free[0], job)
                self._send(job, free.pop(0))
            for folder in self._ended():
                _, job = running.pop(folder)
                failed = failed or _failure(job)
                if failed is None:
                    self.trials.append(Run(job.folder).read("result.json")["seconds"])
            self.look(jobs, [job for _, job in running.values()], waiting)
            if failed and not running:
                raise failed
        self.wall += time.monotonic() - begun if self.trials else 0.0
        return [job.result() for job in jobs]

    def cost(self) -> dict[str, float]:
        """trials made, the sum of their seconds, and what they took all in all, with so many at once."""
        return {
            "made": len(self.trials),
            "trials": round(sum(self.trials), 2),
            "wall": round(self.wall, 2),
            "at_once": self.workers,
        }

    def _send(self, job: Job, slot: int) -> None:
        if self._server is None:
            self._start()
        shutil.rmtree(job.folder, ignore_errors=True)  # of a trial that was stopped
        line = {"kind": job.kind, **job.told, "folder": str(job.folder), "slot": slot}
        try:
            self._server.stdin.write((json.dumps(line) + "\n").encode())
            self._server.stdin.flush()
        except BrokenPipeError:
            raise DlcliError("the process of the trials ended.", "see what it said above.") from None

    def _start(self) -> None:
        cores = max(1, (os.cpu_count() or 1) // self.workers)
        threads = {name: str(cores) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "dlcli.trials", self.backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **threads, "TF_NUM_INTEROP_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the command, which then ends the trials
        )

    def _ended(self) -> list[str]:
        """Folders of the jobs that ended, after at most LOOK seconds."""
        if self._server is None:
            return []
        stream = self._server.stdout
        if not select.select([stream], [], [], LOOK)[0]:
            return []
        read = os.read(stream.fileno(), 1 << 16)
        if not read:
            self._server.wait()
            raise DlcliError(f"the process of the trials ended (code {self._server.returncode}).", "see its messages.")
        *whole, self._unread = (self._unread + read).split(b"\n")
        events = [json.loads(line) for line in whole]
        return [event["folder"] for event in events if event["event"] == "ended"]


def _failure(job: Job) -> DlcliError | None:
    if job.result() is not None:
        return None
    run = Run(job.folder)
    if (job.folder / "failure.json").is_file():
        told = run.read("failure.json")
        if told["code"] != 70:
            return DlcliError(f"{job.label}: {told['message']}", told["hint"], code=told["code"])
        raise RuntimeError(f"{job.label} failed:\n{told['message']}")
    return DlcliError(
        f"{job.label} ended without a result: its process was killed.", f"its last words are in {job.folder}/log.txt."
    )


def workers_for(device: str) -> int:
    """How many trials at once: one per core, two threads on one small network are slower than two networks.

    With GPUs it is one at a time, on all of them.
    """
    if device != "cpu" and shutil.which("nvidia-smi"):
        return 1
    return max(1, len(os.sched_getaffinity(0)))
