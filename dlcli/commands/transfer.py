"""Adapt a trained SOURCE to DATA, and know whether it helped."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from dlcli.reference import HELP as MODEL


def transfer(
    source: Annotated[str, typer.Argument(help=MODEL)],
    data: Annotated[str, typer.Argument(help="Path or built-in name (digits, shapes, …).")],
    strategy: Annotated[
        str, typer.Option(help="auto, features, head, gradual, full, lora or scratch; auto tries them.")
    ] = "auto",
    task: Annotated[Optional[str], typer.Option(help="What to learn; see `dlcli list tasks`.")] = None,
    target: Annotated[Optional[str], typer.Option(help="Column to predict.")] = None,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Passes over the training split.")] = None,
    time: Annotated[Optional[str], typer.Option(help="Budget such as 90s, 10m or 2h, trials included.")] = None,
    batch_size: Annotated[Optional[int], typer.Option(min=1)] = None,
    learning_rate: Annotated[Optional[float], typer.Option(help="At the peak of the schedule.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="Of everything random; default 0.")] = None,
    out: Annotated[Optional[Path], typer.Option(help="Run directory; default runs/DATE-TIME-ARCH-TASK.")] = None,
    set: Annotated[
        Optional[list[str]], typer.Option(metavar="COMPONENT.OPTION=VALUE", help="Option of arch, task, data or fit.")
    ] = None,
    pixels: Annotated[
        Optional[str], typer.Option(help="Scale of a foreign model's pixels: 0..255, 0..1, -1..1, imagenet or caffe.")
    ] = None,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Also accuracy against the number of labels (without classes: loss against steps), beside scratch.",
        ),
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files or lines that cannot be read, up to 1 % of them.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compute features anew, and keep none.")] = False,
    backend: Annotated[Optional[str], typer.Option(help="tensorflow or jax; default: the run's.")] = None,
    device: Annotated[Optional[str], typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from dlcli import config as configuration
    from dlcli import console, locking, plan, rundir, sources
    from dlcli.errors import SKIPPED

    if json:
        console.quiet()
    opened = sources.opened(source, pixels=pixels)
    settings = sources.settings(
        opened,
        assignments=set or [],
        flags={
            "data": data,
            "task": task,
            "seed": seed,
            "backend": backend,
            "device": device,
            "data.target": target,
            "data.unreadable": SKIPPED if skip_bad else None,
            "fit.epochs": epochs,
            "fit.time": configuration.seconds(time) if time else None,
            "fit.batch_size": batch_size,
            "fit.learning_rate": learning_rate,
        },
        pixels=pixels,
    )
    sources.check_strategy(strategy)
    plan.check(settings)
    rundir.probe(out)
    entry = plan.locate(settings)
    found = plan.open_data(entry, settings)
    sources.check_kind(opened, found)
    chosen = sources.choose(opened, settings, entry, found, strategy=strategy, curve=curve)
    from dlcli import splits

    split, how = splits.split(found, seed=settings.seed, **plan.split_options(settings))
    if chosen.task.literal("LABELS") == "classes":
        splits.check_labels(split)
    sources.check_splits(split, strategy=strategy, curve=curve and chosen.task.literal("LABELS") == "classes")
    for warning in split.warnings:
        console.warn(warning)
    run = rundir.create(out, arch=chosen.arch.short, task=chosen.task.name)

    with locking.held(run.path):
        from dlcli import backend as engine

        engine.start(settings.backend, device=settings.device, precision=settings.precision, seed=settings.seed)
        from dlcli.transfer import running

        report = running.transfer(
            opened, settings, chosen, split, strategy=strategy, how_split=how, run=run, curve=curve, keep=not no_cache
        )
        console.say(f"run: {run.path}")
        if json:
            console.document(report)
