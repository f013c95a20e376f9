"""Score a model and its simple rivals on a split, compare them, and say it in JSON, table and words."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import keras

from dlcli import console, registry
from dlcli.data import Data, Examples
from dlcli.errors import DataError, counted
from dlcli.outputs import outputs
from dlcli.task import Report, Score, Task
from dlcli.verdict import Case, reasons


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A simple rule, its scores on a split, and the seconds that fitting it took."""

    name: str
    report: Report
    seconds: float
    counts: bool = True  # False: it stands in the table, and the verdict passes it over


# Columns of a terminal that a score with its interval takes.
_WIDTH = 19


def score(task: Task, model: keras.Model, examples: Examples, train: Examples | None = None) -> Report:
    """The model's report on a split.

    train: what the model has seen, where that is at hand and is not what is scored.
    """
    if why := task.why_not(examples):
        raise DataError(f"there is nothing to score in this part of the data: {why}.")
    source = task.source(examples, training=False)
    with console.busy(f"scoring {counted(len(examples), 'example')}"):
        return task.report(outputs(model, task, source) | task.measured(model, source, train))


def rivals(name: str, task: Task, train: Examples, examples: Examples) -> list[Rival]:
    """Every baseline of the task, fitted on `train` and scored on `examples`.

    A baseline that cannot take this data raises nothing: it is named in a warning and left out.
    """
    found = []
    for entry in registry.entries("baselines").values():
        asked = entry.literal("ASKS", None)  # the option of the task that a baseline is about
        if name not in entry.literal("TASKS", ()) or (asked and not getattr(task, asked)):
            continue
        begun = time.monotonic()
        try:
            with console.busy(f"fitting and scoring the simple model {entry.name}"):
                report = task.report(entry.load().fit(task, train)(examples))
        except (ValueError, MemoryError) as error:
            console.warn(f"the baseline {entry.name} was left out: {error}")
            continue
        counts = entry.literal("COUNTS", True)
        found.append(Rival(name=entry.name, report=report, seconds=time.monotonic() - begun, counts=counts))
    return found


def verdict(
    task: Task,
    report: Report,
    found: list[Rival],
    data: Data | None = None,
    *,
    learned: bool = False,
    adapted: bool = False,
) -> str:
    """Does the deep model beat its best simple rival beyond the interval? If not, why not, as far as `data` tells.

    learned: whether these are examples that it was trained on, which tell nothing of that.  adapted: whether it began
    with trained weights.
    """
    case = Case(task, report, {rival.name: rival.report for rival in found if rival.counts}, data, adapted)
    if task.headline not in report.scores:
        return ""
    if learned:
        return "These scores are of training examples: they do not tell how good the model is on others."
    if not case.theirs:
        return ""
    ours, theirs = case.ours, case.theirs[case.best]
    numbers = f"{_short(ours.value)} against {_short(theirs.value)} {task.headline.replace('_', ' ')}"
    if ours.better(theirs, task.sign):
        return f"The deep model beats the best simple one ({case.best}): {numbers}, beyond the 95 % intervals."
    if theirs.better(ours, task.sign):
        said = f"A simple model is better here: {case.best}, {_short(theirs.value)} against {_short(ours.value)}. Deep learning is the wrong tool as trained."
    else:
        said = (
            f"The deep model does not beat the simple one ({case.best}) beyond the interval: {numbers}. "
            "Prefer the simple one, or bring more data."
        )
    return " ".join([said, *reasons(case)])


def document(report: Report) -> dict[str, Any]:
    """Scores as JSON: {NAME: {"value", "low", "high", "n"}}."""
    return {name: asdict(score) for name, score in report.scores.items()}


def show(title: str, name: str, report: Report, found: list[Rival], last: str = "") -> None:
    """The table: one row per model, one column per score, the interval below each value; then the
    verdict as the last line. Without scores: why there are none."""
    if report.unscored:
        return console.say(f"{name}: {report.unscored}")
    # As many scores as can be read whole; the others are in the report file.
    left = max(len(label) for label in (name, *(rival.name for rival in found)))
    names = list(report.scores)[: max(1, (console.results.width - left - 5) // _WIDTH)]
    rows = [[name, *(_cell(report.scores.get(key)) for key in names)]]
    rows += [[rival.name, *(_cell(rival.report.scores.get(key)) for key in names)] for rival in found]
    console.table(title, ["model", *(key.replace("_", " ") for key in names)], rows)
    if last:
        console.say(last, style="bold")


def _cell(score: Score | None) -> str:
    if score is None:
        return "–"
    known = math.isfinite(score.low) and math.isfinite(score.high)
    return _short(score.value) + (f"\n{_short(score.low)}–{_short(score.high)}" if known else "\nno interval")


def _short(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
