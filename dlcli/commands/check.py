"""What is wrong with DATA, before anything is trained on it: duplicates, wrong labels, leaks, gaps in coverage."""

from pathlib import Path
from typing import Annotated, List, Optional  # noqa: UP035  `list` would be the command of that name to Typer

import typer


def check(
    data: Annotated[str, typer.Argument(help="Path or built-in name (digits, shapes, …).")],
    format: Annotated[Optional[str], typer.Option(help="How DATA lies on disk, when it is not clear.")] = None,
    target: Annotated[Optional[str], typer.Option(help="Column to predict.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="Of the splits and of samples; default 0.")] = None,
    set: Annotated[
        Optional[List[str]],  # noqa: UP006
        typer.Option(metavar="data.OPTION=VALUE", help="Option of the format or of the splits."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files or lines that cannot be read, up to 1 % of them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from dlcli import config as configuration
    from dlcli import console, plan
    from dlcli.errors import CHECK, SKIPPED

    if json:
        console.quiet()
    settings = configuration.merge(
        file=None,
        assignments=set or [],
        flags={
            "data": data,
            "format": format,
            "seed": seed,
            "data.target": target,
            "data.unreadable": SKIPPED if skip_bad else None,
        },
    )
    plan.check(settings)
    entry = plan.locate(settings)
    opened = plan.open_data(entry, settings)
    from dlcli import checking, splits

    parts, _ = splits.split(opened, seed=settings.seed, **plan.split_options(settings))
    for warning in parts.warnings:
        console.warn(warning)
    found, seconds = [], {}
    for name, findings, taken in checking.checked(parts, seed=settings.seed):
        found += findings
        seconds[name] = round(taken, 2)
    faults = [finding for finding in found if finding.fault]
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in parts.splits.items())
    if faults:
        rows = [[finding.check, finding.shown, finding.mend] for finding in faults]
        console.table(f"{Path(data).name}: {parts.kind}, {sizes}", ["check", "found", "what mends it"], rows, numbers=3)
        for finding in faults:
            if finding.examples:
                shown = ", ".join(finding.examples[:5]) + (", …" if len(finding.examples) > 5 else "")
                console.say(f"{finding.check}: {shown}")
    else:
        console.say(f"{Path(data).name}: {parts.kind}, {sizes}: nothing found.", style="bold")
    fine = [finding.shown for finding in found if not finding.fault]
    if fine:
        console.say("fine: " + "; ".join(fine) + ".")
    if json:
        told = [finding.row() for finding in found]
        console.document(
            {"data": data, "kind": parts.kind, "findings": told, "faults": len(faults), "seconds": seconds}
        )
    if faults:
        raise typer.Exit(CHECK)
