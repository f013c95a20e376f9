"""The two Rich consoles: results go to stdout, everything else to stderr."""

import contextlib
import json
import re
import sys

from rich import markup
from rich.console import Console
from rich.table import Table

from dlcli.rundir import finite

# What steers a terminal instead of being shown: a label or a file name may hold it. Tabs and line ends may pass.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class _Results(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read the pipe has gone, as `| head` does: work goes on to its end, and nothing more is said."""
        with contextlib.suppress(SystemExit):  # with which Rich would end it
            super().on_broken_pipe()


results = _Results(highlight=False)
notes = Console(stderr=True, highlight=False)


def plain_letters() -> None:
    """Where stdout or stderr cannot hold every letter (ASCII, Latin-1), the others become ? instead of a failure."""
    for stream in (sys.stdout, sys.stderr):
        if not _holds_all(stream) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _holds_all(stream) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def escape(text: str) -> str:
    """Text of others as it can be printed: no markup, and nothing that steers the terminal."""
    return markup.escape(_STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text))


def fail(message: str, hint: str = "") -> None:
    """One sentence, and what to do."""
    notes.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    if hint:
        notes.print(f"[bold]Hint:[/]  {escape(hint)}", soft_wrap=True)


def note(text: str) -> None:
    """A line about what is going on, on stderr."""
    notes.print(escape(text), soft_wrap=True)


def busy(text: str) -> contextlib.AbstractContextManager:
    """While a terminal's user waits: what for. A pipe gets nothing."""
    return notes.status(escape(text)) if notes.is_terminal else contextlib.nullcontext()


def warn(text: str) -> None:
    """Something that the user should know, on stderr; work goes on."""
    notes.print(f"[yellow]Warning:[/] {escape(text)}", soft_wrap=True)


def quiet() -> None:
    """`--json`: tables and lines of result are not printed; `document` still is."""
    results.quiet = True


def document(value: dict) -> None:
    """The one JSON document of `--json`, on stdout. NaN becomes null, as JSON has none."""
    print(json.dumps(finite(value), indent=2, ensure_ascii=not _holds_all(sys.stdout)), file=sys.stdout)


def table(title: str, columns: list[str], rows: list[list], *, numbers: int = 1) -> None:
    """A table on stdout, four digits of a number; columns from position `numbers` on are right-aligned."""
    drawn = Table(title=escape(title), title_justify="left", title_style="bold")
    for position, column in enumerate(columns):
        # what does not fit goes on below: a name that is cut off cannot be typed
        drawn.add_column(escape(column), justify="left" if position < numbers else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(f"{cell:.4g}" if isinstance(cell, float) else str(cell)) for cell in row))
    results.print(drawn)


def say(text: str, *, style: str = "") -> None:
    """A line of result, on stdout."""
    results.print(escape(text), style=style, soft_wrap=True)
