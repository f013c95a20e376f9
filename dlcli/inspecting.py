"""Inspect a model as a command: open it, measure, show, and keep what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli import rundir
from dlcli.config import RunConfig
from dlcli.data import Data
from dlcli.described import KNOWN
from dlcli.inspection import comparison, foreign, measuring, page, runs, timeline
from dlcli.inspection.show import levels
from dlcli.inspection.subject import Subject
from dlcli.materials import LEARNED, Materials
from dlcli.reference import Reference
from dlcli.rundir import Run


@dataclass(frozen=True)
class Request:
    """What is to be measured, and on how much.

    only: patterns of the names of layers; empty for all.  pixels: the scale of a foreign model's pictures.
    examples: numbers of those that come first.  family: whose lenses look, in place of its own.
    """

    budget: str = "standard"
    samples: int = 2000
    only: Sequence[str] = ()
    seed: int = 0
    pixels: str | None = None
    examples: Sequence[int] = ()
    family: str | None = None


def one(reference: Reference, found: Materials, request: Request) -> dict:
    """The document of one model."""
    return _measured(reference, found, request)[0]


def compared(
    reference: Reference, other: Reference, found: Materials, found_other: Materials, request: Request
) -> dict:
    """The document of the first model, with the second beside it."""
    first, view = _measured(reference, found, request)
    second, view_other = _measured(other, found_other, request)
    return comparison.compared(first, second, view, view_other)


def over_time(reference: Reference, found: Materials, request: Request) -> dict:
    """The document of a run, with its levels over the epochs that it kept."""
    document, view = _measured(reference, found, request)
    return timeline.added(document, view, found.run)


def _measured(reference: Reference, found: Materials, request: Request) -> tuple:
    opened = _subject(reference, found, request)
    return measuring.inspect(opened, budget=request.budget, only=list(request.only), seed=request.seed)


def after_training(run: Run, config: RunConfig, data: Data) -> None:
    """What each layer of a run that has just ended has learned, on the terminal and in its folder."""
    part = next(name for name in ("val", "train") if name in data.splits)
    found = Materials(run=run, config=config, data=data, part=part, learned=part in LEARNED)
    document = one(Reference(text=str(run.path), kind="run", path=run.path), found, Request(seed=config.seed))
    keep(run.path, document)
    levels(document)


def _subject(reference: Reference, found: Materials, request: Request) -> Subject:
    """The model of a reference, with the data that was gathered for it."""
    drawn = {"part": found.part, "samples": request.samples, "seed": request.seed, "asked": list(request.examples)}
    # what a layer is can be told of weights that are no numbers; what it does cannot
    drawn["finite"] = request.budget != "static"
    if reference.kind in KNOWN:
        opened = runs.subject(reference, found.config, found.data, learned=found.learned, **drawn)
    else:
        opened = foreign.subject(reference, found.data, pixels=request.pixels, **drawn)
    opened.family = request.family or opened.family
    return opened


def write_page(file: Path, document: dict[str, Any]) -> None:
    """The document as one HTML page, whole or not at all."""
    rundir.commit(file, lambda temporary: temporary.write_text(page.write(document), encoding="utf-8"))


def keep(path: Path, document: dict[str, Any]) -> None:
    """The document in the run's own folder: RUN/inspect/BUDGET.json."""
    verb = "compare-" if "compare" in document else "timeline-" if "timeline" in document else ""
    Run(path).write(f"inspect/{verb}{document['budget']}.json", document)
