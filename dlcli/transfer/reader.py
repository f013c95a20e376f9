"""The part of a network that makes features of its input: up to its head, to its code, or to its verdict."""

from typing import Any

import keras
from keras import layers

from dlcli.errors import MODEL, DlcliError
from dlcli.finished import Finished


def of(opened: Finished) -> tuple[keras.Model, dict[str, Any]]:
    """The encoder of an autoencoder, or the discriminator of a GAN, from behind its stem on; and the fields of
    a task whose stem gives what goes in.

    Raises: DlcliError for a network that has neither.
    """
    model, task = opened.model, opened.task
    discriminator = getattr(model, "discriminator", None)
    if discriminator is not None:
        channels = task.image[-1]
        scale = {"mean": [0.5] * channels, "deviation": [0.5] * channels}  # it sees pictures in [-1, 1]
        return cut(discriminator, inputs=discriminator.inputs[:1]), {"image": task.image, **scale}
    stem = [layer for layer in model.layers if layer.name.startswith("stem_")]
    if not stem or not any(layer.name == "code" for layer in model.layers):
        raise DlcliError(
            f"{opened.spec['architecture']} has no code and no head: nothing says where its features end.",
            "choose an autoencoder with a code, a GAN, or a source that ends in a head.",
        )
    body = keras.Model(stem[-1].output, model.get_layer("code").output, name="body")
    return body, task.facing()


def cut(model: keras.Model, inputs=None) -> keras.Model:
    """The model without its head: up to its last feature map, or to what goes into its last dense layer.

    inputs: those of its own that the body needs (default: all).

    Raises: DlcliError (exit code 4) for a model without a graph of layers.
    """
    try:
        outputs = [layer.output for layer in model.layers if _is_map(layer)]
        dense = [layer.input for layer in model.layers if isinstance(layer, layers.Dense)]
        body = keras.Model(inputs or model.inputs, (outputs or dense or model.outputs)[-1], name="body")
    except (AttributeError, ValueError, TypeError):
        raise DlcliError(
            f"{model.name} ({type(model).__name__}) is no graph of layers, so its head cannot be told from its body.",
            "build it with the functional interface of Keras, and save it again.",
            code=MODEL,
        ) from None
    body.trainable = True
    return body


def named(model: keras.Model) -> keras.Model:
    """A model that ends in features, as a body."""
    body = keras.Model(model.inputs, model.outputs[0], name="body")
    body.trainable = True
    return body


def _is_map(layer) -> bool:
    """Whether its output still has places: squeeze-and-excitation and pooled heads have one."""
    output = getattr(layer, "output", None)
    shape = getattr(output, "shape", ())
    return len(shape) == 4 and not isinstance(layer, layers.InputLayer) and any(side != 1 for side in shape[1:3])
