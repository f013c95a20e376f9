"""What is known of a MODEL before Keras is started: how it was configured, and what its task learned."""

from typing import Any

from dlcli import checkpoints, plan
from dlcli.checkpoints import Recognised
from dlcli.config import RunConfig, recorded
from dlcli.data import Data
from dlcli.errors import DlcliError
from dlcli.reference import Reference

# The format that single files of a kind of data are read as where nothing else says it.
_FORMATS = {"images": "image-folder", "corpus": "text-file"}
# Kinds of reference that say which task they are for; of the others only the model is known.
KNOWN = ("run", "checkpoint")


def described(reference: Reference) -> tuple[RunConfig, dict[str, Any]]:
    """The configuration and the spec.json of a run; for a checkpoint, those that its training would have had.

    Raises: DlcliError when there is no model in it, or one that is not known here.
    """
    if reference.kind == "run":
        run, config = recorded(reference.path)
        return config, run.read("spec.json")
    if reference.kind not in KNOWN:
        raise DlcliError(
            f"{reference.text} does not say what its answers mean.",
            "name a run, or weights of a network that is known here; dlcli transfer adapts any.",
        )
    known = recognised(reference)
    config = RunConfig(data="", task=known.task, arch=known.architecture, set={"arch": known.options})
    return config, {
        "kind": known.kind,
        "format": _FORMATS[known.kind],
        "task": known.task,
        "architecture": known.architecture,
        "learned": known.learned,
    }


def check_kind(reference: Reference, data: Data) -> None:
    """Raises: DlcliError when DATA is of another kind than what the model was trained on.

    Of a model whose task is not known only pictures are taken.
    """
    kind = described(reference)[1]["kind"] if reference.kind in KNOWN else "images"
    if plan.WORDS[kind] != plan.WORDS[data.kind]:
        raise DlcliError(
            f"{reference.text} takes {kind}, and DATA holds {data.kind}.", "choose data, or a model, of the same kind."
        )


def recognised(reference: Reference) -> Recognised:
    """The architecture that a checkpoint's weights belong to."""
    return checkpoints.recognised(checkpoints.read(reference.path), vocabulary=reference.vocabulary)
