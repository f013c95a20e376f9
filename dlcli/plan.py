"""From what the user typed to the three choices that fit together: format, task, architecture.

Everything here is answered from names and from the data, before Keras is imported.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli import config as configuration
from dlcli import console, locating, registry, splits, suited
from dlcli.config import FitConfig, RunConfig
from dlcli.data import Data
from dlcli.errors import SKIPPED, DlcliError
from dlcli.registry import Entry


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The choices, with the options of each in their own types."""

    format: Entry
    task: Entry
    arch: Entry
    fit: FitConfig
    task_options: dict[str, Any]
    arch_options: dict[str, Any]
    precision: str = "float32"


def check(config: RunConfig) -> None:
    """Every mistake that names alone reveal. Raises: DlcliError."""
    arch = registry.find("architectures", config.arch) if config.arch else None
    task = registry.find("tasks", config.task) if config.task else None
    if config.format:
        registry.find("formats", config.format)
    if arch:
        configuration.coerce(arch, config.options("arch"), "arch")
    configuration.fit_config(arch, config.options("fit"))
    if task:
        configuration.coerce(task, config.options("task"), "task")
    if arch and task and not fits(needs(task), arch):
        raise _misfit(task, arch, needs(task))


def locate(config: RunConfig) -> Entry:
    """The format of DATA: the one named, or the only one that recognises it."""
    return registry.find("formats", config.format) if config.format else locating.format_of(config.data)


def own(config: RunConfig, data: str) -> bool:
    """Whether DATA is what a run of this configuration was trained on."""
    return bool(config.data) and Path(config.data).resolve() == Path(data).resolve()


def elsewhere(config: RunConfig, data: str) -> RunConfig:
    """The same on other data: how the run's own was split says nothing of it, nor do, in another format, its options."""
    other = config.model_copy(update={"data": data})
    if own(config, data):
        return other
    if config.format and not locating.holds(registry.find("formats", config.format), Path(data)):
        return with_data(other.model_copy(update={"format": None}), {})
    return with_data(other, data_options(config))


def skipping(config: RunConfig) -> RunConfig:
    """The same with `--skip-bad`."""
    options = {**config.options("data"), "unreadable": max(SKIPPED, float(config.options("data").get("unreadable", 0)))}
    return with_data(config, options)


def with_data(config: RunConfig, options: dict[str, Any]) -> RunConfig:
    """The same with these `data.` options alone."""
    return config.model_copy(update={"set": {**config.set, "data": options}})


def open_data(entry: Entry, config: RunConfig) -> Data:
    """Read DATA by its format, with the `data.` options that the format has."""
    options = configuration.coerce(entry, data_options(config), "data")
    if "kind" in entry.options and (kind := _only_kind(config)):
        options.setdefault("kind", kind)
    path = locating.place(entry, Path(config.data))
    data = entry.load().open(path, **options)
    if path != Path(config.data):
        data.warnings.insert(0, f"read from {path}: {config.data} holds nothing else")
    return data


def _only_kind(config: RunConfig) -> str | None:
    """The one kind of data that the task works on, or that all tasks do which have the options that were given."""
    asked = config.options("task").keys()
    if not config.task and not asked:
        return None
    kinds = set()
    for task in [registry.find("tasks", config.task)] if config.task else registry.entries("tasks").values():
        if asked <= task.options.keys():
            only = {kind for option, kind in task.literal("ONLY", {}).items() if option in asked}
            kinds |= only or set(task.literal("KINDS", ()))
    return kinds.pop() if len(kinds) == 1 else None


def data_options(config: RunConfig) -> dict[str, Any]:
    """The `data.` options that are the format's own."""
    return {name: value for name, value in config.options("data").items() if name not in configuration.SPLIT_OPTIONS}


def split_options(config: RunConfig, task: Entry | None = None) -> dict[str, Any]:
    """The `data.` options that say how to split, and the rows that a forecast of the task needs.

    task: what was chosen where the configuration does not name one.
    """
    options = {name: value for name, value in config.options("data").items() if name in configuration.SPLIT_OPTIONS}
    if task is None and config.task:
        task = registry.find("tasks", config.task)
    if task is not None and (usual := task.literal("HORIZON", 0)):
        options["least"] = config.options("task").get("horizon") or usual
    return options


def choose(config: RunConfig, entry: Entry, data: Data) -> Plan:
    """The task and architecture that were named, or the ones that the data asks for."""
    arch = registry.find("architectures", config.arch) if config.arch else None
    task = registry.find("tasks", config.task) if config.task else _task_of(data, arch)
    if data.kind not in task.literal("KINDS", ()):
        possible = [
            name for name, other in registry.entries("tasks").items() if data.kind in other.literal("KINDS", ())
        ]
        raise DlcliError(
            f"{task.name} does not work on {data.kind} (found as {entry.name}).",
            f"these do: {', '.join(possible)}." if possible else "",
        )
    words = needs(task, data.kind)
    if arch is None:
        arch = _preferred(task, words)
    if not fits(words, arch):
        raise _misfit(task, arch, words)
    task_options = configuration.coerce(task, config.options("task"), "task")
    wide = suited.wide(arch, task, data, task_options)
    return Plan(
        format=entry,
        task=task,
        arch=arch,
        fit=suited.fit(config, arch, task, wide),
        task_options=suited.prepared(config, arch, task, wide) | task_options,
        arch_options=suited.options(config, arch, task, data)
        | configuration.coerce(arch, config.options("arch"), "arch"),
        precision=suited.precision(config, arch, data),
    )


def spare_none(config: RunConfig, chosen: Plan, data: Data) -> RunConfig:
    """The same, all of a small training split to be trained on, where the data brings its own test split.

    A handful of validation examples cannot tell which epoch is best, and is missed in training; so it is done with
    the archives whose published results these tasks are compared with.
    """
    few = chosen.task.literal("FEW", 0)
    brought = data.splits.get("train", ())
    if not 0 < len(brought) < few or "val" in data.splits or "test" not in data.splits:
        return config
    if {"parts", "fold"} & config.options("data").keys():
        return config
    console.note(
        f"{len(brought)} training examples are too few to set some aside: all are trained on, to the end "
        f"(--set data.parts=0.8,0.2,0 sets a fifth aside and keeps the best epoch)"
    )
    return config.model_copy(update={"set": {**config.set, "data": {**config.options("data"), "parts": "1,0,0"}}})


def each(task: Entry) -> str:
    """The score by which models for the task are compared, example by example.

    Raises: DlcliError where scores are of whole sets.
    """
    if name := task.literal("EACH", ""):
        return name
    raise DlcliError(
        f"models for {task.name} cannot be compared example by example: its scores are of whole sets.",
        "tasks with a class, a number, a forecast, a text or a picture to give back can be.",
    )


# What an architecture must offer to take in data of a kind.
WORDS = {
    "images": "pixels",
    "table": "columns",
    "series": "series",
    "sequences": "series",
    "texts": "tokens",
    "corpus": "tokens",
}


def needs(task: Entry, kind: str | None = None) -> frozenset[str]:
    """The words that an architecture must offer for the task, on data of that kind.

    A task that works on several kinds leaves the word for its input to the data.
    """
    own = frozenset(task.literal("NEEDS", ()))
    several = len(task.literal("KINDS", ())) > 1
    return own | {WORDS[kind]} if several and kind else own


# An architecture that offers one of these ends in something else than features for a head.
ENDS = frozenset({"bottleneck", "denoiser", "generator"})


def fits(words: frozenset[str], arch: Entry) -> bool:
    """Whether the architecture offers all these words, and ends in what the task needs."""
    offers = frozenset(arch.literal("OFFERS", ()))
    return words <= offers and bool(not offers & ENDS or offers & ENDS & words)


def fitting(words: frozenset[str]) -> list[str]:
    """Names of the architectures that offer all these words."""
    return [name for name, arch in registry.entries("architectures").items() if fits(words, arch)]


def labels_of(data: Data) -> str:
    """Whether examples carry "classes", "numbers" or "none"."""
    if "target_kind" in data.about:
        return data.about["target_kind"]
    y = next(iter(data.splits.values())).y
    if y is None:
        return "none"
    return "classes" if isinstance(y[0], str) else "numbers"


def _task_of(data: Data, arch: Entry | None) -> Entry:
    """The only task for this kind of data and labels (anomalies are not forecast); else an error that lists the choices."""
    able = [
        task
        for task in registry.entries("tasks").values()
        if data.kind in task.literal("KINDS", ()) and (arch is None or fits(needs(task, data.kind), arch))
    ]
    finders = [task for task in able if task.literal("FINDS") == "anomalies"]
    if finders and (only := splits.only_label(data)):
        console.note(f"training has one label, {only!r}, and test others: what is unlike it is looked for")
        return finders[0]
    labels = "anomalies" if "anomaly_column" in data.about else labels_of(data)
    possible = [task for task in able if task.literal("LABELS", "any") in ("any", labels)]
    exact = [task for task in possible if task.literal("LABELS", "any") == labels]
    for group in (exact, possible):
        if len(group) == 1:
            return group[0]
    if not possible and arch is not None:
        if (word := WORDS[data.kind]) not in arch.literal("OFFERS", ()):
            able = ", ".join(fitting(frozenset({word})))
            raise DlcliError(f"{arch.name} does not read {data.kind}.", f"these do: {able}.")
        raise DlcliError(
            f"{arch.name} has no task for {data.kind} with {labels if labels != 'none' else 'no'} labels.",
            "leave --arch away, or see `dlcli list architectures`.",
        )
    names = [task.name for task in exact or possible]
    raise DlcliError(
        f"{data.kind} with {labels if labels != 'none' else 'no'} labels can be used for {' or '.join(names)}.",
        f"name one: --task {names[0]}." if names else "see `dlcli list tasks`.",
    )


def _preferred(task: Entry, words: frozenset[str]) -> Entry:
    able = fitting(words)
    for name in (*task.literal("PREFERS", ()), *able):
        if name in able:
            return registry.find("architectures", name)
    raise DlcliError(f"no architecture here can do {task.name}.", "see `dlcli list architectures`.")


def _misfit(task: Entry, arch: Entry, words: frozenset[str]) -> DlcliError:
    missing = words - set(arch.literal("OFFERS", ()))
    return DlcliError(
        f"{arch.name} does not fit {task.name}: it offers no {', '.join(sorted(missing))}.",
        f"these do: {', '.join(fitting(words))}.",
    )


def resolved(config: RunConfig, chosen: Plan) -> RunConfig:
    """Every choice and every option written out, so that the file repeats the run."""
    options = {
        "arch": {name: option.default for name, option in chosen.arch.options.items()} | chosen.arch_options,
        "task": {name: option.default for name, option in chosen.task.options.items()} | chosen.task_options,
        "data": config.options("data"),
        "fit": chosen.fit.model_dump(mode="json"),
    }
    return config.model_copy(
        update={
            "format": chosen.format.name,
            "task": chosen.task.name,
            "arch": chosen.arch.name,
            "precision": chosen.precision,
            "set": {
                part: {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
                for part, values in options.items()
            },
        }
    )
