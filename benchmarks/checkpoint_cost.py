"""What checkpoints cost a resnet-20 on 32 x 32 pictures: seconds per save, and their share of a minute of training.

    python benchmarks/checkpoint_cost.py [--saves 10] [--megabytes 80] [--pairs 3] [--passes 6] [--every 6]

A save has three parts: arrays are copied between two steps (training waits), they are hashed and written by a thread
(training goes on beside it), and the best model is written as model.keras between two epochs (training waits). Both
wall-clock and CPU seconds are given: on a busy machine only the latter mean much. The worst case is counted: all three
parts, one after another, once a minute.

Then the same, counted as a whole: a training of so many passes over ten batches with a save every few seconds beside one
without, in turn, as often as --pairs says. What a save costs is the difference of their CPU seconds over the number of
saves; once a minute, that over 60. And a checkpoint of --megabytes is written alone.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("--saves", type=int, default=10)
    found.add_argument("--megabytes", type=int, default=80)
    found.add_argument("--pairs", type=int, default=3, help="trainings with and without")
    found.add_argument("--passes", type=int, default=6, help="of each, of ten batches")
    found.add_argument("--every", type=float, default=6.0, help="seconds between two saves of those with")
    return found


def measured(function) -> tuple[float, float]:
    """Wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def middle(times: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = zip(*times, strict=True)
    return {"wall": round(statistics.median(wall), 4), "cpu": round(statistics.median(cpu), 4)}


def parts(model, x, y, saves: int) -> tuple[dict, int]:
    """Seconds of a step and of each part of a save, and bytes of a checkpoint."""
    from dlcli import rundir, savepoints, state
    from dlcli.savepoints import Savepoint

    model.train_on_batch(x, y)
    times = {"step": [measured(lambda: model.train_on_batch(x, y)) for _ in range(5)]}
    times |= {"copy": [], "write": [], "model": []}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(saves):
            times["copy"].append(measured(partial(state.captured, model)))
            arrays = state.captured(model)
            point = Savepoint(step=i, phase=0, meta={}, arrays={**arrays, "best": arrays["model"]})
            times["write"].append(measured(partial(savepoints.write, Path(folder), point)))
            times["model"].append(measured(partial(rundir.keep, Path(folder) / "model.keras", model)))
        size = sum(path.stat().st_size for path in savepoints.listed(Path(folder))[0].iterdir())
    return {name: middle(found) for name, found in times.items()}, size


def alone(megabytes: int, saves: int) -> dict[str, float]:
    """Seconds to write a checkpoint of that size."""
    import numpy as np

    from dlcli import savepoints
    from dlcli.savepoints import Savepoint

    arrays = {"model": [np.random.default_rng(0).random(megabytes * 125_000)]}
    with tempfile.TemporaryDirectory() as folder:
        points = [Savepoint(step=i, phase=0, meta={}, arrays=arrays) for i in range(saves)]
        return middle([measured(partial(savepoints.write, Path(folder), point)) for point in points])


def whole(build, task, x, y, chosen) -> dict:
    """The same training with saves and without, in turn."""
    import numpy as np

    from dlcli import fit, savepoints
    from dlcli.config import FitConfig
    from dlcli.rundir import Run
    from dlcli.task import Arrays

    data = Arrays(np.concatenate([x] * 10), np.concatenate([y] * 10))
    written, honest = [0], savepoints.write

    def counted(*arguments):
        written[0] += 1
        return honest(*arguments)

    savepoints.write = counted

    def training(every: float) -> tuple[float, int]:
        written[0] = 0
        settings = FitConfig(epochs=chosen.passes, batch_size=len(x), save_every=every, optimizer="adamw", ema=0.999)
        options = {"train": data, "val": None, "labels": None, "classes": 0, "seed": 0}
        with tempfile.TemporaryDirectory() as folder:
            _, cpu = measured(lambda: fit.train(build, task, settings, run=Run(Path(folder)), **options))
        return cpu, written[0]

    training(1e9)  # whatever is done once in a process is done
    pairs = []
    for i in range(chosen.pairs):
        found = {every: training(every) for every in ((chosen.every, 1e9) if i % 2 else (1e9, chosen.every))}
        (saving, more), (plain, least) = found[chosen.every], found[1e9]
        pairs.append({"with": saving, "without": plain, "saves": more - least})
    costs = [(pair["with"] - pair["without"]) / max(1, pair["saves"]) for pair in pairs]
    return {
        "pairs": [{name: round(value, 2) for name, value in pair.items()} for pair in pairs],
        "ratio": round(statistics.median(pair["with"] / pair["without"] for pair in pairs), 4),
        "cpu_of_a_save": round(statistics.median(costs), 4),
        "share_of_a_minute": round(statistics.median(costs) / 60, 5),
    }


def main() -> None:
    chosen = parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    from dlcli import fit
    from dlcli.config import FitConfig
    from dlcli.registry import find
    from dlcli.tasks.image_classification import Task

    scale = {"mean": [125.0] * 3, "deviation": [60.0] * 3, "augment": [], "count": 50_000}
    task = Task(image=[32, 32, 3], classes=[str(i) for i in range(10)], **scale)
    build = partial(find("architectures", "resnet-cifar").load().build, task)
    model = build()
    fit.compiled(model, task, FitConfig(optimizer="adamw", ema=0.999), steps=1000)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (128, 32, 32, 3)).astype("uint8"), np.eye(10, dtype="float32")[rng.integers(0, 10, 128)]
    seconds, size = parts(model, x, y, chosen.saves)
    cpu, wall = (sum(seconds[name][clock] for name in ("copy", "write", "model")) for clock in ("cpu", "wall"))
    found = {
        "backend": keras.backend.backend(),
        "parameters": model.count_params(),
        "checkpoint_bytes": size,
        "seconds": seconds,
        "share_of_a_minute_cpu": round(cpu / 60, 5),
        "share_of_a_minute_wall": round(wall / 60, 5),
        f"write_of_{chosen.megabytes}_MB": alone(chosen.megabytes, chosen.saves),
        "whole_training": whole(build, task, x, y, chosen),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
