"""The strategies that the trials could not tell apart, trained in full; the validation split says which one stays."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from dlcli import console, durable, registry, scoring
from dlcli.data import Examples
from dlcli.rundir import Run
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
    sign = 1 if work.task.higher_is_better else -1
    done, reached = {}, {}
    with tempfile.TemporaryDirectory(dir=work.run.path, prefix=f"{durable.TEMPORARY}{os.getpid()}-") as folder:
        for name in names:
            console.note(f"training {name}…")
            run = Run(Path(folder) / name)
            run.path.mkdir()
            done[name] = _adapt(name, replace(work, settings=settings, run=run))
            reached[name] = scoring.score(work.task, done[name].fitted.model, val).scores[work.task.headline].value
        best = max(names, key=lambda name: sign * reached[name])
        if work.best is not None:
            reached["features"] = work.best.accuracy
        console.note("validation split: " + ", ".join(f"{name} {value:.4g}" for name, value in reached.items()))
        if work.best is not None and work.best.accuracy > reached[best]:
            return "features", _adapt("features", work), reached
        for file in (Path(folder) / best).iterdir():
            os.replace(file, work.run.path / file.name)
    return best, done[best], reached


def _adapt(name: str, work: Work) -> Adapted:
    return registry.find("strategies", name).load().adapt(work)
