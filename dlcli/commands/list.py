"""List what there is: architectures, tasks, formats (or baselines, samples, strategies, checks), or all of one of them."""

from typing import Annotated, Optional

import typer

from dlcli import console, registry
from dlcli.errors import DlcliError

KINDS = ("architectures", "tasks", "formats", "baselines", "samples", "strategies", "checks")
# How an option of an entry is set: --set arch.NAME=VALUE. Of the others nothing is.
COMPONENTS = {"architectures": "arch", "tasks": "task", "formats": "data"}
FIT = "fit"


def list(
    what: Annotated[
        Optional[str],
        typer.Argument(
            help="architectures, tasks, formats, baselines, samples, strategies or checks; one of them, "
            "such as lstm, with all its options; or fit."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    named = [] if what is None or what in KINDS else _named(what)
    if what is not None and what not in (*KINDS, FIT) and not named:
        names = [name for kind in KINDS for name in registry.entries(kind)]
        raise DlcliError(f"there is no list of {what!r}.", registry.nearest(what, [*KINDS, FIT, *names], [*KINDS, FIT]))
    kinds = [what] if what in KINDS else KINDS
    if what == FIT:
        _show_fit(json)
    elif named and json:
        console.document({entry.registry: [_entry(entry)] for entry in named})
    elif named:
        for entry in named:
            _show(entry)
    elif json:
        console.document({kind: [_entry(entry) for entry in registry.entries(kind).values()] for kind in kinds})
    else:
        for kind in kinds:
            _table(kind)


def _named(name: str) -> "list[registry.Entry]":
    """The entries of that name, of whichever kind."""
    found = (registry.entries(kind).get(name.lower().replace("_", "-")) for kind in KINDS)
    return [entry for entry in found if entry is not None]


def _table(kind: str) -> None:
    rows = [
        [entry.name, entry.group, entry.summary, " ".join(f"{o.name}={o.default}" for o in entry.options.values())]
        for entry in sorted(registry.entries(kind).values(), key=lambda entry: (entry.group, entry.name))
    ]
    if not any(row[1] for row in rows):
        rows = [[name, summary, options] for name, _, summary, options in rows]
        console.table(kind, ["name", "what it is", "options"], rows, numbers=9)
    else:
        console.table(kind, ["name", "family", "what it is", "options"], rows, numbers=9)


def _show(entry: registry.Entry) -> None:
    """One entry: what it is, each option with what it means, and what is other than usual with it."""
    kind = {"strategies": "strategy"}.get(entry.registry, entry.registry.removesuffix("s"))
    console.say(f"{entry.name} ({', '.join(filter(None, [kind, entry.group]))}): {entry.summary}")
    component = COMPONENTS.get(entry.registry)
    rows = [
        [option.name, _plain(option.default), _told(option.meaning, option.annotation)]
        for option in entry.options.values()
    ]
    if entry.registry == "formats":
        rows += [[name, _plain(default), meaning] for name, default, meaning in _split_options()]
    if rows:
        title = f"options: --set {component}.NAME=VALUE" if component else "options"
        console.table(title, ["name", "default", "what it is"], rows, numbers=9)
    if usual := entry.literal("FIT", {}):
        console.say(f"fit: {_settings(usual)}")
    if own := entry.literal("TASK", {}):
        console.say(f"task, where it has them: {_settings(own)}")
    for task, own in entry.literal("WITH", {}).items():
        console.say(f"for {task}: {_settings(own)}")
    if many := entry.literal("MANY", {}):
        told = [
            _settings(many.get("options", {})),
            f"{many['precision']} where that is fast" if "precision" in many else "",
        ]
        console.say(f"from {many['examples']:,} examples on: {', '.join(filter(None, told))}")


def _show_fit(json: bool) -> None:
    """What can be said of the training itself."""
    from dlcli.config import FitConfig

    fields = FitConfig.model_fields
    if json:
        told = {name: {"default": field.default, "meaning": field.description} for name, field in fields.items()}
        console.document({FIT: told})
        return
    rows = [
        [name, _plain(field.default), _told(field.description or "", str(field.annotation))]
        for name, field in fields.items()
    ]
    console.table("fit: --set fit.NAME=VALUE", ["name", "default", "what it is"], rows, numbers=9)
    console.say("An architecture has defaults of its own for some of them: dlcli list NAME.")


def _split_options():
    """Name, default and meaning of what every format takes: how its examples are split."""
    from dlcli import splits
    from dlcli.config import SPLIT_OPTIONS

    told = registry.meanings(splits.split.__doc__, [*SPLIT_OPTIONS, "least"])
    return [(name, splits.split.__kwdefaults__[name], told[name]) for name in SPLIT_OPTIONS]


def _told(meaning: str, annotation: str) -> str:
    """What an option means, and its values where there are few."""
    meaning = meaning.removesuffix(".")
    words = ", ".join(registry.choices(annotation))
    return f"{meaning} ({words})" if words else meaning


def _plain(default) -> str:
    return "" if default is None or default == "" else str(default)


def _settings(values: dict) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def _entry(entry: registry.Entry) -> dict:
    return {
        "name": entry.name,
        "family": entry.group,
        "summary": entry.summary,
        "options": {
            option.name: {"type": option.annotation, "default": option.default, "meaning": option.meaning}
            for option in entry.options.values()
        },
        "offers": sorted(entry.literal("OFFERS", ())),
        "needs": sorted(entry.literal("NEEDS", ())),
    }
