"""What a training has set out to do, on disk before its first step, and what faults have changed of it since.

A resumed training reads its course: a time budget is not measured again, a batch that did not fit into memory
stays divided, a learning rate that was too high stays lower.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dlcli import console, rundir
from dlcli.errors import DIVERGED, MEMORY, DlcliError
from dlcli.rundir import Run
from dlcli.savepoints import Savepoint

NAME = "course.json"
# A loss that is no number is often one bad step; a rate that is far too high shows it again at once.
ROLLBACKS, LOWER = 3, 0.25


@dataclass(frozen=True, kw_only=True)
class Course:
    """passes: over the training split, in all.  per_epoch: of them in one epoch of Keras.  batch_size: examples.
    parts: that a batch is computed in, for want of memory.  rate: factor of the learning rate.
    since: epochs that were done when it was last extended.  changes: what was changed, and when."""

    passes: int
    per_epoch: int
    batch_size: int
    parts: int = 1
    rate: float = 1.0
    rollbacks: int = 0
    since: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)

    def place(self, point: Savepoint | None, length: int) -> tuple[int, int]:
        """Where a checkpoint stands in this course: epochs that are done, and batches (or their parts) of the next.

        length: of an epoch, in batches or parts.
        """
        if point is None:
            return 0, 0
        examples = point.meta["batch"] * point.meta["batch_size"] // point.meta["parts"]
        return point.meta["epoch"], min(examples // (self.batch_size // self.parts), length - 1)

    @property
    def timed(self) -> bool:
        """Whether a time budget still holds: not where epochs were asked for afterwards."""
        return not any(changed["what"] == "passes" for changed in self.changes)

    def slower(self, run: Run, *, reason: str, step: int, hint: str) -> "Course":
        """After a loss that is no number: back to the last checkpoint with a lower rate.

        Raises: DlcliError (exit code 6) when that was tried ROLLBACKS times.
        """
        if self.rollbacks == ROLLBACKS:
            raise DlcliError(f"{reason}; lowering the rate {ROLLBACKS} times did not help.", hint, code=DIVERGED)
        console.warn(f"{reason}: back to step {step} with {LOWER:g} of the learning rate.")
        changed = {"what": "rollback", "why": reason, "to_step": step, "rate": self.rate * LOWER}
        return self._changed(run, changed, rate=self.rate * LOWER, rollbacks=self.rollbacks + 1)

    def smaller(self, run: Run, *, multiple: int, step: int) -> "Course":
        """After running out of memory: more parts of a batch, whose gradients are added up.

        multiple: of which a part must be.  Raises: DlcliError (exit code 7) when a part cannot be smaller.
        """
        able = [n for n in range(2 * self.parts, self.batch_size + 1, self.parts) if self.batch_size % n == 0]
        able = [n for n in able if self.batch_size // n % multiple == 0]
        if not able:
            raise DlcliError(
                f"out of memory with {self.batch_size // self.parts} examples at a time.",
                "take a smaller network, smaller inputs, or --precision bfloat16.",
                code=MEMORY,
            )
        parts = able[0]
        console.warn(
            f"out of memory with {self.batch_size // self.parts} examples at a time: from step {step} on, a batch of "
            f"{self.batch_size} is computed in {parts} parts, whose gradients are added up."
        )
        return self._changed(run, {"what": "memory", "from_step": step, "parts": parts}, parts=parts)

    def extended(self, run: Run, *, passes: int, done: int) -> "Course":
        """More passes than were planned, or fewer. done: epochs of Keras that are trained already."""
        changed = {"what": "passes", "from": self.passes, "to": passes, "at_epoch": done}
        return self._changed(run, changed, passes=passes, since=done)

    def resized(self, batch_size: int) -> "Course":
        """Another batch size, whole again; not on disk yet."""
        return replace(self, batch_size=batch_size, parts=1)

    def noted(self, run: Run, changed: dict[str, Any]) -> "Course":
        """Keep in mind what else was changed."""
        return self._changed(run, changed)

    def _changed(self, run: Run, changed: dict[str, Any], **values) -> "Course":
        return replace(self, **values, changes=[*self.changes, changed]).written(run)

    def written(self, run: Run) -> "Course":
        """The same, and on disk."""
        run.write(NAME, asdict(self))
        return self


def recorded(run: Run) -> Course | None:
    """The course of a training that was begun there, or None."""
    if not (run.path / NAME).is_file():
        return None
    try:
        return Course(**run.read(NAME))
    except TypeError as error:
        raise rundir.damaged(run.path / NAME, error) from None
