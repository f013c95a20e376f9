"""Which strategy? Short trials of all, scored on the validation split."""

import shutil
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcli import console, registry, scoring
from dlcli.data import Examples
from dlcli.errors import DIVERGED, DlcliError, counted
from dlcli.inspection import twin
from dlcli.task import Score
from dlcli.transfer import features, heads
from dlcli.transfer.work import Work

# Seconds of a trial where no time was named, and the share of a time that was.
SECONDS = 20.0
SHARE = 0.06
CONTROL = "features, random body"
# What is known of the trials, for a run that is resumed.
TRIALS = "trials.json"


@dataclass(frozen=True, kw_only=True)
class Trial:
    name: str
    score: Score
    seconds: float
    trainable: int

    def row(self) -> dict[str, Any]:
        return {
            "strategy": self.name,
            **vars(self.score),
            "seconds": round(self.seconds, 2),
            "trainable_parameters": self.trainable,
        }

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Trial":
        score = Score(**{name: row[name] for name in ("value", "low", "high", "n")})
        return cls(name=row["strategy"], score=score, seconds=row["seconds"], trainable=row["trainable_parameters"])


def tried(work: Work, val: Examples) -> list[Trial]:
    """A short training by each strategy, with its score on the validation split. Those that the run knows of already,
    from before it was stopped, are not repeated."""
    epochs, known = _known(work)
    settings = work.settings.model_copy(update={"time": None, "steps": None, "epochs": epochs})
    found = []
    # features have a solved head or none; with one, training it by steps is the same by a slower way
    left_out = "features" if work.last is None else "head"
    for name in names():
        if name == left_out:
            continue
        if name in known:
            found.append(known[name])
            continue
        console.note(f"trying {name}…")
        run = work.run.within("trials", name)
        begun = time.monotonic()
        try:
            done = registry.find("strategies", name).load().adapt(replace(work, settings=settings, run=run))
        except DlcliError as error:
            if error.code not in (1, DIVERGED):
                raise
            console.note(f"{name} was left out: {error.message}")
            continue
        taken = work.seconds if name == "features" else time.monotonic() - begun
        score = scoring.score(work.task, done.fitted.model, val).scores[work.task.headline]
        count = done.states.get("solved_parameters") or done.states["trainable_parameters"]
        found.append(Trial(name=name, score=score, seconds=taken, trainable=count))
        work.run.write(TRIALS, {"epochs": epochs, "trials": [trial.row() for trial in found]})
        shutil.rmtree(run.path)
    return found


def names() -> list[str]:
    """All strategies, cheap ones first: their literal ORDER."""
    return [entry.name for entry in sorted(registry.entries("strategies").values(), key=_order)]


def _order(entry: registry.Entry) -> int:
    return entry.literal("ORDER", 100)


def _known(work: Work) -> tuple[int, dict[str, Trial]]:
    """How long a trial is, in epochs, and those that are done."""
    if (work.run.path / TRIALS).is_file():
        kept = work.run.read(TRIALS)
        return kept["epochs"], {row["strategy"]: Trial.of(row) for row in kept["trials"]}
    seconds = work.settings.time * SHARE if work.settings.time else SECONDS
    epochs = max(1, round(seconds / _per_pass(work)))
    console.note(f"{counted(epochs, 'epoch')} for each trial, some {seconds:.0f} s")
    work.run.write(TRIALS, {"epochs": epochs, "trials": []})
    return epochs, {}


def _per_pass(work: Work) -> float:
    """About the seconds of a training pass: four times those of a forward pass, which compiles sooner."""
    source, model = work.fitting.train, work.origin.make()
    rows = np.arange(min(64, len(source)))
    x = source.batch(rows, np.random.default_rng(0))[0]
    model.predict_on_batch(x)
    begun = time.monotonic()
    model.predict_on_batch(x)
    return 4 * (time.monotonic() - begun) * len(source) / len(rows)


def finalists(found: list[Trial], *, sign: int) -> list[str]:
    """Those to train in full, the best first: the best of those that are trained, and the next one where it lies
    within one standard error of it, since more time makes both better, and one more than the other. Features, which
    are what they are, only where none of the others comes within one standard error of them.

    sign: of a score of which more is better, 1, or less, -1.
    """
    trained = sorted(
        (trial for trial in found if trial.name != "features"), key=lambda trial: -sign * trial.score.value
    )
    solved = next((trial for trial in found if trial.name == "features"), None)
    if not trained:
        return [solved.name]
    best = trained[0]
    if solved is not None and sign * (solved.score.value - best.score.value) > _error(solved):
        return [solved.name]
    near = [trial.name for trial in trained[1:2] if sign * (best.score.value - trial.score.value) <= _error(best)]
    return [best.name, *near]


def _error(trial: Trial) -> float:
    """The standard error behind a 95 % interval."""
    return (trial.score.high - trial.score.low) / (2 * 1.96)


def negative(work: Work, found: list[Trial]) -> str:
    """A warning where the source's weights have not helped, else ""."""
    control = next((trial for trial in found if trial.name == "scratch"), None)
    others = [trial for trial in found if trial.name not in ("scratch", CONTROL)]
    if control is None or not others or any(one.score.better(control.score, work.task.sign) for one in others):
        return ""
    return (
        "negative transfer is possible: in trials of equal length fresh weights did as well as the source's, "
        "within the intervals."
    )


def control(work: Work, parts: dict[str, Examples], labels: dict[str, np.ndarray], *, kind: str, seed: int) -> Trial:
    """Features of the same body with random weights: what the architecture gives by itself."""
    begun = time.monotonic()
    model = work.origin.make()
    source = work.task.source(parts["train"], training=False)
    x = source.batch(np.arange(min(64, len(source))), np.random.default_rng(0))[0]
    with twin.untrained(model, x, seed=seed):
        rows = features.gathered(model, work.task, parts, kind=kind, identity="", keep=False)
        last, _ = heads.solved(rows, labels, len(work.task.classes), seed=seed)
        model = heads.placed(model, work.task, last)
        score = scoring.score(work.task, model, parts["val"]).scores[work.task.headline]
    count = model.get_layer("head_logits").count_params()
    return Trial(name=CONTROL, score=score, seconds=time.monotonic() - begun, trainable=count)
