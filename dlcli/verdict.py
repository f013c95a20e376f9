"""Does the deep model beat its best simple rival beyond the interval, and if not, why: one or two sentences."""

from dataclasses import dataclass
from functools import cached_property

from dlcli import registry
from dlcli.checking import Subject
from dlcli.data import Data
from dlcli.task import Report, Score, Task

# Reasons told; more would be a list of excuses.
TOLD = 2


@dataclass(frozen=True)
class Case:
    """A model's report beside those of its rivals, by name; data: what it was trained on, where that is known.
    adapted: whether it began with trained weights."""

    task: Task
    report: Report
    rivals: dict[str, Report]
    data: Data | None
    adapted: bool = False

    @property
    def ours(self) -> Score:
        return self.report.scores[self.task.headline]

    @cached_property
    def theirs(self) -> dict[str, Score]:
        """Headline scores of the rivals that have one."""
        headline = self.task.headline
        return {name: report.scores[headline] for name, report in self.rivals.items() if headline in report.scores}

    @cached_property
    def best(self) -> str:
        return max(self.theirs, key=lambda name: self.task.sign * self.theirs[name].value)

    @cached_property
    def subject(self) -> Subject | None:
        return Subject(data=self.data) if self.data is not None and "train" in self.data.splits else None


def reasons(case: Case) -> list[str]:
    """Sentences, the most telling first. reasons/*.py: explain(case) gives one, or ""."""
    entries = sorted(registry.entries("reasons").values(), key=lambda entry: entry.literal("ORDER", 100))
    told = []
    for entry in entries:
        sentence = entry.load().explain(case)
        if sentence:
            told.append(sentence)
        if len(told) == TOLD or (sentence and entry.literal("LAST", False)):
            break
    return told
