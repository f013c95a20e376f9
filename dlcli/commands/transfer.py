"""Adapt a trained SOURCE to DATA, and know whether it helped."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from dlcli.reference import HELP as MODEL


def transfer(
    source: Annotated[Optional[str], typer.Argument(help=MODEL)] = None,
    data: Annotated[Optional[str], typer.Argument(help="Path or built-in name (digits, shapes, …).")] = None,
    strategy: Annotated[
        Optional[str],
        typer.Option(help="auto, features, head, gradual, full, lora or scratch; auto, the default, tries them."),
    ] = None,
    task: Annotated[Optional[str], typer.Option(help="What to learn; see `dlcli list tasks`.")] = None,
    target: Annotated[Optional[str], typer.Option(help="Column to predict.")] = None,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Passes over the training split.")] = None,
    time: Annotated[Optional[str], typer.Option(help="Budget such as 90s, 10m or 2h, trials included.")] = None,
    batch_size: Annotated[Optional[int], typer.Option(min=1)] = None,
    learning_rate: Annotated[Optional[float], typer.Option(help="At the peak of the schedule.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="Of everything random; default 0.")] = None,
    out: Annotated[Optional[Path], typer.Option(help="Run directory; default runs/DATE-TIME-ARCH-TASK.")] = None,
    resume: Annotated[
        Optional[Path], typer.Option(metavar="RUN", help="Go on with a transfer that was stopped or killed.")
    ] = None,
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
    import contextlib

    from dlcli import asked as asking
    from dlcli import config as configuration
    from dlcli import console, locking, plan, resuming, rundir, signals, sources
    from dlcli.errors import SKIPPED, USAGE, DlcliError

    flags = {
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
    }
    if json:
        console.quiet()
    run = None
    if resume:
        others = (source, out, set, pixels, strategy, curve, no_cache)
        if any(others) or any(value is not None for value in flags.values()):
            raise DlcliError(
                "--resume goes on with what RUN was begun with.", "leave the other options away.", code=USAGE
            )
        run, asked = asking.opened(resume)
    elif not source or not data:
        raise DlcliError(f"{'DATA' if source else 'SOURCE'} is missing.", "dlcli transfer SOURCE DATA.", code=USAGE)
    else:
        strategy = strategy or "auto"
        found = sources.opened(source, pixels=pixels)
        settings = sources.settings(found, assignments=set or [], flags=flags, pixels=pixels)
        asked = asking.Asked(
            source=source, strategy=strategy, config=settings, pixels=pixels, curve=curve, keep=not no_cache
        )
        sources.check_strategy(strategy)
        plan.check(settings)
        rundir.probe(out)
    with contextlib.ExitStack() as held:
        held.enter_context(signals.preemptible(rundir.again(run.path) if run else "start it again."))
        if run:
            held.enter_context(locking.held(run.path))
            if (run.path / "report.json").is_file():
                console.say(f"{run.path} is already complete.")
                if json:
                    console.document(run.read("report.json"))
                return
            found = sources.opened(asked.source, pixels=asked.pixels)
        settings = asked.config
        entry = plan.locate(settings)
        opened = plan.open_data(entry, settings)
        sources.check_kind(found, opened)
        chosen = sources.choose(found, settings, entry, opened, strategy=asked.strategy, curve=asked.curve)
        from dlcli import splits

        split, how = splits.split(opened, seed=settings.seed, **plan.split_options(settings, chosen.task))
        classes = chosen.task.literal("LABELS") == "classes"
        if classes:
            splits.check_labels(split)
        sources.check_splits(split, strategy=asked.strategy, curve=asked.curve and classes)
        for warning in split.warnings:
            console.warn(warning)
        if run is None:
            run = rundir.create(out, arch=chosen.arch.short, task=chosen.task.name)
            held.enter_context(locking.held(run.path))
            asked.write(run)
            held.enter_context(signals.preemptible(rundir.again(run.path)))
        elif (run.path / rundir.ORIGIN).is_file():
            resuming.check(run, plan.resolved(settings, chosen), split, allowed=False)

        from dlcli import backend as engine

        engine.start(settings.backend, device=settings.device, precision=chosen.precision, seed=settings.seed)
        from dlcli.transfer import running

        report = running.transfer(found, asked, chosen, split, how_split=how, run=run)
        console.say(f"run: {run.path}")
        if json:
            console.document(report)
