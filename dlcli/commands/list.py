"""List what there is: architectures, tasks, formats (or baselines, samples, strategies, checks)."""

from typing import Annotated, Optional

import typer

from dlcli import console, registry
from dlcli.errors import DlcliError

KINDS = ("architectures", "tasks", "formats", "baselines", "samples", "strategies", "checks")


def list(
    what: Annotated[
        Optional[str], typer.Argument(help="architectures, tasks, formats, baselines, samples, strategies or checks.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    if what and what not in KINDS:
        raise DlcliError(f"there is no list of {what!r}.", registry.nearest(what, KINDS))
    kinds = [what] if what else KINDS
    if json:
        console.document({kind: [_entry(entry) for entry in registry.entries(kind).values()] for kind in kinds})
        return
    for kind in kinds:
        rows = [
            [entry.name, entry.group, entry.summary, " ".join(f"{o.name}={o.default}" for o in entry.options.values())]
            for entry in sorted(registry.entries(kind).values(), key=lambda entry: (entry.group, entry.name))
        ]
        if not any(row[1] for row in rows):
            rows = [[name, summary, options] for name, _, summary, options in rows]
            console.table(kind, ["name", "what it is", "options"], rows, numbers=9)
        else:
            console.table(kind, ["name", "family", "what it is", "options"], rows, numbers=9)


def _entry(entry: registry.Entry) -> dict:
    return {
        "name": entry.name,
        "family": entry.group,
        "summary": entry.summary,
        "options": {
            option.name: {"type": option.annotation, "default": option.default} for option in entry.options.values()
        },
        "offers": sorted(entry.literal("OFFERS", ())),
        "needs": sorted(entry.literal("NEEDS", ())),
    }
