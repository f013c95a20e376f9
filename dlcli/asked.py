"""What a transfer was asked for: kept in the run before anything is computed, so that the run can go on."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from dlcli import rundir
from dlcli.config import RunConfig, checked
from dlcli.errors import MISMATCH, DlcliError
from dlcli.rundir import Run


@dataclass(frozen=True, kw_only=True)
class Asked:
    """source: as `reference.parse` reads it.  config: with what the user named, and no defaults.  keep: use the cache
    of features.  at: the folder in which the command was given; its paths may be relative to it."""

    source: str
    strategy: str
    config: RunConfig
    pixels: str | None = None
    curve: bool = False
    keep: bool = True
    at: str = field(default_factory=os.getcwd)

    def write(self, run: Run) -> None:
        run.write(rundir.TRANSFER, {**vars(self), "config": self.config.model_dump(mode="json")})

    @classmethod
    def read(cls, run: Run) -> "Asked":
        known = run.read(rundir.TRANSFER)
        known["config"] = checked(RunConfig, known["config"], rundir.TRANSFER)
        return cls(**known)


def opened(path: Path) -> tuple[Run, Asked]:
    """The transfer that lies there. Raises: DlcliError where none does, or where its paths lead elsewhere now."""
    run = Run(path)
    if not (path / rundir.TRANSFER).is_file():
        if (path / rundir.ORIGIN).is_file():
            raise DlcliError(f"{path} was not begun by transfer.", rundir.again(path))
        raise DlcliError(f"{path} holds no transfer that was begun.", "give SOURCE and DATA to begin one.")
    asked = Asked.read(run)
    names = [asked.config.data, asked.source]
    if asked.at != os.getcwd() and any(_elsewhere(name, asked.at) for name in names):
        raise DlcliError(
            f"{path} was begun in {asked.at}, and what it was given is named from there.",
            f"cd {asked.at}, and resume {path.resolve()} there.",
        )
    return run, asked


def _elsewhere(name: str, at: str) -> bool:
    """Whether it is a path that is found from there only."""
    return not Path(name).is_absolute() and (Path(at) / name).exists()


def same_source(run: Run, digest: str) -> None:
    """Keep what the weights of SOURCE are, or compare with what was kept.

    Raises: DlcliError (exit code 9) when they are others.
    """
    known = run.read(rundir.SOURCE)["weights"] if (run.path / rundir.SOURCE).is_file() else None
    if known is None:
        run.write(rundir.SOURCE, {"weights": digest})
    elif known != digest:
        raise DlcliError(
            f"{run.path} would not go on as it was begun: SOURCE has other weights now.",
            "restore them, or begin again with another --out.",
            code=MISMATCH,
        )
