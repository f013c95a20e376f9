"""The values one season ago, repeated."""

import numpy as np

from dlcli.baselines._measure import measured
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"forecasting"}


def fit(task, train: Examples, *, season: int | None = None) -> Predictor:
    """season: steps (default: the task's)."""
    season = season or task.season
    if season < 2:
        raise ValueError("the series has no season; it would be last-value")
    if season > task.lookback:
        raise ValueError(f"a season of {season} steps is longer than the history of {task.lookback}")
    steps = np.arange(task.horizon) % season - season

    def predict(examples: Examples):
        return measured(task, examples, lambda x, i: x[:, steps])

    return predict
