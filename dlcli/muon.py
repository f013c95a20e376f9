"""Muon (Jordan et al., 2024; Liu et al., 2025) for every matrix of a network, also where Keras keeps it in more axes.

Keras' own leaves all that has not exactly two axes to AdamW, and with it its attention, whose kernels are
(C, heads, C / heads), and convolutions. Such a kernel is taken as the matrix nearest to a square that joining
neighbouring axes gives: the inputs of a layer by its outputs.
"""

import math
from types import SimpleNamespace

import keras
from keras import ops


@keras.saving.register_keras_serializable("dlcli")
class Muon(keras.optimizers.Muon):
    """keras.optimizers.Muon with kernels of three and four axes; to AdamW go those with one output (depthwise
    ones are many of them), and the biases of attention, which have two axes and are no matrices."""

    def _should_use_adamw(self, variable):
        shape = variable.shape
        if len(shape) < 2 or (len(shape) > 2 and shape[-1] == 1) or variable.path.endswith("bias"):
            return True
        return super()._should_use_adamw(SimpleNamespace(shape=matrix(shape), path=variable.path))

    def zeropower_via_newtonschulz5(self, x, steps: int):
        flat = super().zeropower_via_newtonschulz5(ops.reshape(x, matrix(x.shape)), steps)
        return ops.reshape(flat, x.shape)

    def lr_adjust(self, x):
        return ops.reshape(super().lr_adjust(ops.reshape(x, matrix(x.shape))), x.shape)


def matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a kernel as a matrix: (128, 4, 32) -> (128, 128), (3, 3, 16, 32) -> (144, 32)."""
    sides = [(math.prod(shape[:i]), math.prod(shape[i:])) for i in range(1, len(shape))]
    return min(sides, key=lambda side: max(side) / min(side))
