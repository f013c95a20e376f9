"""What the tasks whose answer is one number share: its scale, its loss, its scores."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from dlcli import members, metrics, task


@dataclass(kw_only=True)
class Regression(task.Task):
    """y and the model's answers (B, 1) are in standard deviations from the training mean; measures and rows are in
    the units of the data, by `_restored` of the task."""

    headline = "rmse"

    def head(self, features):
        return layers.Dense(1, dtype="float32", name="head_value")(task.pooled(features))

    def heads(self, features):
        return members.heads(features, 1, "numbers")

    def loss(self):
        return keras.losses.MeanSquaredError()

    def metrics(self) -> list:
        return [keras.metrics.RootMeanSquaredError(name="rmse")]

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        measures = {"y_pred": self._restored(y_pred)}
        if y is not None:
            measures["y"] = self._restored(y)
        return measures

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        return metrics.regression(measures["y"], measures["y_pred"])

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        return "mse", np.square(measures["y"] - measures["y_pred"])
