"""Does depth pay on DATA, at equal parameters and compute? Or, of finished RUNs, which is better beyond doubt?"""

from functools import partial
from pathlib import Path
from typing import Annotated, List, Optional  # noqa: UP035  `list` would be the command of that name to Typer

import typer


def compare(
    context: typer.Context,
    what: Annotated[
        List[str],  # noqa: UP006
        typer.Argument(metavar="DATA | RUN RUN…", help="A path or built-in name, or run directories."),
    ],
    depths: Annotated[str, typer.Option(help="Depths to compare; 0 is the linear model.")] = "0,1,2,4,8",
    format: Annotated[Optional[str], typer.Option(help="How DATA lies on disk, when it is not clear.")] = None,
    arch: Annotated[Optional[str], typer.Option(help="The network; see `dlcli list architectures`.")] = None,
    parameters: Annotated[
        Optional[int], typer.Option(min=1, help="Of every network; default: the architecture's own.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each network.")] = 3,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Passes of the network of median cost.")] = None,
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
    if len(what) > 1:
        from dlcli.comparing import runs

        if useless := _given(context) - {"what", "backend", "device", "json"}:
            names = ", ".join(sorted(f"--{name.replace('_', '-')}" for name in useless))
            raise DlcliError(
                f"{names} say how depths are compared on DATA, and {len(what)} runs are named.", "leave them away."
            )
        told = runs.compared([Path(one) for one in what], backend=backend, device=device)
        if json:
            console.document(told)
        return
    if (Path(what[0]) / "spec.json").is_file():
        raise DlcliError(
            f"{what[0]} is one run.", "name two or more to compare them, or the data to compare depths on."
        )
    try:
        wanted = sorted({int(depth) for depth in depths.split(",")})
    except ValueError:
        raise DlcliError(f"--depths {depths!r} is not a list of numbers.", "for example 0,1,2,4,8.") from None
    if len(wanted) < 2 or wanted[0] < 0:
        raise DlcliError(f"--depths {depths!r}: two different depths of at least 0 are needed.", "for example 0,1,2.")
    settings = configuration.merge(
        file=None,
        assignments=set or [],
        flags={
            "data": what[0],
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
    from dlcli.comparing import depths as comparing
    from dlcli.comparing import show
    from dlcli.trials.pool import workers_for

    study = studies.begin(settings, verb="compare", out=out, check=partial(comparing.check, depths=wanted))
    console.note(f"study: {study.run.path} (stopped, it goes on with --out {study.run.path})")
    with locking.held(study.run.path):
        document = comparing.compared(
            study, depths=wanted, parameters=parameters, seeds=seeds, workers=workers or workers_for(settings.device)
        )
        study.run.write("report.json", document)
    cost = document["cost"]
    if cost["made"]:
        told = f"{cost['made']} trials of {cost['trials']:.0f} s together took {cost['wall']:.0f} s"
        console.note(f"{told}, {cost['at_once']} at once.")
    show.depths(document, study.run)
    if json:
        console.document(document)


def _given(context: typer.Context) -> set[str]:
    """Names of the options that stand on the command line."""
    return {name for name in context.params if context.get_parameter_source(name).name == "COMMANDLINE"}
