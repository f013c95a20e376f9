"""The verdict on a model file as a document and a table, for whoever wants to see before Keras reads it."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcli import checkpoints, console
from dlcli.errors import DlcliError, some
from dlcli.reference import Reference
from dlcli.rundir import Run
from dlcli.safety import limits, preflight
from dlcli.safety.verdict import Verdict


def verdict(reference: Reference) -> dict[str, Any]:
    """What was found in the file of a MODEL. Raises: DlcliError (exit code 4) when it is refused."""
    path = _file(reference)
    found = _weights(path) if reference.kind == "checkpoint" else preflight.check(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": str(path), "sha256": digest, "bytes": path.stat().st_size, "accepted": True, **asdict(found)}


def _file(reference: Reference) -> Path:
    if reference.kind == "run":
        return Run(reference.path).model_file()
    if reference.path is not None:
        return reference.path
    if reference.weights in (None, "imagenet"):
        raise DlcliError(f"{reference.text} names no file.", "--security is for files.")
    return Path(reference.weights)


def _weights(path: Path) -> Verdict:
    """Of weights that another program wrote: dlcli reads them itself, and Keras never."""
    checkpoint = checkpoints.read(path)
    tensors = checkpoint.tensors.values()
    values = sum(tensor.size for tensor in tensors)
    return Verdict(kind=f"weights, {checkpoint.format}", values=values, arrays=len(tensors))


def show(document: dict[str, Any]) -> None:
    """A line for each check."""
    bad = document["unfinite"]
    rows = [
        ["file", f"{document['file']}, {document['bytes']:,} bytes"],
        ["kind", document["kind"] + (f", made with Keras {document['made']}" if document["made"] else "")],
        ["layers", f"{document['layers']:,} of at most {limits.LAYERS:,}"],
        ["classes", some(document["names"], 8) or "none: weights alone"],
        ["code, links, paths", "none"],
        ["weights", f"{document['values']:,} numbers in {document['arrays']:,} arrays"],
        ["finite", f"no: {some(bad)}" if bad else "yes"],
    ]
    console.say(f"sha256 {document['sha256']}")
    console.table("what the file holds: it may be read", ["check", "found"], rows, numbers=2)
