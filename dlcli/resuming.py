"""Going on with a run: what it was begun with, what is different now, and more epochs."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli import console, fingerprint, registry, rundir
from dlcli import course as courses
from dlcli.config import FitConfig, RunConfig, checked
from dlcli.course import Course
from dlcli.data import Data
from dlcli.errors import MISMATCH, USAGE, DlcliError
from dlcli.rundir import ORIGIN, Run

# What may differ without another result: where things lie, and how often is saved.
FREE = ("data", "device", "set.fit.save_every", "set.fit.loader_patience", "set.fit.epochs", "set.fit.steps")


def opened(path: Path) -> tuple[Run, RunConfig]:
    """The run that lies there, and its configuration, its data found from wherever this is started.

    Raises: DlcliError when nothing can be resumed.
    """
    run = rundir.find(path)
    if (run.path / rundir.TRANSFER).is_file():
        raise DlcliError(f"{run.path} was begun by transfer.", rundir.again(run.path))
    if not (run.path / ORIGIN).is_file():
        raise DlcliError(
            f"{run.path} cannot be resumed: it was stopped before its first step.",
            f"dlcli train --config {run.path / 'config.json'} begins it again.",
        )
    config = checked(RunConfig, run.read("config.json"), "config.json")
    at = run.read(ORIGIN)["data_at"]
    if not Path(config.data).exists() and at and Path(at).exists():
        config = config.model_copy(update={"data": at})
    return run, config


def write(run: Run, config: RunConfig, data: Data, environment: dict[str, Any]) -> None:
    """Keep what the run was begun with, apart from the files that people edit."""
    fingerprint.keep(run, data)
    path = Path(config.data)
    run.write(
        ORIGIN,
        {
            "config": config.model_dump(mode="json"),
            "data": fingerprint.of(data),
            "data_at": str(path.resolve()) if path.exists() else None,
            "environment": environment,
        },
    )


def complete(run: Run) -> bool:
    """Whether nothing is left to do: trained to the end of its course, and scored."""
    from dlcli import savepoints

    course = courses.recorded(run)
    if course is None or not (run.path / "report.json").is_file():
        return False
    point = savepoints.newest(run.checkpoints)
    return point is not None and point.finished and point.meta["passes"] == course.passes


def passes(text: str, *, resumed: bool) -> tuple[int, bool]:
    """'20', or '+10' with --resume: the number, and whether it is to be added. Raises: DlcliError."""
    added = text.startswith("+")
    number = text.removeprefix("+")
    if not number.isascii() or not number.isdigit() or int(number) < 1 or (added and not resumed):
        raise DlcliError(
            f"--epochs {text!r} is not an integer greater than or equal to 1.",
            "with --resume RUN, +10 adds ten to the run's." if added or resumed else "for example --epochs 20.",
            code=USAGE,
        )
    return int(number), added


def extend(run: Run, wanted: tuple[int, bool], fit: FitConfig) -> None:
    """Plan more passes, or fewer, and say what becomes of the learning rate.

    Raises: DlcliError when more than that are done.
    """
    from dlcli import savepoints

    course, point = courses.recorded(run), savepoints.newest(run.checkpoints)
    if course is None or point is None:
        raise DlcliError(f"{run.path} has no checkpoint yet.", "resume it without --epochs first.")
    done = point.meta["epoch"] * course.per_epoch
    number, added = wanted
    asked = number + (done if added and point.finished else course.passes if added else 0)
    total = math.ceil(asked / course.per_epoch) * course.per_epoch
    if total == course.passes:
        return
    if total < done or (point.finished and total == done):
        raise DlcliError(f"{done} epochs are trained already, and --epochs asks for {asked}.", "--epochs +10 adds ten.")
    if total != asked:
        console.note(f"of so little data {course.per_epoch} epochs are trained in one go: {total} instead of {asked}")
    ended = point.finished and fit.time  # a budget of time ends before its plan does
    before = replace(course, passes=done) if ended else course
    _tell(before, total, done, fit, round(point.step / done) if done else 1)
    course.extended(run, passes=total, done=point.meta["epoch"])


def _tell(course: Course, total: int, done: int, fit: FitConfig, steps: int) -> None:
    """steps: of a pass."""
    peak = fit.learning_rate * course.rate
    if fit.schedule != "cosine":
        console.note(f"{course.passes} -> {total} epochs; the learning rate goes on as it is")
        return
    rates = [f"{peak * _cosine(done * steps, passes * steps, fit):.3g}" for passes in (course.passes, total)]
    console.note(
        f"{course.passes} -> {total} epochs: the learning rate is planned anew, as if all {total} had been asked for at "
        f"first. At epoch {done} it goes from {rates[0]} to {rates[1]}, and falls to {peak * fit.final:.3g} at epoch {total}"
    )


def _cosine(step: int, steps: int, fit: FitConfig) -> float:
    """Of the peak, after that step of so many: as in optimize.schedule."""
    warmup = fit.warmed(steps)
    if step < warmup:
        return (1 + (warmup - 1) * step / warmup) / warmup
    return fit.final + (1 - fit.final) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def check(run: Run, config: RunConfig, data: Data, *, allowed: bool) -> None:
    """Compare with what the run was begun with.

    config: resolved.  allowed: go on with what is different, and keep that in mind.
    Raises: DlcliError (exit code 9) that lists what is different.
    """
    origin = run.read(ORIGIN)
    now = {"config": config.model_dump(mode="json"), "data": fingerprint.of(data)}
    changed = _differences(origin["config"], now["config"])
    later = _later(origin["config"], config)
    changed = {name: pair for name, pair in changed.items() if name not in FREE and name not in later}
    changed |= {f"data {name}": pair for name, pair in _differences(origin["data"], now["data"]).items()}
    if not changed:
        return
    listed = [f"{name}: {_short(old)} -> {_short(new)}" for name, (old, new) in changed.items()]
    if not allowed:
        raise DlcliError(
            f"{run.path} would not go on as it was begun: {'; '.join(listed)}.",
            "undo that, or go on with it by --allow-change, which is written down.",
            code=MISMATCH,
        )
    for text in listed:
        console.warn(f"changed: {text}")
    course = courses.recorded(run)
    if course is not None:
        size = changed.get("set.fit.batch_size")
        if size:
            course = course.resized(size[1])
        course.noted(run, {"what": "config", "changed": {name: list(pair) for name, pair in changed.items()}})
    run.write("config.json", now["config"])
    run.write(ORIGIN, {**origin, **now})


def compare_environment(run: Run, environment: dict[str, Any]) -> None:
    """Warn of another version or machine: the result is as good, but not the same bit for bit."""
    before = {**run.read(ORIGIN)["environment"], "argv": None}
    changed = _differences(before, {**environment, "argv": None})
    if changed:
        listed = [f"{name}: {_short(old)} -> {_short(new)}" for name, (old, new) in changed.items()]
        console.warn(f"from here on not bit for bit what one machine would have made: {'; '.join(listed)}")
        course = courses.recorded(run)
        if course is not None:
            course.noted(run, {"what": "environment", "changed": {name: list(pair) for name, pair in changed.items()}})


def _later(old: dict[str, Any], config: RunConfig) -> set[str]:
    """Options that were not there when the run was begun, and have their plain defaults."""
    owners = {"arch": ("architectures", config.arch), "task": ("tasks", config.task)}
    known = {part: registry.find(*owner).options for part, owner in owners.items()} | {"fit": FitConfig.model_fields}
    return {
        f"set.{part}.{name}"
        for part, options in known.items()
        for name, option in options.items()
        if name not in old["set"].get(part, {}) and config.options(part).get(name) == option.default
    }


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> dict[str, tuple]:
    """Leaves that differ, by their dotted names."""
    found = {}
    for name in sorted(set(old) | set(new)):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) or isinstance(after, dict):
            found |= _differences(before or {}, after or {}, f"{prefix}{name}.")
        elif before != after:
            found[prefix + name] = (before, after)
    return found


def _short(value) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
