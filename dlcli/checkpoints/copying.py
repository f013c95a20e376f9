"""Put arrays into the weights of a model, and say what came from where and what did not."""

from typing import NamedTuple

import numpy as np


class Lists(NamedTuple):
    """Paths of weights that were filled, paths of those that keep their beginning, names that went nowhere."""

    copied: list[str]
    fresh: list[str]
    dropped: list[str]


def fill(model, found: dict[str, tuple[str, np.ndarray]], names) -> Lists:
    """Copy where path and shape agree.

    found: path of a weight -> (name in the checkpoint, value as the layer wants it).
    names: all names in the checkpoint.
    """
    copied, fresh, used = [], [], set()
    for weight in model.weights:
        name, value = found.get(weight.path, ("", None))
        if value is not None and tuple(value.shape) == tuple(weight.shape):
            weight.assign(np.asarray(value, np.float32))
            copied.append(weight.path)
            used.add(name)
        else:
            fresh.append(weight.path)
    return Lists(copied, fresh, [name for name in names if name not in used])
