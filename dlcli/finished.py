"""A finished run, opened again: its task and its model. So are weights of others, where their task is known."""

import importlib
import re
import zipfile
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import keras

from dlcli import registry
from dlcli.config import RunConfig, checked
from dlcli.described import described, recognised
from dlcli.errors import MODEL, DlcliError, some
from dlcli.reference import Reference
from dlcli.rundir import Run
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
    def folder(self) -> Path:
        """Where what is made with the model goes: its run, or here."""
        return self.run.path if self.run else Path()


def load(run: Run) -> Finished:
    """The run's task and its best model.

    Raises: DlcliError (exit code 4) when the model cannot be read.
    """
    spec = run.read("spec.json")
    config = checked(RunConfig, run.read("config.json"), "config.json")
    task = registry.find("tasks", spec["task"]).load().Task(**spec["learned"])
    registry.find("architectures", spec["architecture"]).load()  # registers its own layers
    return Finished(run=run, config=config, spec=spec, task=task, model=model(run.model_file()))


def opened(reference: Reference) -> Finished:
    """The task and the model of a run, or of a checkpoint (described.KNOWN). Raises: as `load`."""
    if reference.kind == "run":
        return load(Run(reference.path))
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


def model(path: Path) -> keras.Model:
    """A model file, without its training state.

    Raises: DlcliError (exit code 4) with the reason when it cannot be read.
    """
    old = {"DepthwiseConv2D": _OldDepthwiseConv2D} if path.suffix in (".h5", ".hdf5") else None
    try:
        # Keras says "file not found" of a file that is there
        if path.suffix == ".keras" and not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("it is no zip archive, which every .keras file is")
        _register(path)
        return keras.saving.load_model(path, custom_objects=old, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        message, hint = _told(path, " ".join(str(error).split()))
        raise DlcliError(message, hint, code=MODEL) from None


def _register(path: Path) -> None:
    """A file that holds layers of dlcli's own: importing what defines them is what makes Keras find them."""
    if path.suffix != ".keras":
        return
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json") if "config.json" in archive.namelist() else b""
    if b"keras_hub" in config and util.find_spec("keras_hub") is not None:
        importlib.import_module("keras_hub")
    if b"dlcli>" in config:
        for entry in registry.entries("architectures").values():
            entry.load()


def _told(path: Path, reason: str) -> tuple[str, str]:
    """What a user is told of a file that cannot be read, and what to do, from what Keras says."""
    unknown = re.search(r"Could not locate class '(\w+)'|Unknown layer: '?(\w+)", reason)
    if "No model config" in reason:
        hint = (
            f"name the architecture that they belong to: keras:NAME:{path}; of one that Keras does not have, "
            "build the model in Python, load them there, and save it as .keras."
        )
        return f"{path} holds weights and no architecture.", hint
    if unknown:
        name = next(group for group in unknown.groups() if group)
        return f"{path} has a layer {name!r}, which is not one of Keras.", "save the model with layers that Keras has."
    if "Lambda" in reason and "unsafe" in reason:
        hint = "put a layer of Keras in its place, and save the model again."
        return f"{path} has a Lambda layer: Python code that would be run by reading it.", hint
    return f"{path} could not be read: {reason[:200]}", "is it whole, and of this version?"


class _OldDepthwiseConv2D:
    """Keras 2 wrote into these layers a key `groups`, which never meant anything there and is refused today."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Layer:
        return keras.layers.DepthwiseConv2D.from_config({k: v for k, v in config.items() if k != "groups"})
