"""One training from data to a finished run directory: learn, fit, score, report."""

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

import keras

from dlcli import __version__, backend, console, fit, plan, resuming, rundir, scoring
from dlcli.config import FitConfig, RunConfig
from dlcli.data import Data, Examples
from dlcli.errors import DataError, counted
from dlcli.fit import Fitted
from dlcli.materials import LEARNED
from dlcli.plan import Plan
from dlcli.rundir import ORIGIN, Run
from dlcli.task import Source, Task


def train(config: RunConfig, chosen: Plan, data: Data, *, how_split: dict[str, Any], run: Run) -> dict[str, Any]:
    """Train as planned on `data` (in splits), or go on with what was begun, and leave a complete run directory.

    Returns: the report, as `--json` prints it.
    Raises: DlcliError for data that the task cannot use, or a training that diverged.
    """
    begun = time.monotonic()
    if begun_before(run):
        try:
            task = chosen.task.load().Task(**run.read("spec.json")["learned"])
        except (KeyError, TypeError) as error:
            raise rundir.damaged(run.path / "spec.json", error) from None
    else:
        task = learned(chosen, data)
        check_parts(task, data)
        begin(config, chosen, task, data, how_split=how_split, run=run)
    fitting = Fitting.of(task, data.splits, seed=config.seed)
    prepared = time.monotonic()
    fitted = fitting.fit(lambda: chosen.arch.load().build(task, **chosen.arch_options), chosen.fit, run=run)
    return finish(chosen, task, data, fitted, run=run, preparation=prepared - begun)


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """The two splits that a model is fitted with, ready to be read."""

    task: Task
    train: Source
    val: Source | None
    examples: Examples
    seed: int
    names: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, parts: dict[str, Examples], *, seed: int) -> "Fitting":
        val = parts.get("val")
        return cls(
            task=task,
            train=task.source(parts["train"], training=True),
            val=task.watched(val) if val is not None and not task.why_not(val) else None,
            examples=parts["train"],
            seed=seed,
            names={part: examples.names for part, examples in parts.items()},
        )

    def fit(self, build: Callable[[], keras.Model], settings: FitConfig, *, run: Run) -> Fitted:
        """Fit the model that `build` makes, whatever its weights are by then."""
        with backend.scope() as copies:
            return fit.train(
                build,
                self.task,
                settings,
                train=self.train,
                val=self.val,
                labels=self.task.targets(self.examples) if settings.class_weights != "equal" else None,
                classes=len(getattr(self.task, "classes", ())),
                run=run,
                seed=self.seed,
                multiple=copies,
                names=self.names,
            )


def learned(chosen: Plan, data: Data) -> Task:
    """The task, learned from the training split."""
    told = len(data.warnings)
    task = chosen.task.load().Task.learn(data.splits["train"], data, **chosen.task_options)
    for warning in data.warnings[told:]:
        console.warn(warning)
    return task


def check_parts(task: Task, data: Data) -> None:
    """Raises: DataError when nothing in the test split can be scored. Of a validation split it is a warning."""
    if "val" in data.splits and (why := task.why_not(data.splits["val"])):
        data.warnings.append(f"nothing is validated by the val split: {why}")
        console.warn(data.warnings[-1])
    if "test" in data.splits and (why := task.why_not(data.splits["test"])):
        shorter = "choose a shorter --horizon, or other parts: --set data.parts=0.5,0.2,0.3."
        hint = shorter if data.kind == "series" else "mend it, or take it out of the data."
        raise DataError(f"nothing can be tested by the test split: {why}.", hint)


def begun_before(run: Run) -> bool:
    """Whether the run goes on with what was begun; then another version or machine is warned of."""
    if not (run.path / ORIGIN).is_file():
        return False
    resuming.compare_environment(run, _environment())
    return True


def begin(config: RunConfig, chosen: Plan, task: Task, data: Data, *, how_split: dict[str, Any], run: Run) -> None:
    """Say what will be done, and write down all that it depends on."""
    console.note(f"{chosen.format.name}, {task.describe()} -> {chosen.task.name} with {chosen.arch.short}")
    config = plan.resolved(config, chosen)
    run.write("config.json", config.model_dump(mode="json"))
    run.write("spec.json", _spec(chosen, task, data, how_split))
    environment = _environment()
    run.write("environment.json", environment)
    resuming.write(run, config, data, environment)
    console.note(f"{_settings(config)}\n  saved in {run.path / 'config.json'}")


def finish(
    chosen: Plan, task: Task, data: Data, fitted: Fitted, *, run: Run, preparation: float, more: dict | None = None
) -> dict[str, Any]:
    """Score the model and its rivals; write and show the report. more: what else it is to hold."""
    parts = {part: rows for part, rows in data.splits.items() if part == "train" or not task.why_not(rows)}
    trained = time.monotonic()
    last = "test" if "test" in parts else "val" if "val" in parts else "train"
    reports = {
        part: scoring.score(task, fitted.model, parts[part], parts["train"])
        for part in ("val", "test")
        if part in parts
    }
    if not reports:
        reports = {"train": scoring.score(task, fitted.model, parts["train"])}
    scored = time.monotonic()
    found = scoring.rivals(chosen.task.name, task, parts["train"], parts[last])
    report = {
        "run": str(run.path),
        "task": chosen.task.name,
        "architecture": chosen.arch.name,
        "parameters": fitted.model.count_params(),
        "metrics": {part: scoring.document(scores) for part, scores in reports.items()},
        "baselines": {rival.name: {last: scoring.document(rival.report)} for rival in found},
        "formulas": reports[last].formulas,
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "steps": fitted.steps,
        "examples_per_second": round(fitted.examples_per_second, 1),
        "seconds": {
            "preparation": round(preparation, 2),
            "training": round(fitted.seconds, 2),
            "scoring": round(scored - trained, 2),
            "baselines": {rival.name: round(rival.seconds, 2) for rival in found},
        },
        "verdict": scoring.verdict(task, reports[last], found, data, learned=last in LEARNED, adapted=run.adapted),
        "warnings": data.warnings,
        **(more or {}),
    }
    run.write("report.json", report)
    run.write(f"evaluate/{last}.json", {"metrics": report["metrics"][last], "tables": reports[last].tables})
    scoring.show(_title(report, chosen.arch.short, last), chosen.arch.short, reports[last], found, report["verdict"])
    return report


def _title(report: dict[str, Any], arch: str, part: str) -> str:
    return (
        f"{report['task']} with {arch}: {part} split, 95 % intervals "
        f"({report['parameters']:,} parameters, {counted(report['epochs'], 'epoch')}, {report['seconds']['training']:.0f} s)"
    )


def _spec(chosen: Plan, task: Task, data: Data, how_split: dict[str, Any]) -> dict[str, Any]:
    """What evaluation and prediction need to prepare data as training did."""
    return {
        "format_version": 1,
        "format": chosen.format.name,
        "kind": data.kind,
        **({"texts": data.about["texts"]} if "texts" in data.about else {}),
        "task": chosen.task.name,
        "architecture": chosen.arch.name,
        "learned": asdict(task),
        "splits": {part: len(examples) for part, examples in data.splits.items()},
        "how_split": how_split,
    }


def _settings(config: RunConfig) -> str:
    """The merged configuration, a line per component."""
    return "\n".join(
        f"  {part}: " + " ".join(f"{name}={value}" for name, value in options.items())
        for part, options in config.set.items()
        if options
    )


# Variables that change the order of sums, and with it the last bits.
_NUMERICS = (
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_ENABLE_ONEDNN_OPTS"),
    *("TF_DETERMINISTIC_OPS", "XLA_FLAGS"),
)


def _environment() -> dict[str, Any]:
    """What a run was made with; a repetition bit for bit needs the same."""
    packages = ("keras", "tensorflow", "jax", "numpy", "scikit-learn", "pillow", "polars")
    installed = {}
    for name in packages:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "dlcli": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "backend": keras.backend.backend(),
        "devices": backend.devices(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "numerics": {name: os.environ[name] for name in _NUMERICS if name in os.environ},
        "packages": installed,
        "argv": sys.argv,
    }
