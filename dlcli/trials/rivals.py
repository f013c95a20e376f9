"""A simple model, fitted and scored on the same examples as the networks."""

import time

from dlcli import registry, training
from dlcli.rundir import Run
from dlcli.trials import opening, scored


def run(job: dict, run: Run) -> dict:
    """rival: a baseline's name. One that cannot take this data gives {"left_out": why}."""
    _, chosen, data = opening.opened(job)
    begun = time.monotonic()
    task = training.learned(chosen, data)
    try:
        predict = registry.find("baselines", job["rival"]).load().fit(task, data.splits["train"])
        scores = scored.parts(task, data, predict, run)
    except (ValueError, MemoryError) as error:
        return {"left_out": str(error)}
    return {"examples": opening.size(data), "seconds": round(time.monotonic() - begun, 2), **scores}
