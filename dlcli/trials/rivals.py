"""A simple model, fitted and scored on the same examples as the networks."""

import time

import numpy as np

from dlcli import registry, training
from dlcli.rundir import Run
from dlcli.scoring import document
from dlcli.trials import opening


def run(job: dict, run: Run) -> dict:
    """rival: a baseline's name. One that cannot take this data gives {"left_out": why}."""
    _, chosen, data = opening.opened(job)
    begun = time.monotonic()
    task = training.learned(chosen, data)
    try:
        predict = registry.find("baselines", job["rival"]).load().fit(task, data.splits["train"])
        measures = predict(data.splits["test"])
    except (ValueError, MemoryError) as error:
        return {"left_out": str(error)}
    name, values = task.per_example(measures)
    np.save(run.path / "values.npy", values.astype(np.float32))
    return {
        "examples": opening.size(data),
        "seconds": round(time.monotonic() - begun, 2),
        "test": {"scores": document(task.report(measures)), "compared": name, "mean": float(values.mean())},
    }
