"""A finished run, opened again: its task and its model. So are weights of others, where their task is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from dlcli import registry
from dlcli.config import RunConfig, checked
from dlcli.described import described, recognised
from dlcli.errors import MODEL, DlcliError, some
from dlcli.reference import Reference
from dlcli.rundir import Run
from dlcli.safety import loading
from dlcli.task import Task


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What `evaluate`, `predict`, `generate` and `transfer` start from. run: None for weights of others."""

    run: Run | None
    config: RunConfig
    spec: dict[str, Any]
    task: Task
    model: keras.Model

    @property
    def short(self) -> str:
        """Its architecture, for people: the last part of a dotted name."""
        return self.spec["architecture"].rpartition(".")[2]

    @property
    def folder(self) -> Path:
        """Where what is made with the model goes: its run, or here."""
        return self.run.path if self.run else Path()


def load(run: Run, *, finite: bool = True) -> Finished:
    """The run's task and its best model. finite: its weights must be numbers.

    Raises: DlcliError (exit code 4) when the model cannot be read.
    """
    spec = run.read("spec.json")
    config = checked(RunConfig, run.read("config.json"), "config.json")
    try:
        task = registry.find("tasks", spec["task"]).load().Task(**spec["learned"])
        registry.find("architectures", spec["architecture"]).load()  # registers its own layers
    except (KeyError, TypeError) as error:
        raise DlcliError(
            f"{run.path / 'spec.json'} is not what this version writes ({' '.join(str(error).split())[:120]}).",
            "open it with the version in its environment.json, or train again.",
            code=MODEL,
        ) from None
    return Finished(run=run, config=config, spec=spec, task=task, model=model(run.model_file(), finite=finite))


def opened(reference: Reference, *, finite: bool = True) -> Finished:
    """The task and the model of a run, or of a checkpoint (described.KNOWN). Raises: as `load`."""
    if reference.kind == "run":
        return load(Run(reference.path), finite=finite)
    config, spec = described(reference)
    task = registry.find("tasks", spec["task"]).load().Task(**spec["learned"])
    built = registry.find("architectures", spec["architecture"]).load().build(task, **config.options("arch"))
    fresh = recognised(reference).fill(built).fresh
    if fresh:
        raise DlcliError(
            f"{reference.path} does not hold all weights of {spec['architecture']}: {some(fresh)} would be random.",
            "is it whole?",
            code=MODEL,
        )
    return Finished(run=None, config=config, spec=spec, task=task, model=built)


def model(path: Path, *, finite: bool = True) -> keras.Model:
    """A model file, judged before Keras reads it, without its training state.

    finite: weights must be numbers. Raises: DlcliError (exit code 4) with the reason when it is not read.
    """
    return loading.model(path, finite=finite)
