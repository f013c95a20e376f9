"""Inspect a model as a command: open it, measure, show, and keep what was found."""

from pathlib import Path
from typing import Any

from dlcli import rundir
from dlcli.inspection import foreign, measuring, page, runs
from dlcli.inspection.subject import Subject
from dlcli.materials import Materials
from dlcli.reference import Reference
from dlcli.rundir import Run


def one(
    reference: Reference, found: Materials, *, budget: str, samples: int, only: list[str], seed: int, pixels
) -> dict:
    """The document of one model."""
    return measuring.inspect(
        subject(reference, found, samples=samples, seed=seed, pixels=pixels), budget=budget, only=only, seed=seed
    )


def subject(reference: Reference, found: Materials, *, samples: int, seed: int, pixels: str | None) -> Subject:
    """The model of a reference, with the data that was gathered for it."""
    if found.run is not None:
        return runs.subject(found.run, found.config, found.data, part=found.part, samples=samples, seed=seed)
    return foreign.subject(reference, found.data, part=found.part, samples=samples, seed=seed, pixels=pixels)


def write_page(file: Path, document: dict[str, Any]) -> None:
    """The document as one HTML page, whole or not at all."""
    rundir.commit(file, lambda temporary: temporary.write_text(page.write(document), encoding="utf-8"))


def keep(path: Path, document: dict[str, Any]) -> None:
    """The document in the run's own folder: RUN/inspect/BUDGET.json."""
    Run(path).write(f"inspect/{document['budget']}.json", document)
