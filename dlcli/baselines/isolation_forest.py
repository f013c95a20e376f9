"""Isolation forest (Liu et al., 2008): how few random cuts set an example apart."""

from dlcli.baselines._measure import batches, targets_as_rows
from dlcli.data import Examples
from dlcli.outputs import gathered
from dlcli.task import Predictor

TASKS = {"anomaly-detection"}


def fit(task, train: Examples, *, trees: int = 200, rows: int = 20_000) -> Predictor:
    """trees: of 256 examples each, as in the paper.  rows: training examples used at most, drawn by seed."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=trees, random_state=0).fit(targets_as_rows(task, train, rows=rows))

    def predict(examples: Examples):
        source, parts = task.source(examples, training=False), []
        for _, x, y in batches(source):
            measures = task.measure(x, y, y)
            # in place of the error: higher is stranger, and 0.5 is what an average example has
            parts.append(measures | {"error": -forest.score_samples(y.reshape(len(y), -1))})
        return gathered(parts, len(source))

    return predict
