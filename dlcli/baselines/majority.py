"""Class shares of the training split, whatever the input (its accuracy is the majority's)."""

import numpy as np

from dlcli.baselines._measure import measured
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {
    "image-classification",
    "text-classification",
    "sequence-classification",
    "tabular-classification",
}


def fit(task, train: Examples) -> Predictor:
    share = np.bincount(task.targets(train), minlength=len(task.classes)) / len(train)

    def predict(examples: Examples):
        return measured(task, examples, lambda x, i: np.tile(share.astype(np.float32), (len(i), 1)))

    return predict
