"""The strategies that the trials could not tell apart, trained in full; the validation split says which one stays."""

import shutil
from dataclasses import replace

from dlcli import console, registry, scoring
from dlcli.data import Examples
from dlcli.transfer.work import Adapted, Work


def trained(work: Work, names: list[str], val: Examples) -> tuple[str, Adapted, dict[str, float]]:
    """The best of `names` by the validation split, its files in the run; and what each of them scored there.

    A time is shared out among them. Features are looked at once more, where they are: a body that was trained
    can be worse than the one it was.
    """
    if names == ["features"]:
        return "features", _adapt("features", work), {}
    settings = work.settings
    if settings.time:
        settings = settings.model_copy(update={"time": settings.time / len(names)})
    done, reached = {}, {}
    for name in names:
        console.note(f"training {name}…")
        run = work.run.within("finals", name)
        done[name] = _adapt(name, replace(work, settings=settings, run=run))
        reached[name] = scoring.score(work.task, done[name].fitted.model, val).scores[work.task.headline].value
    best = max(names, key=lambda name: work.task.sign * reached[name])
    if work.best is not None:
        reached["features"] = work.best.accuracy
    console.note("validation split: " + ", ".join(f"{name} {value:.4g}" for name, value in reached.items()))
    if work.best is not None and work.best.accuracy > reached[best]:
        return "features", _adapt("features", work), reached
    # copied, and not moved: until there is a report, a run that is resumed finds them where they were
    shutil.copytree(work.run.path / "finals" / best, work.run.path, dirs_exist_ok=True)
    return best, done[best], reached


def cleared(work: Work) -> None:
    """Take away what only a run that goes on would need."""
    for name in ("trials", "finals"):
        shutil.rmtree(work.run.path / name, ignore_errors=True)


def _adapt(name: str, work: Work) -> Adapted:
    return registry.find("strategies", name).load().adapt(work)
