"""Train a network on DATA: a path, or the name of a built-in set."""

from pathlib import Path
from typing import Annotated, Optional

import typer


def train(
    data: Annotated[
        Optional[str], typer.Argument(help="Path or built-in name (digits, shapes, shapes:10000, …).")
    ] = None,
    format: Annotated[Optional[str], typer.Option(help="How DATA lies on disk, when it is not clear.")] = None,
    task: Annotated[Optional[str], typer.Option(help="What to learn; see `dlcli list tasks`.")] = None,
    arch: Annotated[Optional[str], typer.Option(help="The network; see `dlcli list architectures`.")] = None,
    target: Annotated[Optional[str], typer.Option(help="Column to predict.")] = None,
    horizon: Annotated[Optional[int], typer.Option(min=1, help="Steps to forecast.")] = None,
    out: Annotated[Optional[Path], typer.Option(help="Run directory; default runs/DATE-TIME-ARCH-TASK.")] = None,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Passes over the training split.")] = None,
    time: Annotated[
        Optional[str], typer.Option(help="Budget such as 90s, 10m or 2h; the schedule is fitted to it.")
    ] = None,
    batch_size: Annotated[Optional[int], typer.Option(min=1)] = None,
    learning_rate: Annotated[Optional[float], typer.Option(help="At the peak of the schedule.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="Of everything random; default 0.")] = None,
    precision: Annotated[Optional[str], typer.Option(help="float32, bfloat16 or float16 (mixed).")] = None,
    backend: Annotated[Optional[str], typer.Option(help="tensorflow or jax.")] = None,
    device: Annotated[Optional[str], typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = None,
    config: Annotated[
        Optional[Path], typer.Option(help="TOML, YAML or JSON file; RUN/config.json repeats a run.")
    ] = None,
    set: Annotated[
        Optional[list[str]], typer.Option(metavar="COMPONENT.OPTION=VALUE", help="Option of arch, task, data or fit.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files or lines that cannot be read, up to 1 % of them.")
    ] = False,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="End with what each layer has learned (see inspect-layers).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    import os

    from dlcli import config as configuration
    from dlcli import console, plan, rundir
    from dlcli.errors import SKIPPED

    settings = configuration.merge(
        file=config,
        assignments=set or [],
        flags={
            "data": data,
            "format": format,
            "task": task,
            "arch": arch,
            "seed": seed,
            "precision": precision,
            "backend": backend or (None if config else os.environ.get("KERAS_BACKEND")),
            "device": device,
            "data.target": target,
            "data.unreadable": SKIPPED if skip_bad else None,
            "task.horizon": horizon,
            "fit.epochs": epochs,
            "fit.time": configuration.seconds(time) if time else None,
            "fit.batch_size": batch_size,
            "fit.learning_rate": learning_rate,
        },
    )
    if json:
        console.quiet()
    plan.check(settings)
    rundir.probe(out)
    entry = plan.locate(settings)
    opened = plan.open_data(entry, settings)
    chosen = plan.choose(settings, entry, opened)
    from dlcli import splits

    split, how = splits.split(opened, seed=settings.seed, **plan.split_options(settings))
    if chosen.task.literal("LABELS") == "classes":
        splits.check_labels(split)
    for warning in split.warnings:
        console.warn(warning)
    run = rundir.create(out, arch=chosen.arch.name, task=chosen.task.name)

    from dlcli import backend as engine

    engine.start(settings.backend, device=settings.device, precision=settings.precision, seed=settings.seed)
    from dlcli import training

    report = training.train(settings, chosen, split, how_split=how, run=run)
    if inspect:
        from dlcli import inspecting

        inspecting.after_training(run, settings, split)
    console.say(f"run: {run.path}")
    if json:
        console.document(report)
