"""Errors over the values that were observed: gaps (NaN) in y count nowhere."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("dlcli")
class ObservedError(keras.losses.Loss):
    """Mean of |y - y_pred| ** power over the values of a window that were observed (are not NaN)."""

    def __init__(self, power=2, name="observed_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.power = power

    def call(self, y_true, y_pred):
        return _observed_error(y_true, y_pred, self.power)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


@keras.saving.register_keras_serializable("dlcli")
def observed_mae(y_true, y_pred):
    """Mean absolute error of each window over its observed values: (B, F, C) -> (B,)."""
    return _observed_error(y_true, y_pred, 1)


def _observed_error(y_true, y_pred, power):
    y_pred = ops.cast(y_pred, "float32")
    known = ops.logical_not(ops.isnan(y_true))
    error = ops.abs(ops.where(known, y_true, 0.0) - ops.where(known, y_pred, 0.0)) ** power
    axes = tuple(range(1, len(y_true.shape)))
    count = ops.sum(ops.cast(known, "float32"), axis=axes)
    return ops.sum(error, axis=axes) / ops.maximum(count, 1.0)
