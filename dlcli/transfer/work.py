"""What a strategy is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from dlcli.config import FitConfig
from dlcli.fit import Fitted
from dlcli.rundir import Run
from dlcli.task import Task
from dlcli.training import Fitting
from dlcli.transfer import heads, states
from dlcli.transfer.heads import Head
from dlcli.transfer.origin import Origin


@dataclass(frozen=True, kw_only=True)
class Work:
    """last: the head that was solved for on the last features, best: on the best depth; None for tasks
    without classes.  seconds: that finding them took.  given: options of the fit that the user named."""

    origin: Origin
    fitting: Fitting
    settings: FitConfig
    given: frozenset[str]
    run: Run
    last: Head | None = None
    best: Head | None = None
    seconds: float = 0.0
    examples: int = 0

    @property
    def task(self) -> Task:
        return self.origin.task

    def start(self) -> keras.Model:
        """A model with the source's body and, where there is one, the head that was solved for: a random head
        would tear at the body with its first gradients (Kumar et al., 2022)."""
        model = self.origin.make()
        return model if self.last is None else heads.placed(model, self.task, self.last)

    def fit(
        self,
        build: Callable[[], keras.Model],
        *,
        rate: float = 1.0,
        decay: float = 1.0,
        warmup_steps: int = 0,
        share: float = 1.0,
        run: Run | None = None,
    ) -> Fitted:
        """Fit for a share of the epochs, or of the time. rate: of the default learning rate; decay: how much slower
        lower layers learn (FitConfig.layer_decay); warmup_steps: at least. What the user named stays what it is."""
        own = self.settings
        settings = own.model_copy(
            update={
                "learning_rate": own.learning_rate * (1.0 if "learning_rate" in self.given else rate),
                "layer_decay": own.layer_decay if "layer_decay" in self.given else decay,
                "warmup_steps": own.warmup_steps if {"warmup", "warmup_steps"} & self.given else warmup_steps,
                "epochs": max(1, round(own.epochs * share)),
                "steps": max(1, round(own.steps * share)) if own.steps else None,
                "time": own.time * share if own.time else None,
            }
        )
        return self.fitting.fit(build, settings, run=run or self.run)


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """fitted: the model and what it took.  states: of its layers while it was trained.  more: for the report."""

    fitted: Fitted
    states: dict[str, int]
    more: dict[str, Any] = field(default_factory=dict)


def adapted(fitted: Fitted, **more) -> Adapted:
    """The result of one fit."""
    return Adapted(fitted=fitted, states=states.count(fitted.model), more=more)


def joined(stages: list[Fitted]) -> Fitted:
    """Several fits after one another, as one."""
    last = stages[-1]
    before = stages[:-1]
    return replace(
        last,
        epochs=sum(stage.epochs for stage in stages),
        best_epoch=sum(stage.epochs for stage in before) + last.best_epoch,
        steps=sum(stage.steps for stage in stages),
        seconds=sum(stage.seconds for stage in stages),
    )
