"""What a run is told: the fit's settings, and everything else by name.

Order of precedence: defaults < the architecture's own FIT < `--config` < `--set` < options.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Optional, Union, get_args  # noqa: F401  annotations in entries may use them

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field

from dlcli import registry, rundir
from dlcli.errors import DlcliError
from dlcli.registry import Entry, Option
from dlcli.rundir import Run
from dlcli.safety import preflight

LARGEST = 1_000_000  # bytes of a configuration file

COMPONENTS = ("arch", "data", "fit", "task")
SPLIT_OPTIONS = ("parts", "fold", "duplicates")  # options of data that come with every format: splits.split
LENGTHS = {"epochs", "steps", "time"}  # options of fit that say how long it trains


class FitConfig(BaseModel):
    """How a model is fitted. `None` for a number means: not used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(20, ge=1, description="passes over the training split")
    steps: int | None = Field(None, ge=1, description="at least so many optimiser steps in all")
    time: float | None = Field(None, gt=0, description="seconds that training may take; epochs are fitted to it")
    batch_size: int = Field(128, ge=1, description="examples per step")
    learning_rate: float = Field(1e-3, gt=0, description="at the peak of the schedule, per step")
    optimizer: Literal["adamw", "adam", "sgd", "lion", "muon", "rmsprop", "adadelta"] = Field(
        "adamw", description="what makes steps of gradients"
    )
    weight_decay: float = Field(1e-4, ge=0, description="decoupled; biases and norms are left out")
    beta_1: float = Field(0.9, ge=0, lt=1, description="how much of the mean gradient comes from the steps before")
    beta_2: float = Field(0.999, ge=0, lt=1, description="the same of the mean squared gradient")
    layer_decay: float = Field(
        1.0, ge=1, description="how much slower each fourth of the body learns than what follows"
    )
    schedule: Literal["cosine", "constant", "plateau"] = Field("cosine", description="of the learning rate")
    warmup: float = Field(0.05, ge=0, lt=1, description="fraction of all steps; plateau has none")
    warmup_steps: int = Field(0, ge=0, description="of warm-up at least, where that is no more than 0.3 of all")
    final: float = Field(0.0, ge=0, le=1, description="learning rate at the end, as a fraction of the peak")
    plateau: int = Field(5, ge=1, description="epochs without a better score before schedule=plateau halves the rate")
    clip_norm: float | None = Field(1.0, gt=0, description="largest norm of all gradients together")
    ema: float | None = Field(None, ge=0, lt=1, description="momentum of the weights' moving average")
    accumulate: int = Field(1, ge=1, description="batches per optimiser step")
    keep: int = Field(0, ge=0, description="checkpoints kept on the way, for inspect-layers --timeline")
    patience: int | None = Field(None, ge=1, description="epochs without a better score before stopping")
    patience_steps: int = Field(0, ge=0, description="optimiser steps that patience lasts at least")
    save_every: float = Field(
        60.0, ge=0, description="seconds between checkpoints, all that a kill costs; 0: every batch"
    )
    loader_patience: float = Field(600.0, gt=0, description="seconds that reading one batch may take")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of a label that goes to all classes")
    class_weights: Literal["equal", "balanced"] = Field("equal", description="balanced: rare classes count more")
    mixup: float = Field(0.0, ge=0, description="alpha of its Beta distribution; 0 is off")
    cutmix: float = Field(0.0, ge=0, description="alpha of its Beta distribution; 0 is off")
    jit: Literal["auto"] | bool = Field("auto", description="compile with XLA")

    def warmed(self, steps: int) -> int:
        """Steps of warm-up in a training of so many."""
        share = max(1, round(self.warmup * steps)) if self.warmup else 0
        return max(share, min(self.warmup_steps, round(0.3 * steps)))


class RunConfig(BaseModel):
    """Everything that a run needs to be repeated. `set` holds the options of each component."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    format: str | None = None
    task: str | None = None
    arch: str | None = None
    seed: int = Field(0, ge=0, lt=2**32)
    backend: Literal["tensorflow", "jax"] = "tensorflow"
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    set: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @property
    def written_out(self) -> bool:
        """Whether it is a run's, with every choice: an option that it lacks came later, and has its plain default."""
        first = {"optimizer", "schedule", "warmup", "final", "beta_1", "beta_2", "accumulate", "ema", "jit"}
        return None not in (self.format, self.task, self.arch) and first <= self.options("fit").keys()

    def options(self, component: str) -> dict[str, Any]:
        """What was set for "arch", "data", "fit" or "task"."""
        return dict(self.set.get(component, {}))


def merge(
    *, file: Path | None, assignments: list[str], flags: dict[str, Any], base: RunConfig | None = None
) -> RunConfig:
    """The run that a config file, `--set` assignments and flags (None: not given) ask for together.

    A flag with a dot in its name ("fit.epochs") is an option of that component; where "backend" is one, and nothing
    names it, it is that of Keras' own KERAS_BACKEND.  base: instead of a file.
    """
    merged: dict[str, Any] = base.model_dump(mode="json") if base else read(file) if file else {}
    if "backend" in flags and (engine := os.environ.get("KERAS_BACKEND")):
        merged.setdefault("backend", engine)
    chosen = {part: dict(options) for part, options in _sections(merged, file).items()}
    said: dict[str, dict[str, Any]] = {}
    for text in assignments:
        component, option, value = _assignment(text)
        said.setdefault(component, {})[option] = value
    for name, value in flags.items():
        if value is None:
            continue
        component, _, option = name.rpartition(".")
        if component:
            said.setdefault(component, {})[option] = value
        else:
            merged[name] = value
    if LENGTHS & set(said.get("fit", ())):  # how long is said anew, perhaps in another unit
        chosen["fit"] = {name: value for name, value in chosen.get("fit", {}).items() if name not in LENGTHS}
    merged["set"] = chosen | {component: chosen.get(component, {}) | options for component, options in said.items()}
    if not merged.get("data"):
        raise DlcliError(
            "no data was named.", "dlcli train DATA, where DATA is a path or a built-in name such as shapes."
        )
    return checked(RunConfig, merged, "the configuration")


def read(file: Path) -> dict[str, Any]:
    """A TOML, YAML or JSON file as a dictionary."""
    if not file.is_file():
        raise DlcliError(f"there is no configuration file {file}.", "--config takes a .toml, .yaml or .json file.")
    if file.stat().st_size > LARGEST:
        raise DlcliError(f"{file} has {file.stat().st_size:,} bytes.", f"a configuration has at most {LARGEST:,}.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        loaded = tomllib.loads(text) if file.suffix == ".toml" else yaml.load(text, Loader=_Plain)
    # ValueError: bytes that are no UTF-8, and YAML's dates and numbers that are none
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise DlcliError(f"{file} could not be read: {' '.join(str(error).split())}.", "check its syntax.") from None
    if not isinstance(loaded, dict):
        raise DlcliError(f"{file} holds {type(loaded).__name__}, not keys with values.", "see config.json in any run.")
    _check_names(file, loaded)
    return loaded


def _check_names(file: Path, values: dict, depth: int = 3) -> None:
    """Options have names: YAML also knows numbers and dates as keys."""
    for key, value in values.items():
        if not isinstance(key, str):
            raise DlcliError(f"{file} has the key {key!r}, which is no name.", "options have names, such as epochs.")
        if depth > 1 and isinstance(value, dict):
            _check_names(file, value, depth - 1)


class _Plain(yaml.SafeLoader):
    """Without aliases: a few lines of them can stand for more values than fit into memory."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError(f"it has an alias, *{self.peek_event().anchor}, and values are written out here")
        return super().compose_node(parent, index)


def checked(model: type[BaseModel], values: dict[str, Any], where: str):
    """Build a pydantic model, or tell every mistake at once with the values received."""
    try:
        return model(**values)
    except pydantic.ValidationError as error:
        problems, hint = [], ""
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"] if part not in ("constrained-str", "bool"))
            if item["type"] == "extra_forbidden":
                problems.append(f"{where} has no option {key!r}")
                hint = hint or registry.nearest(key, model.model_fields)
            else:
                problems.append(f"{key} = {item['input']!r}: {item['msg'].lower()}")
        raise DlcliError("; ".join(dict.fromkeys(problems)) + ".", hint or "see `dlcli train --help`.") from None


def coerce(entry: Entry, options: dict[str, Any], component: str) -> dict[str, Any]:
    """Options of an entry with the types that its signature asks for.

    Raises: DlcliError for an unknown option (with the nearest) or a value of the wrong type.
    """
    return typed(entry.options, options, entry.name, component)


def typed(known: dict[str, Option], options: dict[str, Any], owner: str, component: str) -> dict[str, Any]:
    """Values of known options in the types of their annotations. Raises as `coerce` does."""
    values = {}
    for name, value in options.items():
        if name not in known:
            offered = [*known, *(SPLIT_OPTIONS if component == "data" else ())]
            hint = registry.nearest(name, offered) if offered else "it has no options."
            raise DlcliError(f"{owner} has no option {component}.{name}.", hint)
        annotation = known[name].annotation
        try:
            values[name] = pydantic.TypeAdapter(eval(annotation, dict(globals()))).validate_python(
                _plain(value) if "None" in annotation else value
            )
        except pydantic.ValidationError as error:
            words = known[name].choices
            wanted = f"one of {', '.join(words)}" if words else f"{annotation}: {error.errors()[0]['msg'].lower()}"
            raise DlcliError(
                f"{component}.{name} = {value!r} is not {wanted}.",
                f"the default of {owner} is {known[name].default!r}.",
            ) from None
    return values


def _plain(value):
    """'none' is how None is typed at a prompt."""
    return None if isinstance(value, str) and value.lower() == "none" else value


def _assignment(text: str) -> tuple[str, str, Any]:
    name, equals, value = text.partition("=")
    component, dot, option = name.strip().partition(".")
    if not (equals and dot and option):
        raise DlcliError(f"--set {text!r} is not component.option=value.", "for example --set arch.depth=4.")
    if component not in COMPONENTS:
        raise DlcliError(
            f"--set {text!r}: there is no component {component!r}.", registry.nearest(component, COMPONENTS)
        )
    return component, option, value.strip()


def read_as(config: RunConfig, assignments: list[str], *, data: str | None, own: bool) -> RunConfig:
    """The same with other `data.` options, which say how the files of other DATA are read.

    Raises: DlcliError for what was settled in training: other components, how data is split, and how its own is read.
    """
    options = dict(config.options("data"))
    for text in assignments:
        component, option, value = _assignment(text)
        if component != "data" or option in SPLIT_OPTIONS:
            raise DlcliError(
                f"--set {text!r}: that was settled in training.",
                "here it says how a file is read: --set data.NAME=VALUE.",
            )
        if data is None or own:
            raise DlcliError(f"--set {text!r}: a run's own data is read as in training.", "name other data for it.")
        options[option] = value
    return config.model_copy(update={"set": {**config.set, "data": options}})


def _sections(merged: dict[str, Any], file: Path | None) -> dict[str, dict]:
    chosen = merged.pop("set", None) or {}
    if not isinstance(chosen, dict):
        raise DlcliError(f"{file}: set = {chosen!r} has no components.", f"they are {', '.join(COMPONENTS)}.")
    for component, options in chosen.items():
        if component not in COMPONENTS or not isinstance(options, dict):
            raise DlcliError(
                f"{file} sets {component!r}, which is not a component with options.",
                registry.nearest(str(component), COMPONENTS),
            )
    return chosen


def fit_config(arch: Entry | None, options: dict[str, Any], task: Entry | None = None) -> FitConfig:
    """Defaults < the architecture's FIT < the task's < what was asked for."""
    own = dict(arch.literal("FIT", {})) if arch else {}
    if of_task := task.literal("FIT") if task else None:
        own = {**own, "steps": None, **of_task}
    if "epochs" in options:
        own.pop("steps", None)  # who names the epochs means them
    if "patience" in options:
        own.pop("patience_steps", None)
    optional = {name for name, field in FitConfig.model_fields.items() if type(None) in get_args(field.annotation)}
    given = {name: _plain(value) if name in optional else value for name, value in options.items()}
    return checked(FitConfig, {**own, **given}, "fit")


def seconds(text: str) -> float:
    """'90s', '10m', '1.5h' or '1h30m' in seconds."""
    parts = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", text.strip().lower())
    try:
        total = sum(float(part or 0) * unit for part, unit in zip(parts.groups(), (3600, 60, 1), strict=True))
    except (AttributeError, ValueError):
        total = 0.0
    if total <= 0:
        raise DlcliError(f"--time {text!r} is not a length of time.", "for example 90s, 10m or 2h.")
    return total


def recorded(path: Path) -> tuple[Run, RunConfig]:
    """The trained run that lies there, and the configuration it was trained with.

    Raises: DlcliError when there is no run, or no model in it yet (exit code 4).
    """
    run = rundir.find(path)
    preflight.check(run.model_file())
    return run, checked(RunConfig, run.read("config.json"), "config.json")
