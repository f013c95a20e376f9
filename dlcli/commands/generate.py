"""Draw new pictures or texts from a finished RUN."""

from pathlib import Path
from typing import Annotated, Optional

import typer


def generate(
    run: Annotated[str, typer.Argument(help="Run directory of a generator or a language model, or weights of one.")],
    start: Annotated[
        Optional[str], typer.Argument(metavar="PROMPT", help="Text to go on from, as with --prompt.")
    ] = None,
    n: Annotated[Optional[int], typer.Option("--n", min=1, help="How many.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    prompt: Annotated[Optional[str], typer.Option(help="Text to go on from.")] = None,
    label: Annotated[
        Optional[str], typer.Option("--label", "--class", help="Class to draw, where the generator knows classes.")
    ] = None,
    set: Annotated[
        Optional[list[str]],
        typer.Option(metavar="OPTION=VALUE", help="Option of the task's generator, such as temperature=0.8."),
    ] = None,
    out: Annotated[Optional[Path], typer.Option(help="File to write; default RUN/generate/….")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from dlcli import config as configuration
    from dlcli import console, described, reference, registry
    from dlcli.errors import DlcliError

    if json:
        console.quiet()
    opened = reference.parse(run)
    config, spec = described.described(opened)
    task = registry.find("tasks", spec["task"])
    known = task.arguments("generate")
    if not known:
        able = [name for name, other in registry.entries("tasks").items() if other.arguments("generate")]
        raise DlcliError(
            f"{run} was trained for {task.name}, which generates nothing.", f"these do: {', '.join(able)}."
        )
    if None not in (start, prompt):
        raise DlcliError(f"two prompts were given, {start!r} and {prompt!r}.", "leave one of them out.")
    flags = {"n": n, "seed": seed, "prompt": prompt if start is None else start, "label": label}
    flags = {name: value for name, value in flags.items() if value is not None}
    for name, called in {"prompt": "prompt", "label": "class"}.items():
        if name in flags and name not in known:
            raise DlcliError(
                f"{run} was trained for {task.name}, which is told no {called}.", f"it takes {', '.join(known)}."
            )
    given = {}
    for text in set or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise DlcliError(f"--set {text!r} is not option=value.", f"options: {', '.join(known)}.")
        given[name] = value
    # a class may be called "none", which --set takes for no value
    options = flags | configuration.typed(known, given, task.name, "generate")

    from dlcli import backend

    backend.start(config.backend, device=device, precision=config.precision, seed=seed)
    from dlcli import generation

    report = generation.generate(opened, options, out=out)
    if json:
        console.document(report)
