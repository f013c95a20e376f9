"""What are more data, a larger model or more training worth on DATA? Measured, with a law fitted and tested."""

from functools import partial
from pathlib import Path
from typing import Annotated, List, Optional  # noqa: UP035  `list` would be the command of that name to Typer

import typer


def scale(
    data: Annotated[str, typer.Argument(help="Path or built-in name (digits, shapes, …).")],
    axis: Annotated[str, typer.Option(help="data, model or compute: what grows.")] = "data",
    sizes: Annotated[
        Optional[str], typer.Option(help="Training examples, such as 250,1000,4000,16000; default: five, up to all.")
    ] = None,
    predict: Annotated[Optional[float], typer.Option(min=1, help="A size at which to foretell the error.")] = None,
    format: Annotated[Optional[str], typer.Option(help="How DATA lies on disk, when it is not clear.")] = None,
    arch: Annotated[Optional[str], typer.Option(help="The network; see `dlcli list architectures`.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings at each size.")] = 3,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Passes over the training examples.")] = None,
    task: Annotated[Optional[str], typer.Option(help="What to learn; see `dlcli list tasks`.")] = None,
    target: Annotated[Optional[str], typer.Option(help="Column to predict.")] = None,
    horizon: Annotated[Optional[int], typer.Option(min=1, help="Steps to forecast.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="Of the splits, and the first of the trainings.")] = None,
    out: Annotated[Optional[Path], typer.Option(help="Folder; one that was stopped is gone on with.")] = None,
    workers: Annotated[Optional[int], typer.Option(min=1, help="Trainings at once; default: one per core.")] = None,
    set: Annotated[
        Optional[List[str]],  # noqa: UP006
        typer.Option(metavar="COMPONENT.OPTION=VALUE", help="Option of arch, task, data or fit."),
    ] = None,
    backend: Annotated[Optional[str], typer.Option(help="tensorflow or jax.")] = None,
    device: Annotated[Optional[str], typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files or lines that cannot be read, up to 1 % of them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from dlcli import config as configuration
    from dlcli import console
    from dlcli.errors import SKIPPED, DlcliError

    if json:
        console.quiet()
    if axis not in ("data", "model", "compute"):
        raise DlcliError(f"--axis {axis!r} is not known.", "it is data, model or compute.")
    try:
        wanted = sorted({int(size) for size in sizes.split(",")}) if sizes else None
    except ValueError:
        raise DlcliError(f"--sizes {sizes!r} is not a list of numbers.", "for example 250,1000,4000,16000.") from None
    if wanted and axis != "data":
        raise DlcliError(f"--sizes are of training examples, and --axis is {axis}.", "leave one of them away.")
    if wanted and wanted[0] < 2:
        raise DlcliError(f"--sizes asks for {wanted[0]} training examples.", "ask for at least 2.")
    settings = configuration.merge(
        file=None,
        assignments=set or [],
        flags={
            "data": data,
            "format": format,
            "task": task,
            "arch": arch,
            "seed": seed,
            "backend": backend,
            "device": device,
            "data.target": target,
            "data.unreadable": SKIPPED if skip_bad else None,
            "task.horizon": horizon,
            "fit.epochs": epochs,
        },
    )
    from dlcli import locking
    from dlcli import study as studies
    from dlcli.comparing import scaling, show_scale
    from dlcli.trials.pool import workers_for

    study = studies.begin(settings, verb="scale", out=out, check=partial(scaling.check, sizes=wanted))
    console.note(f"study: {study.run.path} (stopped, it goes on with --out {study.run.path})")
    with locking.held(study.run.path):
        document, curve = scaling.measured(
            study,
            axis=axis,
            sizes=wanted,
            seeds=seeds,
            predict=predict,
            workers=workers or workers_for(settings.device),
        )
        study.run.write("report.json", document)
    cost = document["cost"]
    if cost["made"]:
        told = f"{cost['made']} trials of {cost['trials']:.0f} s together took {cost['wall']:.0f} s"
        console.note(f"{told}, {cost['at_once']} at once.")
    show_scale.scale(document, curve, study.run)
    if json:
        console.document(document)
