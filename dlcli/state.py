"""All that a Keras training is made of, as arrays: read, and put back exactly.

Three groups: "model" (weights, statistics, states of random generators), "optimizer" (with its average of the
weights, accumulated gradients, loss scale and position in the schedule) and "metrics" (sums over the epoch so far).
"""

import keras
import numpy as np

from dlcli import backend
from dlcli.batches import feed
from dlcli.errors import MISMATCH, DlcliError
from dlcli.savepoints import Savepoint, sha

ACCUMULATOR = "gradient_accumulator"


def variables(model: keras.Model) -> dict[str, list]:
    """The variables by group, in an order that is the same for every build of the same model."""
    metrics = _once(model.metrics_variables)
    own = {id(v) for v in metrics}
    return {
        "model": [v for v in _once(model.variables) if id(v) not in own],
        "optimizer": _once(model.optimizer.variables),
        "metrics": metrics,
    }


def captured(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """Copies of all arrays: what training does afterwards does not change them."""
    backend.settle(model)
    return {group: [backend.value(v) for v in found] for group, found in variables(model).items()}


def finite(arrays: list[np.ndarray]) -> bool:
    """Whether they hold numbers only."""
    return all(np.isfinite(array).all() for array in arrays if array.dtype.kind == "f")


def prepare(model: keras.Model, batches) -> None:
    """Make the variables of optimizer and metrics, which Keras makes in the first step otherwise."""
    model.optimizer.build(model.trainable_variables)
    model.evaluate(feed(batches), steps=1, verbose=0)


def restore(model: keras.Model, point: Savepoint, groups=("model", "optimizer"), *, accumulated: int = 1) -> None:
    """Put arrays back, and look whether what is in the variables then is what was saved.

    accumulated: how many times as many batches make a step of the optimizer as did when it was saved.
    Raises: DlcliError (exit code 9) when they are not this model's.
    """
    for group, found in variables(model).items():
        if group not in groups:
            continue
        arrays, digests = point.arrays.get(group, []), point.digests.get(group, [])
        if group == "optimizer" and accumulated > 1:
            arrays, digests = _spread(found, arrays, accumulated), []
        if len(arrays) != len(found):
            raise _other(point, f"{len(arrays)} arrays of the {group} were saved, and it has {len(found)}")
        for variable, array in zip(found, arrays, strict=True):
            if not backend.assign(variable, array):
                raise _other(point, f"{variable.path} has shape {tuple(variable.shape)}, saved was {array.shape}")
        for variable, array, digest in zip(found, arrays, digests, strict=bool(digests)):
            if sha(backend.value(variable).astype(array.dtype, copy=False)) != digest:
                raise _other(point, f"{variable.path} was not restored as it was saved")


def _spread(found: list, arrays: list[np.ndarray], times: int) -> list[np.ndarray]:
    """The optimizer's state where each of its steps takes `times` as many batches: the count of batches and the sums
    of their gradients grow with it."""
    is_sum = [v.path.endswith(ACCUMULATOR) for v in found]
    if len(arrays) == len(found):
        spread = [array * array.dtype.type(times) if one else array for array, one in zip(arrays, is_sum, strict=True)]
    else:  # nothing was summed before
        rest = iter(arrays)
        spread = [np.zeros(v.shape, v.dtype) if one else next(rest) for v, one in zip(found, is_sum, strict=True)]
    counts = [v.path.endswith("/iteration") and not v.path.startswith("loss_scale") for v in found]
    return [array * array.dtype.type(times) if one else array for array, one in zip(spread, counts, strict=True)]


def optimizers(model: keras.Model) -> list[keras.Optimizer]:
    """The optimizers that change weights: those inside of one that scales the loss or shares the weights out."""
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return list(getattr(inner, "optimizers", [inner]))


def lower(model: keras.Model, factor: float) -> None:
    """Multiply learning rates that are no schedule's."""
    backend.settle(model)
    for one in optimizers(model):
        if isinstance(one.learning_rate, keras.Variable):
            one.learning_rate = float(one.learning_rate) * factor


def _once(found) -> list:
    return list({id(v): v for v in found}.values())


def _other(point: Savepoint, reason: str) -> DlcliError:
    return DlcliError(
        f"checkpoint {point.name} is not of this model: {reason}.",
        "was the architecture changed, or the code of it?",
        code=MISMATCH,
    )
