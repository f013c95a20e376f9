"""Weights that other programs wrote: read without running their code, and put into dlcli's own architectures.

`read(path)` tells the format by the content; `recognised(checkpoint)` tells which architecture the weights
belong to, with which options, and how they go into its layers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.checkpoints import llama, llama2c, resnet_cifar, safetensors, torch_zip
from dlcli.checkpoints.copying import Lists
from dlcli.errors import MODEL, DlcliError, some

FORMATS = "a PyTorch state dict (.pt, .pth, .th), .safetensors, or a .bin of llama2.c"

# Architectures that foreign weights are recognised for.
_MAPPINGS = (resnet_cifar, llama)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """format: "torch", "safetensors" or "llama2c".  settings: what the file says of its model beside the weights."""

    path: Path
    format: str
    tensors: dict[str, np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """An architecture of dlcli's own and its options, the task that the weights were trained for with what that
    task knew, the kind of data that it was trained on, and `fill(model)`, which fills a model."""

    architecture: str
    options: dict[str, Any]
    kind: str
    task: str
    learned: dict[str, Any]
    fill: Callable[[Any], Lists]


def read(path: Path | str) -> Checkpoint:
    """Read a file of weights, whatever its name. Raises: DlcliError (exit code 4) for what is none, or hostile."""
    path = Path(path)
    if not path.is_file():
        raise DlcliError(f"there is no file {str(path)!r}.", f"weights are {FORMATS}.")
    found = _read(path)
    for name, values in found.tensors.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise DlcliError(
                f"{path} is not read: NaN or infinite numbers stand in {name}.",
                "was its training stopped when it diverged?",
                code=MODEL,
            )
    return found


def _read(path: Path) -> Checkpoint:
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith((torch_zip.ZIP, torch_zip.LEGACY)):
        tensors, settings = torch_zip.load(path)
        return Checkpoint(path=path, format="torch", tensors=tensors, settings=llama.named(settings))
    if safetensors.matches(path):
        return Checkpoint(path=path, format="safetensors", tensors=safetensors.read(path))
    if llama2c.matches(path):
        tensors, header = llama2c.read(path)
        return Checkpoint(path=path, format="llama2c", tensors=tensors, settings=vars(header))
    raise DlcliError(f"{path} holds no weights in a form that is known here.", f"known are {FORMATS}.", code=MODEL)


def recognised(checkpoint: Checkpoint, *, vocabulary: Path | None = None) -> Recognised:
    """The architecture that the names and shapes belong to. vocabulary: a file of its own, for text.

    Raises: DlcliError (exit code 4) when it is none.
    """
    for mapping in _MAPPINGS:
        options = mapping.options(checkpoint.tensors, checkpoint.settings)
        if options is not None:
            learned = mapping.learned(checkpoint.tensors, checkpoint.settings, checkpoint.path, vocabulary)
            return Recognised(
                architecture=mapping.ARCHITECTURE,
                options=options,
                kind=mapping.KIND,
                task=mapping.TASK,
                learned=learned,
                fill=partial(mapping.weights, checkpoint.tensors, rows=mapping.rows(learned)),
            )
    names = ", ".join(mapping.ARCHITECTURE for mapping in _MAPPINGS)
    raise DlcliError(
        f"the weights in {checkpoint.path} belong to no architecture here: {some(checkpoint.tensors)}.",
        f"weights of others are known for {names}.",
        code=MODEL,
    )
