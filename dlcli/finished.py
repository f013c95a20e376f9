"""A finished run, opened again: its task and its model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from dlcli import registry
from dlcli.config import RunConfig, checked
from dlcli.errors import MODEL, DlcliError
from dlcli.rundir import Run
from dlcli.task import Task


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What `evaluate`, `predict` and `generate` start from."""

    run: Run
    config: RunConfig
    spec: dict[str, Any]
    task: Task
    model: keras.Model


def load(run: Run) -> Finished:
    """The run's task and its best model.

    Raises: DlcliError (exit code 4) when the model cannot be read.
    """
    spec = run.read("spec.json")
    config = checked(RunConfig, run.read("config.json"), "config.json")
    task = registry.find("tasks", spec["task"]).load().Task(**spec["learned"])
    registry.find("architectures", spec["architecture"]).load()  # registers its own layers
    return Finished(run=run, config=config, spec=spec, task=task, model=model(run.model_file()))


def model(path: Path) -> keras.Model:
    """A model file, without its training state."""
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DlcliError(
            f"{path} could not be read: {reason}", "is it whole, and of this version?", code=MODEL
        ) from None
