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
    """The model without its head: up to its last feature map, or, where tokens follow the last map or there is none, to
    what goes into its last dense layer. A network within the network is one step, cut open where it holds the head.

    inputs: those of its own that the body needs (default: all).

    Raises: DlcliError (exit code 4) for a model without a graph of layers.
    """
    try:
        body = keras.Model(inputs or model.inputs, _end(model), name="body")
    except (AttributeError, ValueError, TypeError, IndexError):
        body = None
    if body is None or (model.weights and not body.weights):
        raise DlcliError(
            f"{model.name} ({type(model).__name__}) is no graph of layers, so its head cannot be told from its body.",
            "build it with the functional interface of Keras, and save it again.",
            code=MODEL,
        )
    body.trainable = True
    return body


def _end(model: keras.Model):
    """The tensor at which the body ends."""
    placed, dense, within = None, None, None
    for operation, given, made in _steps(model):
        if isinstance(operation, layers.Dense):
            dense = given[0]
        if isinstance(operation, keras.Model) and operation.weights:
            within = operation, given
        if not isinstance(operation, layers.InputLayer) and _has_places(made[0]):
            placed = made[0]
    opaque = within is not None and not _has_weights(model, placed)
    if opaque and len(within[1]) == 1:
        inner = cut(within[0])
        return inner(within[1][0])
    tokens = placed is not None and len(placed.shape) == 3
    if placed is None or tokens:
        return model.outputs[-1] if dense is None else dense
    return placed


def _steps(model: keras.Model):
    """(operation, tensors that go in, tensors that come out) in the order of the graph."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            yield node.operation, node.arguments.keras_tensors, node.outputs


def _has_weights(model: keras.Model, end) -> bool:
    return end is not None and bool(keras.Model(model.inputs, end).weights)


def named(model: keras.Model) -> keras.Model:
    """A model that ends in features, as a body."""
    body = keras.Model(model.inputs, model.outputs[0], name="body")
    body.trainable = True
    return body


def _has_places(output) -> bool:
    """Whether it still has places: squeeze-and-excitation and pooled heads have one."""
    shape = getattr(output, "shape", ())
    return len(shape) == 3 or (len(shape) == 4 and any(side != 1 for side in shape[1:3]))
