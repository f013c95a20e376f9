"""The mean of the training targets, whatever the input."""

import numpy as np

from dlcli.baselines._measure import measured, targets
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"image-regression", "tabular-regression"}


def fit(task, train: Examples) -> Predictor:
    mean = targets(task, train).mean(axis=0, dtype=np.float64).astype(np.float32)

    def predict(examples: Examples):
        return measured(task, examples, lambda x, i: np.broadcast_to(mean, (len(i), *mean.shape)))

    return predict
