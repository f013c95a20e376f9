"""The body of a model from elsewhere, as an architecture: all of it up to its own head."""

import keras
import numpy as np
from keras import layers

from dlcli import pretrained, reference
from dlcli.errors import MODEL, DlcliError
from dlcli.inspection import twin

OFFERS = {"pixels"}
FIT = {"epochs": 10, "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 0.01}

# Side of the pictures for a model that takes any.
_SIDE = 128


def build(task, *, source: str = "", pixels: str | None = None, untrained: bool = False):
    """source: a model file, or keras:NAME[,OPTION=VALUE…][:WEIGHTS].  pixels: scale of its pixels, where the
    model does not tell.  untrained: with fresh weights."""
    opened = pretrained.load(reference.parse(source), pixels=pixels)
    body = cut(opened.model)
    if untrained:
        twin.renew(body, seed=0)
    x = task.embed()  # (B, H, W, C)
    matrix, shift = _affine(opened.scale, x.shape[-1])
    if _mixes(matrix):
        x = _mixing(matrix, shift)(x)
    return task.model(body(x))


def facing(source: str, pixels: str | None) -> dict:
    """The fields of a task on pictures that make its pixels what the model was trained on."""
    opened = pretrained.load(reference.parse(source), pixels=pixels)
    shape = opened.model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):
        raise DlcliError(f"{source} takes {shape}, and not pictures.", "only bodies for pictures can be taken over.")
    matrix, shift = _affine(opened.scale, shape[-1])
    slope = np.ones(shape[-1]) if _mixes(matrix) else np.diag(matrix)
    offset = np.zeros(shape[-1]) if _mixes(matrix) else shift
    return {
        "image": [*(side or _SIDE for side in shape[1:3]), shape[-1]],
        "mean": (-offset / slope).tolist(),
        "deviation": (1 / slope).tolist(),
    }


def cut(model: keras.Model) -> keras.Model:
    """The model without its head: up to its last feature map, or to what goes into its last dense layer.

    Raises: DlcliError (exit code 4) for a model without a graph of layers.
    """
    try:
        outputs = [layer.output for layer in model.layers if _is_map(layer)]
        dense = [layer.input for layer in model.layers if isinstance(layer, layers.Dense)]
        body = keras.Model(model.inputs, (outputs or dense or model.outputs)[-1], name="body")
    except (AttributeError, ValueError, TypeError):
        raise DlcliError(
            f"{model.name} ({type(model).__name__}) is no graph of layers, so its head cannot be told from its body.",
            "build it with the functional interface of Keras, and save it again.",
            code=MODEL,
        ) from None
    body.trainable = True
    return body


def _is_map(layer) -> bool:
    """Whether its output still has places: squeeze-and-excitation and pooled heads have one."""
    output = getattr(layer, "output", None)
    shape = getattr(output, "shape", ())
    return len(shape) == 4 and not isinstance(layer, layers.InputLayer) and any(side != 1 for side in shape[1:3])


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
