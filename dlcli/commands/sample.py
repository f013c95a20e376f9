"""Write a procedural set NAME, of any size, to FOLDER, with the factors each example was made of."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from dlcli import console, registry
from dlcli.errors import DlcliError


def sample(
    name: Annotated[str, typer.Argument(help="A set that `dlcli list samples` shows.")],
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    n: Annotated[Optional[int], typer.Option("--n", min=1, help="How many examples; default: its own size.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other examples.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    entry = registry.find("samples", name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DlcliError(f"{folder} exists and is not empty.", "name a new folder.")
    size = n or entry.literal("SIZE")
    entry.load().write(folder, size, seed=seed)
    if json:
        console.document({"sample": entry.name, "folder": str(folder), "n": size, "seed": seed})
    else:
        print(folder)
