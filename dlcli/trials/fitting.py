"""A training, and what it makes of every test example."""

from dlcli import backend, training
from dlcli.outputs import outputs
from dlcli.rundir import Run
from dlcli.training import Fitting
from dlcli.trials import opening, scored


def run(job: dict, run: Run) -> dict:
    """Train as the job's configuration says. values.npy: the score of every test example."""
    config, chosen, data = opening.opened(job)
    backend.start(config.backend, device=config.device, precision=chosen.precision, seed=config.seed)
    task = training.learned(chosen, data)
    fitting = Fitting.of(task, data.splits, seed=config.seed)
    fitted = fitting.fit(lambda: chosen.arch.load().build(task, **chosen.arch_options), chosen.fit, run=run)

    def predict(examples):
        return outputs(fitted.model, task, task.source(examples, training=False))

    scores = scored.parts(task, data, predict, run)
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
