"""What checkpoints cost a resnet-20 on 32 x 32 pictures: seconds per save, and their share of a minute of training.

    python benchmarks/checkpoint_cost.py [--saves 10]

A save has three parts: arrays are copied between two steps (training waits), they are hashed and written by a thread
(training goes on beside it), and the best model is written as model.keras between two epochs (training waits). Both
wall-clock and CPU seconds are given: on a busy machine only the latter mean much. The worst case is counted: all three
parts, one after another, once a minute.
"""

import argparse
import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import keras
import numpy as np

from dlcli import fit, rundir, savepoints, state
from dlcli.config import FitConfig
from dlcli.registry import find
from dlcli.savepoints import Savepoint
from dlcli.tasks.image_classification import Task


def measured(function) -> tuple[float, float]:
    """Wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=int, default=10)
    saves = parser.parse_args().saves
    scale = {"mean": [125.0] * 3, "deviation": [60.0] * 3, "augment": [], "count": 50_000}
    task = Task(image=[32, 32, 3], classes=[str(i) for i in range(10)], **scale)
    model = find("architectures", "resnet-cifar").load().build(task)
    settings = FitConfig(optimizer="adamw", ema=0.999)
    fit.compiled(model, task, settings, steps=1000)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (128, 32, 32, 3)).astype("uint8"), np.eye(10, dtype="float32")[rng.integers(0, 10, 128)]
    model.train_on_batch(x, y)
    steps = [measured(lambda: model.train_on_batch(x, y)) for _ in range(5)]
    parts = {"copy": [], "write": [], "model": []}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(saves):
            parts["copy"].append(measured(partial(state.captured, model)))
            arrays = state.captured(model)
            point = Savepoint(step=i, phase=0, meta={}, arrays={**arrays, "best": arrays["model"]})
            parts["write"].append(measured(partial(savepoints.write, Path(folder), point)))
            parts["model"].append(measured(partial(rundir.commit, Path(folder) / "model.keras", model.save)))
        size = sum(path.stat().st_size for path in savepoints.listed(Path(folder))[0].iterdir())
    found = {
        name: {
            "wall": round(statistics.median(wall for wall, _ in times), 4),
            "cpu": round(statistics.median(cpu for _, cpu in times), 4),
        }
        for name, times in {**parts, "step": steps}.items()
    }
    cpu = sum(found[name]["cpu"] for name in parts)
    wall = sum(found[name]["wall"] for name in parts)
    shares = {"share_of_a_minute_cpu": round(cpu / 60, 5), "share_of_a_minute_wall": round(wall / 60, 5)}
    about = {"backend": keras.backend.backend(), "parameters": model.count_params(), "checkpoint_bytes": size}
    print(json.dumps({**about, "seconds": found, **shares}))


if __name__ == "__main__":
    main()
