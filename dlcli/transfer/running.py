"""One transfer from SOURCE and data to a finished run directory."""

import time
from dataclasses import asdict, replace
from typing import Any

from dlcli import augment, console, registry, training
from dlcli.asked import Asked, same_source
from dlcli.data import Data
from dlcli.plan import Plan
from dlcli.reference import Reference
from dlcli.rundir import Run
from dlcli.task import Task
from dlcli.training import Fitting
from dlcli.transfer import change, features, finals, heads, mirror, origin, race, shown, trials
from dlcli.transfer import curve as curves
from dlcli.transfer.features import Rows
from dlcli.transfer.origin import Copied
from dlcli.transfer.work import Work


def transfer(
    reference: Reference, asked: Asked, chosen: Plan, data: Data, *, how_split: dict[str, Any], run: Run
) -> dict[str, Any]:
    """Adapt SOURCE as was asked, or go on with what was begun, and leave a complete run directory; returns its report.

    Raises: DlcliError (exit code 9) when the run was begun with other weights of SOURCE.
    """
    begun = time.monotonic()
    strategy, curve, config = asked.strategy, asked.curve, asked.config
    parts = data.splits
    task = training.learned(chosen, data)
    found = origin.of(reference, chosen, task, parts["train"])
    task = found.task
    training.check_parts(task, data)
    same_source(run, found.digest())
    work = Work(
        origin=found,
        fitting=Fitting.of(task, parts, seed=config.seed),
        settings=chosen.fit,
        given=frozenset(config.options("fit")),
        run=run,
    )
    classes = chosen.task.literal("LABELS") == "classes"
    rows, tried, warnings = None, [], []
    labels = {part: task.targets(parts[part]) for part in parts} if classes else {}
    if classes and (curve or strategy == "auto" or registry.find("strategies", strategy).literal("FEATURES")):
        work, rows = _with_heads(work, data, labels, curve=curve, keep=asked.keep, seed=config.seed)
    if "val" in labels and "flip" in _not_yet(chosen, task) and mirror.harmless(work, parts["val"], labels["val"]):
        task.augment.append("flip")
    if not training.begun_before(run):
        training.begin(config, chosen, task, data, how_split=how_split, run=run)
    if strategy == "auto":
        names, tried, work = _by_trials(work, data, labels, begun=begun, seed=config.seed)
        warnings = [text for text in [trials.negative(work, tried)] if text]
    prepared = time.monotonic()
    compared = {}
    if tried:
        strategy, done, compared = finals.trained(work, names, parts["val"])
    else:
        done = registry.find("strategies", strategy).load().adapt(work)
    console.note(f"strategy: {strategy}")
    told = {
        "source": reference.text,
        "strategy": strategy,
        **asdict(_lists(found.lists, strategy).within(done.fitted.model)),
        "states": done.states,
        **done.more,
        "features": _told(rows),
        "probes": work.best.probes if work.best else [],
        "trials": [trial.row() for trial in tried],
        "finals": compared,
    }
    # others leave the body as it is, or begin with another
    if registry.find("strategies", strategy).literal("REWRITES", True):
        told["change"] = change.measured(found.make(), done.fitted.model, task, parts, labels, seed=config.seed)
        shown.change(told["change"])
    if curve and classes:
        told["curve"] = curves.measured(work, rows, parts, labels, seed=config.seed)
        shown.curve(told["curve"])
    elif curve:
        told["curve"] = race.run(work, done)
        shown.race(told["curve"])
    for warning in warnings:
        console.warn(warning)
    data.warnings.extend(warnings)
    shown.states(done.states)
    report = training.finish(
        chosen, task, data, done.fitted, run=run, preparation=prepared - begun, more={"transfer": told}
    )
    finals.cleared(work)
    return report


def _lists(lists: Copied, strategy: str) -> Copied:
    """What the weights came from in the end: fresh ones take over nothing."""
    if strategy != "scratch":
        return lists
    return Copied(fresh=lists.copied + lists.fresh, dropped=sorted({*lists.dropped, *lists.copied}))


def _by_trials(
    work: Work, data: Data, labels, *, begun: float, seed: int
) -> tuple[list[str], list[trials.Trial], Work]:
    """The strategies to train in full, all that were tried, and the work with the time that is left."""
    parts = data.splits
    tried = trials.tried(work, parts["val"])
    names = trials.finalists(tried, sign=work.task.sign)
    if labels:
        seen = {part: parts[part] for part in ("train", "val")}
        tried.append(trials.control(work, seen, labels, kind=data.kind, seed=seed))
    shown.trials(tried, names, work.task.headline)
    if work.settings.time:
        # building models takes what it takes: the winner is trained in any case
        left = max(0.3 * work.settings.time, work.settings.time - (time.monotonic() - begun))
        work = replace(work, settings=work.settings.model_copy(update={"time": left}))
    return names, tried, work


def _not_yet(chosen: Plan, task: Task) -> set[str]:
    """The kinds of augmentation that are still to be settled on."""
    if "augment" in chosen.task_options or not hasattr(task, "augment"):
        return set()
    return set(augment.KINDS) - set(task.augment)


def _with_heads(work: Work, data: Data, labels, *, curve: bool, keep: bool, seed: int) -> tuple[Work, Rows]:
    """The work with the heads that its features give."""
    wanted = ("train", "val", "test") if curve else ("train", "val")
    parts = {part: data.splits[part] for part in wanted if part in data.splits}
    console.note("computing features…")
    model = work.origin.make()
    rows = features.gathered(model, work.task, parts, kind=data.kind, identity=work.origin.identity, keep=keep)
    count = sum(len(examples) for examples in parts.values())
    where = "read from the cache" if rows.cached else "computed"
    console.note(f"features of {count:,} examples {where} in {rows.seconds:.1f} s")
    begun = time.monotonic()
    seen = {part: labels[part] for part in parts if part != "test"}
    last, best = heads.solved(rows, seen, len(work.task.classes), seed=seed)
    shown.probes(best)
    seconds = rows.seconds + time.monotonic() - begun
    return replace(work, last=last, best=best, seconds=seconds, examples=count), rows


def _told(rows: Rows | None) -> dict[str, Any] | None:
    return None if rows is None else {"seconds": round(rows.seconds, 3), "cached": rows.cached}
