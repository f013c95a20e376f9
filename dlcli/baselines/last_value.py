"""The last known value, repeated."""

import numpy as np

from dlcli.baselines._measure import measured
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"forecasting"}


def fit(task, train: Examples) -> Predictor:
    def predict(examples: Examples):
        return measured(task, examples, lambda x, i: np.repeat(x[:, -1:], task.horizon, axis=1))

    return predict
