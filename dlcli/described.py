"""What is known of a MODEL before Keras is started: how it was configured, and what its task learned."""

from typing import Any

from dlcli import checkpoints, plan, registry
from dlcli.checkpoints import Recognised
from dlcli.config import RunConfig, recorded
from dlcli.data import Data
from dlcli.errors import DataError, DlcliError
from dlcli.reference import Reference
from dlcli.registry import Entry

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


def columns_known(spec: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """The `data.` options by which a format reads other data as a run read its own: what columns hold is known, which of
    them its texts are, and which is predicted."""
    options: dict[str, Any] = {"few": True}
    names = spec.get("texts", [])
    if names and not any("," in name for name in names):
        options["text"] = ",".join(names)
    if spec["kind"] == "table" and isinstance(target := spec.get("learned", {}).get("target"), str):
        options["target"] = target
    return {name: value for name, value in options.items() if name in entry.options}


def check_input(reference: Reference, data: Data) -> None:
    """Raises: DlcliError when what DATA holds goes into no model of this sort, whatever its task.

    Of a model whose task is not known only pictures are taken.
    """
    kind = described(reference)[1]["kind"] if reference.kind in KNOWN else "images"
    if plan.WORDS[kind] != plan.WORDS[data.kind]:
        raise _misfit(reference, kind, data)


def check_kind(reference: Reference, data: Data) -> None:
    """Raises: DlcliError when DATA is of another kind than what the known model's own task was learned from, or has no
    classes where the model is told them."""
    spec = described(reference)[1]
    kind = spec["kind"]
    if kind != data.kind and {kind, data.kind} != {"texts", "corpus"}:
        raise _misfit(reference, kind, data)
    # a network that was adapted may be none of these
    entry = registry.entries("architectures").get(spec["architecture"])
    if (
        entry is not None
        and "labels" in entry.literal("OFFERS", ())
        and spec["learned"]["classes"]
        and plan.labels_of(data) == "none"
    ):
        raise DataError(
            f"{reference.text} is told which class to draw, and DATA has no classes.",
            "put the pictures into a folder for each class.",
        )


def _misfit(reference: Reference, kind: str, data: Data) -> DlcliError:
    return DlcliError(
        f"{reference.text} takes {kind}, and DATA holds {data.kind}.", "choose data, or a model, of the same kind."
    )


def check_labels(reference: Reference, data: Data) -> None:
    """Raises: DataError when DATA does not say what the known model's answers should be."""
    task = registry.find("tasks", described(reference)[1]["task"])
    if task.literal("LABELS", "any") in ("classes", "numbers") and plan.labels_of(data) == "none":
        raise DataError(
            f"{reference.text} is scored by labels, and DATA, read as {data.kind}, has none.",
            "dlcli predict works without.",
        )


def recognised(reference: Reference) -> Recognised:
    """The architecture that a checkpoint's weights belong to."""
    return checkpoints.recognised(checkpoints.read(reference.path), vocabulary=reference.vocabulary)
