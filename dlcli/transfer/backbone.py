"""The body of a model, as an architecture: all of it up to its own head, or the part that reads its input."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from dlcli import finished, pretrained, reference
from dlcli.described import KNOWN
from dlcli.errors import DlcliError
from dlcli.inspection import twin
from dlcli.transfer import reader

OFFERS = {"pixels", "series"}
FIT = {"epochs": 10, "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 0.01}


@dataclass(frozen=True, kw_only=True)
class Body:
    """model: the part of `whole` that is taken over.  fields: of a task whose stem gives what goes into it.
    trained: it has weights of its own, and not only those that it was built with.
    scaled: what its pixels look like, as Pretrained says it.
    mixing: matrix (C, C) and shift (C,) for pixels whose channels a stem cannot bring to scale one by one."""

    model: keras.Model
    whole: keras.Model
    fields: dict[str, Any]
    trained: bool = True
    scaled: str = ""
    mixing: tuple[np.ndarray, np.ndarray] | None = None


def build(task, *, source: str = "", pixels: str | None = None, untrained: bool = False):
    """source: any MODEL.  pixels: scale of its pixels, where the model does not tell.  untrained: with fresh
    weights."""
    found = opened(source, pixels)
    if untrained or not found.trained:
        twin.renew(found.model, seed=0)  # the same each time: a head that was fitted to one body is put on another
    x = task.embed()
    if found.mixing is not None:
        x = _mixing(*found.mixing)(x)
    return task.model(found.model(x))


def opened(source: str, pixels: str | None) -> Body:
    """SOURCE without its head, or the part of a run's network that reads its input."""
    found = reference.parse(source)
    if found.kind in KNOWN:
        whole = finished.opened(found)
        model, fields = reader.of(whole)
        return Body(model=model, whole=whole.model, fields=fields)
    opened = pretrained.load(found, pixels=pixels)
    shape = opened.model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):
        raise DlcliError(f"{source} takes {shape}, and not pictures.", "only bodies for pictures can be taken over.")
    matrix, shift = _affine(opened.scale, shape[-1])
    mixes = _mixes(matrix)
    slope = np.ones(shape[-1]) if mixes else np.diag(matrix)
    offset = np.zeros(shape[-1]) if mixes else shift
    fields = {
        "image": [*(side or usual for side, usual in zip(shape[1:3], opened.side, strict=True)), shape[-1]],
        "mean": (-offset / slope).tolist(),
        "deviation": (1 / slope).tolist(),
    }
    model = reader.named(opened.model) if opened.headless else reader.cut(opened.model)
    return Body(
        model=model,
        whole=opened.model,
        fields=fields,
        trained=found.kind != "keras" or found.weights is not None,
        scaled=opened.scaled,
        mixing=(matrix, shift) if mixes else None,
    )


def _affine(scale, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """A scale of pixels as matrix (C, C) and shift (C,) for pixels from black 0 to white 1.

    Raises: DlcliError when it is no such map.
    """
    black = np.zeros((1, 1, 1, channels), np.float32)
    shift = np.asarray(scale(black), np.float64)[0, 0, 0]
    rows = []
    for channel in range(channels):
        one = black.copy()
        one[..., channel] = 255
        rows.append(np.asarray(scale(one), np.float64)[0, 0, 0] - shift)
    matrix = np.stack(rows)
    some = np.linspace(0, 255, 4 * channels, dtype=np.float32).reshape(1, 2, 2, channels)
    if np.abs(some / 255 @ matrix + shift - scale(some)).max() > 1e-3 * max(1, np.abs(matrix).max()):
        raise DlcliError("the model's own scale of pixels is not linear.", "name one: --pixels 0..1, for example.")
    return matrix, shift


def _mixes(matrix: np.ndarray) -> bool:
    return bool(np.abs(matrix - np.diag(np.diag(matrix))).max() > 1e-6 * np.abs(matrix).max())


def _mixing(matrix: np.ndarray, shift: np.ndarray):
    """A convolution of one pixel that nothing trains: it brings channels into another order."""
    return layers.Conv2D(
        len(shift),
        1,
        trainable=False,
        dtype="float32",
        kernel_initializer=keras.initializers.Constant(matrix[None, None].tolist()),
        bias_initializer=keras.initializers.Constant(shift.tolist()),
        name="stem_channels",
    )
