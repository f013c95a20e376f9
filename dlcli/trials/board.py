"""One table of all trials while they run, on stderr: a live one on a terminal, lines in a pipe."""

import json
import time

from rich.live import Live
from rich.table import Table

from dlcli import console
from dlcli.trials.pool import Job

# Rows of a live table; more would not fit on a screen.
ROWS = 30


class Board:
    """Called with all jobs, those running and those waiting; `with` takes the table off the screen at the end."""

    def __init__(self, title: str):
        self.title = title
        self._live = None
        self._told: set[str] = set()
        self._begun: dict[str, float] = {}

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, jobs: list[Job], running: list[Job], waiting: list[Job]) -> None:
        for job in running:
            self._begun.setdefault(job.label, time.monotonic())
        if not console.notes.is_terminal:
            self._lines(jobs, running, waiting)
            return
        if self._live is None:
            self._live = Live(console=console.notes, transient=True, refresh_per_second=2)
            self._live.start()
        self._live.update(self._table(jobs, running, waiting))

    def _lines(self, jobs, running, waiting) -> None:
        """A line for each trial that ended."""
        busy = {job.label for job in [*running, *waiting]}
        done = [job for job in jobs if job.label not in busy]
        for job in done:
            if job.label not in self._told:
                self._told.add(job.label)
                console.note(f"{len(self._told)}: {job.label} {_score(job)}")

    def _table(self, jobs, running, waiting) -> Table:
        table = Table(title=f"{self.title}: {len(jobs) - len(running) - len(waiting)} of {len(jobs)} trials done")
        for column in ("trial", "state", "score"):
            table.add_column(column, justify="left" if column == "trial" else "right")
        state = {job.label: "waiting" for job in waiting} | {job.label: self._state(job) for job in running}
        # the running ones are what is looked at
        order = sorted(jobs, key=lambda job: (job not in running, state.get(job.label) == "waiting"))
        for job in order[:ROWS]:
            shown = state.get(job.label, "done")
            table.add_row(job.label, shown, _score(job) if shown == "done" else "")
        if len(jobs) > ROWS:
            table.add_row(f"and {len(jobs) - ROWS} more", "", "")
        return table

    def _state(self, job: Job) -> str:
        seconds = time.monotonic() - self._begun[job.label]
        history = job.folder / "history.jsonl"
        lines = history.read_text(encoding="utf-8").splitlines() if history.is_file() else []
        epoch = f"epoch {json.loads(lines[-1])['epoch']}, " if lines and lines[-1].endswith("}") else ""
        return f"{epoch}{seconds:.0f} s"


def _score(job: Job) -> str:
    result = job.result()
    if result is None:
        return "failed"
    if "left_out" in result:
        return f"left out: {result['left_out']}"
    if "test" not in result:
        return "done"
    return f"{result['test']['compared']} {result['test']['mean']:.4g} ({result['seconds']:.0f} s)"
