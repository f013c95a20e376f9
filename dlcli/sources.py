"""What can be told of a transfer before Keras is imported: SOURCE, the settings that follow from it, and misfits."""

from typing import Any

from dlcli import config as configuration
from dlcli import described, plan, reference, registry
from dlcli.config import RunConfig
from dlcli.data import Data
from dlcli.errors import DataError, DlcliError
from dlcli.plan import Plan
from dlcli.reference import Reference
from dlcli.registry import Entry

# The architecture that a foreign model's body is.
BACKBONE = "dlcli.transfer.backbone"
# Fitting goes on from somewhere: fewer passes than from fresh weights; of little data enough of them.
EPOCHS = 10
STEPS = 300


def opened(source: str, *, pixels: str | None) -> Reference:
    """SOURCE, read. Raises: DlcliError for what is none, or has no model in it."""
    found = reference.parse(source)
    if pixels is not None and pixels not in reference.PIXELS:
        raise DlcliError(f"{pixels!r} is no known scale of pixels.", f"known: {', '.join(reference.PIXELS)}.")
    if pixels is not None and found.kind in described.KNOWN:
        raise DlcliError(f"--pixels {pixels} is for foreign models; {source!r} scales by itself.")
    return found


def settings(found: Reference, *, assignments: list[str], flags: dict[str, Any], pixels: str | None) -> RunConfig:
    """The configuration of the new run: the source's architecture and its options, and what the user says."""
    if found.kind in described.KNOWN:
        config, _ = described.described(found)
        own = {"precision": config.precision, "arch": config.arch}
        own |= {"backend": config.backend} if found.kind == "run" else {}
        own |= {f"arch.{name}": value for name, value in config.options("arch").items()}
    else:
        own = {"arch": BACKBONE, "arch.source": found.text, "arch.pixels": pixels}
    named = {text.partition("=")[0].strip() for text in assignments}
    own = {name: value for name, value in own.items() if name not in named}  # --set goes before the source's options
    own |= {name: value for name, value in flags.items() if value is not None or name not in own}
    return configuration.merge(file=None, assignments=assignments, flags=own)


def check_strategy(name: str) -> None:
    """Raises: DlcliError with the nearest for an unknown strategy."""
    known = registry.entries("strategies")
    if name != "auto" and name not in known:
        raise DlcliError(f"there is no strategy named {name!r}.", registry.nearest(name, ["auto", *known]))


def check_kind(found: Reference, data: Data) -> None:
    """Raises: DlcliError when DATA is of another kind than what the source was trained on, or a table."""
    described.check_input(found, data)
    if data.kind == "table":
        raise DlcliError(
            "the columns of one table mean nothing in another: nothing can be taken over.", "use dlcli train."
        )


def choose(found: Reference, config: RunConfig, entry: Entry, data: Data, *, strategy: str, curve: bool) -> Plan:
    """The task that DATA asks for, with the source's architecture.

    Raises: DlcliError when that architecture, or the strategy, is not for it.
    """
    if _ends_otherwise(config, data):
        settings = {**config.set, "arch": {"source": found.text}}
        config = config.model_copy(update={"arch": BACKBONE, "set": settings})
    chosen = plan.choose(config, entry, data)
    if chosen.task.literal("LABELS") != "classes" and strategy == "features":
        raise DlcliError(
            f"--strategy features is for classes, and the task is {chosen.task.name}.", "use --strategy gradual."
        )
    if {"epochs", "steps", "time"} & set(config.options("fit")):
        return chosen
    length = {"epochs": EPOCHS, "steps": STEPS}
    if strategy == "scratch":
        # as long as the architecture asks for, and no shorter than a transfer
        length = {name: max(least, getattr(chosen.fit, name) or 0) for name, least in length.items()}
    fit = chosen.fit.model_copy(update=length)
    return Plan(**{**vars(chosen), "fit": fit})


def _ends_otherwise(config: RunConfig, data: Data) -> bool:
    """Whether the source ends in a code or in pictures (plan.ENDS), and the new answers are others: then the part
    of it that reads becomes the body."""
    arch = registry.find("architectures", config.arch)
    if not plan.ENDS & set(arch.literal("OFFERS", ())):
        return False
    if not config.task:
        return plan.labels_of(data) != "none"
    task = registry.find("tasks", config.task)
    return not plan.fits(plan.needs(task, data.kind), arch)


def check_splits(data: Data, *, strategy: str, curve: bool) -> None:
    """Raises: DataError when a split is missing that something must be measured on."""
    for part, asked in (("val", strategy == "auto" or curve), ("test", curve)):
        if asked and part not in data.splits:
            raise DataError(
                f"the data has no {part} split, which {'--curve' if curve else '--strategy auto'} measures on.",
                "name sizes: --set data.parts=0.8,0.1,0.1.",
            )
