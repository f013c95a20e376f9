"""Score a finished RUN on its data or on other data, beside its simple baselines."""

from pathlib import Path
from typing import Annotated, Optional

import typer


def evaluate(
    run: Annotated[str, typer.Argument(help="Run directory, or weights of a known network.")],
    other: Annotated[
        Optional[str],
        typer.Argument(metavar="data", help="Other data of the same kind; default: what it was trained on."),
    ] = None,
    data: Annotated[Optional[str], typer.Option(help="The same by its name.")] = None,
    split: Annotated[
        Optional[str], typer.Option(help="train, val, test or all; default: test, or the last there is.")
    ] = None,
    set: Annotated[
        Optional[list[str]],
        typer.Option("--set", metavar="data.NAME=VALUE", help="How other data is read, as in dlcli train; repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = "auto",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files or lines that cannot be read, up to 1 % of them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from dlcli import config as configuration
    from dlcli import console, described, inputs, plan, reference
    from dlcli.errors import DlcliError

    if json:
        console.quiet()
    if data is not None and other is not None:
        raise DlcliError(f"two sets are named: {other!r} and --data {data!r}.", "evaluate one after the other.")
    data = other if data is None else data
    opened = reference.parse(run)
    config, spec = described.described(opened)
    own = data is None or plan.own(config, data)
    if data is not None:
        config = plan.elsewhere(config, data)
    config = configuration.read_as(config, set or [], data=data, own=own)
    config = plan.skipping(config) if skip_bad else config
    if not config.data:
        raise DlcliError(f"{run} says nothing of what it was trained on.", "name data: --data PATH.")
    entry = plan.locate(config)
    if not own:
        config = plan.with_data(config, described.columns_known(spec, entry) | config.options("data"))
    found = plan.open_data(entry, config)
    described.check_kind(opened, found)
    described.check_labels(opened, found)
    from dlcli import splits

    parts, _ = splits.split(found, seed=config.seed, **plan.split_options(config))
    for warning in parts.warnings:
        console.warn(warning)
    last = next(part for part in ("test", "val", "train") if part in parts.splits)
    named = "" if own else inputs.part_named(Path(data), found)
    name = split or named or ("all" if not own and "all" in found.splits else last)
    examples = found.splits[named] if name == named else (found.splits | parts.splits).get(name)
    if examples is None:
        raise DlcliError(f"there is no split {name!r}.", f"there are: {', '.join(found.splits | parts.splits)}.")

    from dlcli import backend

    backend.start(config.backend, device=device, precision=config.precision, seed=config.seed)
    from dlcli import evaluation

    report = evaluation.evaluate(opened, parts, path=config.data, name=name, examples=examples, own=own)
    if json:
        console.document(report)
