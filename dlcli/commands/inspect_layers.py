"""Open up a MODEL: what every layer is, and what it has learned, measured."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from dlcli.reference import HELP as MODEL


class Budget(StrEnum):
    """How much work may be done."""

    static = "static"
    fast = "fast"
    standard = "standard"
    deep = "deep"


class Family(StrEnum):
    """Whose lenses look at a model."""

    auto = "auto"
    cnn = "cnn"
    rnn = "rnn"
    transformer = "transformer"
    gan = "gan"
    autoencoder = "autoencoder"
    dense = "dense"


def inspect_layers(
    model: Annotated[str, typer.Argument(help=MODEL)],
    data: Annotated[
        Optional[str], typer.Option(help="Data to measure on; default: what the run was trained on.")
    ] = None,
    target: Annotated[Optional[str], typer.Option(help="Column of DATA with the labels.")] = None,
    set: Annotated[
        Optional[list[str]],
        typer.Option("--set", metavar="data.NAME=VALUE", help="How DATA is read, as in dlcli train; repeatable."),
    ] = None,
    split: Annotated[Optional[str], typer.Option(help="train, val, test or all; default: val.")] = None,
    budget: Annotated[
        Budget,
        typer.Option(
            help="static: no data. fast: one pass. standard: levels, against an untrained twin. deep: also what is used."
        ),
    ] = Budget.standard,
    family: Annotated[
        Family, typer.Option(help="Whose columns and pictures; auto: those of the architecture, or of its layers.")
    ] = Family.auto,
    samples: Annotated[int, typer.Option(min=32, help="Examples of the data to look at.")] = 2000,
    layer: Annotated[
        Optional[list[str]], typer.Option(metavar="GLOB", help="Measure only layers of this name.")
    ] = None,
    example: Annotated[
        Optional[list[int]],
        typer.Option(metavar="N", min=0, help="Draw what speaks for the answer to this example of the split, from 0."),
    ] = None,
    expand: Annotated[bool, typer.Option("--expand", help="Show every layer; do not fold blocks.")] = False,
    html: Annotated[Optional[Path], typer.Option(metavar="FILE", help="Also write one self-contained page.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    compare: Annotated[
        Optional[str], typer.Option(metavar="MODEL2", help="Also measure another model, and compare.")
    ] = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Which level came at which epoch: over the checkpoints of a run.")
    ] = False,
    pixels: Annotated[
        Optional[str], typer.Option(help="Scale of a foreign model's pixels: 0..255, 0..1, -1..1, imagenet or caffe.")
    ] = None,
    security: Annotated[
        bool, typer.Option("--security", help="Only say what the file holds and names; Keras does not read it.")
    ] = False,
    ascii: Annotated[bool, typer.Option("--ascii", help="No block characters.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of stimuli, twin and sample.")] = 0,
    backend: Annotated[Optional[str], typer.Option(help="tensorflow or jax; default: the run's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, gpu:0 or gpu:0,1.")] = "auto",
) -> None:
    import os

    from dlcli import console, described, reference
    from dlcli.errors import CHECK, DlcliError

    if json:
        console.quiet()
    if html is not None and not html.absolute().parent.is_dir():
        raise DlcliError(
            f"there is no folder {html.absolute().parent} to write {html.name} into.", "make it first: mkdir."
        )
    if html is not None and html.is_dir():
        raise DlcliError(f"{html} is a folder.", "name a file: --html report.html.")
    if pixels is not None and pixels not in reference.PIXELS:
        raise DlcliError(f"{pixels!r} is no known scale of pixels.", f"known: {', '.join(reference.PIXELS)}.")
    opened = reference.parse(model)
    if security:
        from dlcli.safety import report

        document = report.verdict(opened)
        report.show(document)
        if json:
            console.document(document)
        return
    if pixels is not None and opened.kind in described.KNOWN:
        raise DlcliError(
            f"--pixels {pixels} is for foreign models; {model!r} scales by itself.", "leave --pixels away."
        )
    other = reference.parse(compare) if compare else None
    if timeline and (other or budget is not Budget.standard):
        raise DlcliError("--timeline is of one run, at the standard budget.", "leave --compare and --budget away.")
    if target is not None and data is None:
        raise DlcliError(f"--target {target} names a column of --data, and there is none.", "name --data.")
    if timeline and opened.kind != "run":
        raise DlcliError(f"--timeline needs a run directory, and {model!r} is none.", "name the run.")
    if example and budget is not Budget.deep:
        raise DlcliError("--example is for attributions, which take --budget deep.", "add --budget deep.")
    from dlcli import materials

    asked = {"data": data, "target": target, "assignments": set or [], "split": split, "none": budget is Budget.static}
    found = materials.gather(opened, **asked)
    found_other = materials.alike(materials.gather(other, **asked), found) if other else None
    engine = backend or found.backend or os.environ.get("KERAS_BACKEND") or "tensorflow"

    from dlcli import backend as engines

    engines.start(engine, device=device, seed=seed)
    from dlcli import inspecting
    from dlcli.inspection.show import show

    request = inspecting.Request(
        budget=budget.value,
        samples=samples,
        only=layer or (),
        seed=seed,
        pixels=pixels,
        examples=example or (),
        family=None if family is Family.auto else family.value,
    )
    if timeline:
        document = inspecting.over_time(opened, found, request)
    elif other is not None:
        document = inspecting.compared(opened, other, found, found_other, request)
    else:
        document = inspecting.one(opened, found, request)
    show(document, expand=expand, plain=ascii)
    if html is not None:
        inspecting.write_page(html, document)
    if opened.kind == "run":
        inspecting.keep(opened.path, document)
    if json:
        console.document(document)
    if any(not gate["passed"] for gate in document["gates"]):
        raise typer.Exit(CHECK)
