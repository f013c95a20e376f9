"""A study: many trials on one set of data, in one folder that can be gone on with."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli import console, plan, registry, rundir, splits
from dlcli.config import RunConfig
from dlcli.data import Data
from dlcli.errors import MISMATCH, DataError, DlcliError
from dlcli.plan import Plan
from dlcli.rundir import Run
from dlcli.trials.pool import Job

FORMAT = 2  # of what trials write down: a study of another one is not gone on with


@dataclass(frozen=True, kw_only=True)
class Study:
    """config.seed is that of the splits; trials have seeds of their own."""

    run: Run
    config: RunConfig
    chosen: Plan
    data: Data

    def training(
        self,
        name: str,
        *,
        seed: int,
        arch: str,
        options: dict[str, Any],
        fit: dict[str, Any],
        take: dict[str, int] | None = None,
    ) -> Job:
        """The job of a training. options, fit: of the architecture and the fit, beside what the user set."""
        chosen = {
            **{part: dict(values) for part, values in self.config.set.items()},
            "arch": options,
            "fit": {**self.config.options("fit"), **fit},
        }
        config = self.config.model_copy(
            update={"seed": seed, "arch": arch, "task": self.chosen.task.name, "format": self.chosen.format.name}
        )
        told = {**config.model_dump(mode="json"), "set": chosen}
        return self._job("fitting", name, {"config": told, "take": take})

    def rivals(self, words: tuple[str, ...], *, take: dict[str, int] | None = None, name: str = "simple") -> list[Job]:
        """One job for each simple model that can do the task. words: ("TASKS", "COMPARED"), those of every
        training, and those that only comparisons have time for."""
        task = self.chosen.task.name
        return [
            self._job("rivals", f"{name}-{entry.name}", {"config": self._plain(), "take": take, "rival": entry.name})
            for entry in registry.entries("baselines").values()
            if any(task in entry.literal(word, ()) for word in words)
        ]

    def sizing(self, networks: list[dict], parameters: int | None) -> Job:
        """The job that finds widths."""
        told = {"config": self._plain(), "take": None, "networks": networks, "parameters": parameters}
        return self._job("sizing", "sizes", told)

    def passes(self, examples: int) -> int:
        """Over so many training examples, as the fit's epochs and least steps ask for."""
        fit = self.chosen.fit
        return max(fit.epochs, math.ceil((fit.steps or 0) / max(1, examples // min(fit.batch_size, examples))))

    def _plain(self) -> dict[str, Any]:
        told = {"task": self.chosen.task.name, "arch": self.chosen.arch.name, "format": self.chosen.format.name}
        return self.config.model_copy(update=told).model_dump(mode="json")

    def _job(self, kind: str, name: str, told: dict[str, Any]) -> Job:
        folder = self.run.path / "trials" / name
        return Job(kind=kind, folder=folder, told={**told, "split_seed": self.config.seed}, label=name)

    @property
    def ordered(self) -> bool:
        """Whether test examples are neighbours in time."""
        return self.data.kind in ("series", "corpus")


def begin(
    config: RunConfig, *, verb: str, out: Path | None, check: Callable[[Plan, Data], None] = lambda chosen, data: None
) -> Study:
    """Open the data and make the folder, or go on with the one that lies there on the same data: with the same
    settings nothing is done again, with more sizes or seeds only what is new.

    check: raises what speaks against the study, before there is a folder.

    Raises: DlcliError when `out` holds a study of something else (exit code 9), or no study.
    """
    plan.check(config)
    if "time" in config.options("fit"):
        raise DlcliError(
            "fit.time is how long one training may take, and those of a study are compared by their passes.",
            "set fit.epochs (--epochs).",
        )
    settings = {"verb": verb, "config": config.model_dump(mode="json"), "format": FORMAT}
    going_on = out is not None and (out / "study.json").is_file()
    if going_on:
        known = Run(out).read("study.json")
        if known != json.loads(json.dumps(settings)):
            raise DlcliError(
                f"{out} holds a study with other settings.",
                f"name another --out, or repeat what {out / 'study.json'} says.",
                code=MISMATCH,
            )
    else:
        rundir.probe(out)
    entry = plan.locate(config)
    opened = plan.open_data(entry, config)
    chosen = plan.choose(config, entry, opened)
    plan.each(chosen.task)
    data, _ = splits.split(opened, seed=config.seed, **plan.split_options(config, chosen.task))
    if chosen.task.literal("LABELS") == "classes":
        splits.check_labels(data)
    for part in ("val", "test"):
        if part not in data.splits:
            raise DataError(
                f"there is no {part} split to compare on.", "give more data, or --set data.parts=0.6,0.2,0.2."
            )
    for warning in data.warnings:
        console.warn(warning)  # here, once: trials are silent about them
    check(chosen, data)
    run = Run(out) if going_on else rundir.create(out, arch=chosen.arch.name, task=verb)
    run.write("study.json", settings)
    return Study(run=run, config=config, chosen=chosen, data=data)
