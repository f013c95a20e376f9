"""Inspect a model as a command: open it, measure, show, and keep what was found."""

from pathlib import Path
from typing import Any

from dlcli import rundir
from dlcli.config import RunConfig
from dlcli.data import Data
from dlcli.described import KNOWN
from dlcli.inspection import comparison, foreign, measuring, page, runs, timeline
from dlcli.inspection.show import levels
from dlcli.inspection.subject import Subject
from dlcli.materials import Materials
from dlcli.reference import Reference
from dlcli.rundir import Run


def one(
    reference: Reference,
    found: Materials,
    *,
    budget: str,
    samples: int,
    only: list[str],
    seed: int,
    pixels,
    asked,
    family=None,
) -> dict:
    """The document of one model."""
    # what a layer is can be told of weights that are no numbers; what it does cannot
    finite = budget != "static"
    opened = subject(
        reference, found, samples=samples, seed=seed, pixels=pixels, asked=asked, finite=finite, family=family
    )
    return measuring.inspect(opened, budget=budget, only=only, seed=seed)[0]


def compared(
    reference: Reference,
    other: Reference,
    found: Materials,
    found_other: Materials,
    *,
    budget: str,
    samples: int,
    only: list[str],
    seed: int,
    pixels,
    asked,
    family: str | None = None,
) -> dict:
    """The document of the first model, with the second beside it."""
    results = [
        measuring.inspect(
            subject(one, material, samples=samples, seed=seed, pixels=pixels, asked=asked, family=family),
            budget=budget,
            only=only,
            seed=seed,
        )
        for one, material in ((reference, found), (other, found_other))
    ]
    (first, one), (second, two) = results
    return comparison.compared(first, second, one, two)


def over_time(
    reference: Reference,
    found: Materials,
    *,
    budget: str,
    samples: int,
    only: list[str],
    seed: int,
    pixels,
    asked,
    family=None,
) -> dict:
    """The document of a run, with its levels over the epochs that it kept."""
    opened = subject(reference, found, samples=samples, seed=seed, pixels=pixels, asked=asked, family=family)
    document, view = measuring.inspect(opened, budget=budget, only=only, seed=seed)
    return timeline.added(document, view, found.run)


def after_training(run: Run, config: RunConfig, data: Data) -> None:
    """What each layer of a run that has just ended has learned, on the terminal and in its folder."""
    part = next(name for name in ("val", "train") if name in data.splits)
    found = Materials(run=run, config=config, data=data, part=part)
    document = one(
        Reference(text=str(run.path), kind="run", path=run.path),
        found,
        budget="standard",
        samples=2000,
        only=[],
        seed=config.seed,
        pixels=None,
        asked=[],
    )
    keep(run.path, document)
    levels(document)


def subject(
    reference: Reference,
    found: Materials,
    *,
    samples: int,
    seed: int,
    pixels: str | None,
    asked: list[int],
    finite: bool = True,
    family: str | None = None,
) -> Subject:
    """The model of a reference, with the data that was gathered for it.

    asked: numbers of examples that come first.  finite: its weights must be numbers.  family: in place of its own.
    """
    drawn = {"part": found.part, "samples": samples, "seed": seed, "asked": asked, "finite": finite}
    if reference.kind in KNOWN:
        opened = runs.subject(reference, found.config, found.data, **drawn)
    else:
        opened = foreign.subject(reference, found.data, pixels=pixels, **drawn)
    opened.family = family or opened.family
    return opened


def write_page(file: Path, document: dict[str, Any]) -> None:
    """The document as one HTML page, whole or not at all."""
    rundir.commit(file, lambda temporary: temporary.write_text(page.write(document), encoding="utf-8"))


def keep(path: Path, document: dict[str, Any]) -> None:
    """The document in the run's own folder: RUN/inspect/BUDGET.json."""
    verb = "compare-" if "compare" in document else "timeline-" if "timeline" in document else ""
    Run(path).write(f"inspect/{verb}{document['budget']}.json", document)
