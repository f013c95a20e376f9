"""Which layers of a model are trained: freezing, and the count of what is in which state."""

import math

import keras
from keras import layers

# Names of layers in front of a body that only bring the input to scale.
_STEM = ("stem_rescale", "stem_standardize", "stem_scale", "stem_channels", "stem_mask")


def freeze(model: keras.Model, share: float = 1.0) -> None:
    """Freeze the first `share` of the body's layers that hold weights; the head stays trainable.

    Every batch normalisation of the body is frozen, which in Keras also means inference mode: with the
    statistics of a batch a body would be another one than its weights were trained for, from the first step.
    """
    found = body(model)
    for i, layer in enumerate(found):
        if i < round(share * len(found)) or isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def body(model: keras.Model) -> list[layers.Layer]:
    """All layers with weights of their own, in the order of the model, but the head's."""
    return [layer for layer in weighted(model) if not layer.name.startswith("head_") and layer.name not in _STEM]


def weighted(model: keras.Model) -> list[layers.Layer]:
    """The innermost layers that hold weights."""
    return [layer for layer in model._flatten_layers(include_self=False) if own(layer)]


def own(layer: layers.Layer) -> list[keras.Variable]:
    """Weights of the layer itself, and not of layers inside it, nor states of random generators."""
    found = layer._trainable_variables + layer._non_trainable_variables
    return [variable for variable in found if "float" in str(variable.dtype)]


def count(model: keras.Model) -> dict[str, int]:
    """Layers with weights by state, and how many numbers are trained."""
    found = [layer for layer in weighted(model) if layer.name not in _STEM]
    frozen = [layer for layer in found if not layer.trainable_weights]
    norms = [layer for layer in frozen if isinstance(layer, layers.BatchNormalization)]
    return {
        "frozen": len(frozen),
        "trainable": len(found) - len(frozen),
        "batch_norms_in_inference": len(norms),
        "trainable_parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
    }
