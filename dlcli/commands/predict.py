"""Predict with a finished RUN for files, folders, tables or texts of your own."""

from pathlib import Path
from typing import Annotated, Optional

import typer


def predict(
    run: Annotated[str, typer.Argument(help="Run directory, or weights of a known network.")],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Files or folders; for text also the text itself.")
    ],
    out: Annotated[Optional[Path], typer.Option(help="CSV file to write; default RUN/predict/….csv.")] = None,
    set: Annotated[
        Optional[list[str]],
        typer.Option(
            "--set", metavar="data.NAME=VALUE", help="How the inputs are read, as in dlcli train; repeatable."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = "auto",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files or lines that cannot be read, up to 1 % of them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from dlcli import config as configuration
    from dlcli import console, described, plan, reference
    from dlcli import inputs as reading

    if json:
        console.quiet()
    opened = reference.parse(run)
    config, spec = described.described(opened)
    config = configuration.read_as(config, set or [], data="INPUT", own=False)
    config = plan.skipping(config) if skip_bad else config
    examples = reading.read(spec, config, inputs, named=set or [])

    from dlcli import backend

    backend.start(config.backend, device=device, precision=config.precision, seed=config.seed)
    from dlcli import prediction

    report = prediction.predict(opened, examples, out=out)
    if json:
        console.document(report)
