"""A training, and what it makes of every test example."""

import numpy as np

from dlcli import backend, training
from dlcli.outputs import outputs
from dlcli.rundir import Run
from dlcli.scoring import document
from dlcli.training import Fitting
from dlcli.trials import opening


def run(job: dict, run: Run) -> dict:
    """Train as the job's configuration says. values.npy: the score of every test example."""
    config, chosen, data = opening.opened(job)
    backend.start(config.backend, device=config.device, precision=chosen.precision, seed=config.seed)
    task = training.learned(chosen, data)
    fitting = Fitting.of(task, data.splits, seed=config.seed)
    fitted = fitting.fit(lambda: chosen.arch.load().build(task, **chosen.arch_options), chosen.fit, run=run)
    scores = {}
    for part in ("val", "test"):
        if part in data.splits:
            measures = outputs(fitted.model, task, task.source(data.splits[part], training=False))
            name, values = task.per_example(measures)
            scores[part] = {"scores": document(task.report(measures)), "compared": name, "mean": float(values.mean())}
    np.save(run.path / "values.npy", values.astype(np.float32))
    parameters = fitted.model.count_params()
    # a comparison keeps what was found, not hundreds of models
    for file in (run.model, run.last):
        file.unlink(missing_ok=True)
    return {
        "parameters": parameters,
        "examples": opening.size(data),
        "epochs": fitted.epochs,
        "steps": fitted.steps,
        "seen": fitted.steps * min(chosen.fit.batch_size, len(fitting.train)),
        "seconds": round(fitted.seconds, 2),
        **scores,
    }
