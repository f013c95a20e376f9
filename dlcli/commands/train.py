"""Train a network on DATA: a path, or the name of a built-in set."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from dlcli.errors import DlcliError


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
    resume: Annotated[
        Optional[Path], typer.Option(metavar="RUN", help="Go on with a run that was stopped or killed, or extend one.")
    ] = None,
    epochs: Annotated[
        Optional[str], typer.Option(metavar="N", help="Passes over the training split; +N adds to a resumed run's.")
    ] = None,
    time: Annotated[
        Optional[str], typer.Option(help="Budget such as 90s, 10m or 2h; the schedule is fitted to it.")
    ] = None,
    batch_size: Annotated[Optional[int], typer.Option(min=1)] = None,
    learning_rate: Annotated[Optional[float], typer.Option(help="At the peak of the schedule.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="Of everything random; default 0.")] = None,
    precision: Annotated[
        Optional[str], typer.Option(help="float32, bfloat16 or float16 (mixed); auto: what is fast and exact enough.")
    ] = None,
    backend: Annotated[Optional[str], typer.Option(help="tensorflow or jax.")] = None,
    device: Annotated[Optional[str], typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = None,
    config: Annotated[
        Optional[Path], typer.Option(help="TOML, YAML or JSON file; RUN/config.json repeats a run.")
    ] = None,
    set: Annotated[
        Optional[list[str]], typer.Option(metavar="COMPONENT.OPTION=VALUE", help="Option of arch, task, data or fit.")
    ] = None,
    allow_change: Annotated[
        bool, typer.Option("--allow-change", help="Resume with other data or settings than the run was begun with.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files or lines that cannot be read, up to 1 % of them.")
    ] = False,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="End with what each layer has learned (see inspect-layers).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    import contextlib

    from dlcli import config as configuration
    from dlcli import console, locking, plan, registry, resuming, rundir, signals
    from dlcli.errors import SKIPPED

    registry.name_module(arch)
    registry.name_module(task)
    passes = resuming.passes(epochs, resumed=resume is not None) if epochs else None
    run, begun = None, None
    if resume:
        if out or config:
            raise DlcliError("--resume goes on in RUN, with RUN's configuration.", "leave --out and --config away.")
        if any(text.replace(" ", "").startswith("fit.epochs=") for text in set or []):
            raise DlcliError("--set fit.epochs says nothing to a run that goes on.", "--epochs N does, or --epochs +N.")
        run, begun = resuming.opened(resume)
    if config and (config.parent / rundir.TRANSFER).is_file():
        raise DlcliError(
            f"{config} belongs to a transfer, and train would begin without its source's weights.",
            f"dlcli transfer SOURCE DATA begins it again; {config.parent / rundir.TRANSFER} says with what.",
        )
    settings = configuration.merge(
        file=config,
        base=begun,
        assignments=set or [],
        flags={
            "data": data,
            "format": format,
            "task": task,
            "arch": arch,
            "seed": seed,
            "precision": precision,
            "backend": backend,
            "device": device,
            "data.target": target,
            "data.unreadable": SKIPPED if skip_bad else None,
            "task.horizon": horizon,
            "fit.epochs": passes[0] if passes and not resume else None,
            "fit.time": configuration.seconds(time) if time else None,
            "fit.batch_size": batch_size,
            "fit.learning_rate": learning_rate,
        },
    )
    if json:
        console.quiet()
    plan.check(settings)
    if run is None:
        rundir.probe(out)
    with contextlib.ExitStack() as held:
        held.enter_context(signals.preemptible(rundir.again(run.path) if run else "start it again."))
        if run:
            held.enter_context(locking.held(run.path))
            if resuming.complete(run) and not passes:
                console.say(f"{run.path} is already complete.")
                if json:
                    console.document(run.read("report.json"))
                return
        entry = plan.locate(settings)
        opened = plan.open_data(entry, settings)
        chosen = plan.choose(settings, entry, opened)
        from dlcli import checking, splits

        settings = plan.spare_none(settings, chosen, opened)
        split, how = splits.split(opened, seed=settings.seed, **plan.split_options(settings, chosen.task))
        if chosen.task.literal("LABELS") == "classes":
            splits.check_labels(split)
        uses = {chosen.task.literal("LABELS"), *chosen.arch.literal("OFFERS", ())}
        labels = bool(uses & {"classes", "numbers", "labels"})
        split.warnings.extend(checking.told(split, seed=settings.seed, labels=labels))
        for warning in split.warnings:
            console.warn(warning)
        if run:
            resuming.check(run, plan.resolved(settings, chosen), split, allowed=allow_change)
            if passes:
                resuming.extend(run, passes, chosen.fit)
        else:
            run = rundir.create(out, arch=chosen.arch.name, task=chosen.task.name)
            held.enter_context(locking.held(run.path))

        from dlcli import backend as engine

        engine.start(settings.backend, device=settings.device, precision=chosen.precision, seed=settings.seed)
        from dlcli import training

        report = training.train(settings, chosen, split, how_split=how, run=run)
        if inspect:
            from dlcli import inspecting

            inspecting.after_training(run, settings, split)
        console.say(f"run: {run.path}")
        if json:
            console.document(report)
