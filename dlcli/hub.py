"""Presets of KerasHub, by name or from a folder: an extra that need not be installed."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from dlcli.errors import MODEL, DlcliError


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A backbone without a head, what its pixels must look like, and the side that it was trained at."""

    model: keras.Model
    scale: Callable[[np.ndarray], np.ndarray] | None
    side: tuple[int, int] | None


def load(name: str) -> Preset:
    """The backbone for pictures of a preset: a folder, or a name that KerasHub fetches.

    Raises: DlcliError (exit code 4) when it cannot be opened, or is none for pictures.
    """
    try:
        import keras_hub

        model = keras_hub.models.Backbone.from_preset(name)
    except (ImportError, OSError, ValueError, TypeError, KeyError) as error:  # a network's failures are OSErrors
        reason = " ".join(str(error).split())[:200]
        raise DlcliError(
            f"the preset {name!r} could not be opened: {reason}",
            "it is a folder with config.json and weights, or a name that keras.io/keras_hub lists.",
            code=MODEL,
        ) from None
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise DlcliError(
            f"the preset {name!r} takes {', '.join(_inputs(model))}, and not pictures.",
            "only presets for pictures can be taken over; for texts, train a language model here and start from it.",
            code=MODEL,
        )
    scale, side = _converter(keras_hub, name)
    return Preset(model=model, scale=scale, side=side)


def _inputs(model: keras.Model) -> list[str]:
    inputs = model.input
    return sorted(inputs) if isinstance(inputs, dict) else [str(tensor.shape) for tensor in model.inputs]


def _converter(keras_hub, name: str):
    """The preset's own scale of pixels and size of pictures, where it has them."""
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(name)
    except (ValueError, FileNotFoundError):
        return None, None
    factor = np.asarray(1.0 if converter.scale is None else converter.scale, np.float32)
    shift = np.asarray(0.0 if converter.offset is None else converter.offset, np.float32)
    size = converter.image_size
    side = tuple(size) if size is not None and None not in tuple(size) else None
    return lambda x: np.asarray(x, np.float32) * factor + shift, side
