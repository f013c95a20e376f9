"""A run directory: what it holds, and how each file gets into it without ever being half there."""

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcli import durable, locking
from dlcli.errors import DISK, MODEL, DlcliError

# What a run was begun with, what a transfer was asked for, and which weights it started from.
ORIGIN, TRANSFER, SOURCE = "origin.json", "transfer.json", "source.json"


@dataclass(frozen=True)
class Run:
    """config.json, spec.json, origin.json, learned.bin, course.json, model.keras, last.keras, history.jsonl, environment.json,
    report.json, checkpoints/ and a folder per verb (evaluate/, predict/, generate/); of a transfer also
    transfer.json, source.json, trials.json and, until it is complete, trials/ and finals/."""

    path: Path

    @property
    def model(self) -> Path:
        return self.path / "model.keras"

    @property
    def last(self) -> Path:
        return self.path / "last.keras"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapted(self) -> bool:
        """Whether it began with trained weights."""
        return (self.path / TRANSFER).is_file() and self.read(TRANSFER)["strategy"] != "scratch"

    def within(self, *names: str) -> "Run":
        """A run that is a part of this one."""
        part = Run(self.path.joinpath(*names))
        part.path.mkdir(parents=True, exist_ok=True)
        return part

    def model_file(self) -> Path:
        """The best model. Raises: DlcliError (exit code 4) when there is none yet."""
        if not self.model.is_file():
            raise DlcliError(
                f"{self.path} has no model.keras.", "was its training stopped before the first save?", code=MODEL
            )
        return self.model

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the run."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DlcliError(f"{self.path} has no {name}.", "was its training stopped before the first step?") from None
        except (ValueError, RecursionError) as error:
            raise damaged(self.path / name, error) from None

    def write(self, name: str, value: Any) -> Path:
        """A JSON file of the run, whole or not at all."""
        text = json.dumps(finite(value), indent=2, ensure_ascii=False, default=_plain)
        return commit(self.path / name, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))

    def write_lines(self, name: str, rows: Iterable[dict[str, Any]]) -> Path:
        """A .jsonl file of the run, whole or not at all."""
        text = "".join(_line(row) for row in rows)
        return commit(self.path / name, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    def append(self, name: str, value: dict[str, Any]) -> None:
        """A line at the end of a .jsonl file, on disk when this returns."""
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(_line(value))
            file.flush()
            os.fsync(file.fileno())


def damaged(path: Path, error: Exception) -> DlcliError:
    """What is said of a file of a run that is not what was written."""
    return DlcliError(f"{path} is damaged: {' '.join(str(error).split())[:200]}.", "train again, or restore the file.")


def probe(out: Path | None) -> None:
    """Tell before any work whether a run can be written there.

    Raises: DlcliError when `out` is not empty, is in use (exit code 8), or its disk cannot be written (exit code 5).
    """
    if out is not None and out.is_dir() and any(out.iterdir()):
        locking.check(out)
        begun = any((out / name).is_file() for name in (TRANSFER, ORIGIN))
        if begun and not (out / "report.json").is_file():
            raise DlcliError(f"{out} holds an unfinished run.", again(out))
        if any(path.name != locking.NAME for path in out.iterdir()):  # which a start that was refused leaves
            raise DlcliError(f"{out} is not empty.", "choose another --out, or remove it first.")
    folder = next(place for place in [out or Path("runs"), *(out or Path("runs")).absolute().parents] if place.exists())
    try:
        if not folder.is_dir():
            raise NotADirectoryError(0, "a file is in the way")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DlcliError(
            f"{out or folder} cannot be written: {error.strerror}.", "choose another --out.", code=DISK
        ) from None


def again(path: Path) -> str:
    """How the run there, or the one that it is a part of, is resumed; "" where nothing says how."""
    for place in (path, *path.parents[:4]):
        if (place / TRANSFER).is_file():
            return f"dlcli transfer --resume {place} goes on."
        if (place / ORIGIN).is_file():
            return f"dlcli train --resume {place} goes on."
    return ""


def create(out: Path | None, *, arch: str, task: str) -> Run:
    """A new run directory: `out`, or runs/DATE-TIME-ARCH-TASK."""
    probe(out)
    path = out or Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}-{arch.rpartition('.')[2]}-{task}"
    number, first = 2, path.name
    while out is None and path.exists():
        path, number = path.with_name(f"{first}-{number}"), number + 1
    path.mkdir(parents=True, exist_ok=True)
    return Run(path)


def find(path: Path) -> Run:
    """The run that lies there. Raises: DlcliError when none does."""
    if (path / "spec.json").is_file():
        return Run(path)
    if not path.exists():
        raise DlcliError(f"there is no run directory {path}.", _recent(path))
    raise DlcliError(f"{path} is not a run directory: it has no spec.json.", _recent(path))


def commit(target: Path, write: Callable[[Path], Any]) -> Path:
    """Let `write` fill a temporary file beside the target, then put it in place in one step.

    fsync before and after the rename: a crash leaves the old file or the new one, never a part.
    Raises: OSError that names the target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{durable.TEMPORARY}{os.getpid()}-{target.name}")
    try:
        write(temporary)
        durable.replace(temporary, target)
    except OSError as error:
        error.filename = str(target)  # not the temporary one, which nobody knows, and a full disk names none
        raise
    finally:
        with contextlib.suppress(OSError):  # a file system that is read-only says so, also of what is not there
            temporary.unlink(missing_ok=True)
    return target


def keep(target: Path, model) -> Path:
    """A Keras model as a .keras file, whole or not at all."""

    def write(temporary: Path) -> None:
        with durable.Stream(temporary) as file:
            model.save(file)

    return commit(target, write)


def _line(value: dict[str, Any]) -> str:
    return json.dumps(finite(value), default=_plain) + "\n"


def finite(value):
    """The same with None for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _plain(value):
    """NumPy numbers and arrays, which json does not know."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _recent(path: Path) -> str:
    near = path.parent if path.parent.is_dir() else Path("runs")
    runs = sorted((spec.parent for spec in near.glob("*/spec.json")), key=lambda run: run.stat().st_mtime)
    return f"the newest here is {runs[-1]}." if runs else "dlcli train makes one."
