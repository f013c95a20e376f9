"""The Typer app, built from the files in commands/, and the one place that turns errors into text."""

import errno
import sys
import warnings
from pathlib import Path

import typer

from dlcli import __version__, console, registry, rundir
from dlcli.errors import DISK, MEMORY, DlcliError

app = typer.Typer(
    name="dlcli",
    help="Train, score, open up and adapt deep networks of every family, on your own files.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """Train, score, open up and adapt deep networks of every family, on your own files."""
    if version:
        print(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


for _entry in registry.entries("commands").values():
    _module = _entry.load()
    app.command(_entry.name, help=_module.__doc__)(getattr(_module, _entry.path.stem))


def main() -> None:
    console.plain_letters()
    # of scikit-learn; classes of few examples have a check of their own
    warnings.filterwarnings("ignore", message="The number of unique classes")
    try:
        app()
    except DlcliError as error:
        console.fail(error.message, error.hint)
        sys.exit(error.code)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has gone: that is its right, not our failure.
        sys.stderr.close()
        sys.exit(0)
    except MemoryError:
        console.fail("there is not enough memory for this.", "give less data at a time, or use a machine with more.")
        sys.exit(MEMORY)
    except OSError as error:
        if error.errno is None:
            raise
        console.fail(f"{error.strerror}: {error.filename or 'no file named'}.", _remedy(error))
        sys.exit(DISK)


def _remedy(error: OSError) -> str:
    """What to do, and how a run goes on that was not complete."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    first = "make room." if full else "check the path, the disk and its rights."
    folder = Path(error.filename).absolute().parent if isinstance(error.filename, str) else None
    if folder is None or not (folder / rundir.ORIGIN).is_file() or (folder / "report.json").is_file():
        return first
    return f"{first} {rundir.again(folder)}"
