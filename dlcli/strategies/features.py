"""The body as it is; a logistic regression on its features becomes the head: seconds."""

from dataclasses import replace

from dlcli import rundir
from dlcli.errors import DlcliError
from dlcli.fit import Fitted
from dlcli.transfer import heads, states
from dlcli.transfer.work import Adapted, Work, adapted

FEATURES = True
ORDER = 10
REWRITES = False


def adapt(work: Work) -> Adapted:
    if work.best is None:
        raise DlcliError("features needs classes to tell apart.", "use head, gradual or full.")
    model = heads.placed(work.origin.make(), work.task, work.best)
    states.freeze(model)
    for target in (work.run.model, work.run.last):
        rundir.keep(target, model)
    # written whole: a run that is resumed writes it again
    row = {"epoch": 0, "val_accuracy": work.best.accuracy, "seconds": round(work.seconds, 3)}
    work.run.write_lines("history.jsonl", [row])
    fitted = Fitted(
        model=model,
        epochs=0,
        best_epoch=0,
        steps=0,
        seconds=work.seconds,
        examples_per_second=work.examples / max(work.seconds, 1e-9),
    )
    result = adapted(fitted, place=work.best.place, strength=work.best.solution.strength)
    # what the regression has fitted is the head
    return replace(result, states={**result.states, "solved_parameters": model.get_layer("head_logits").count_params()})
