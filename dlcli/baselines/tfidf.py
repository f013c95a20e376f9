"""Logistic regression on TF-IDF of words and word pairs: hard to beat on small text data."""

import numpy as np

from dlcli.baselines._measure import measured, some_rows
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"text-classification"}


def fit(
    task, train: Examples, *, rows: int = 60_000, features: int = 200_000, inverse_penalty: float = 10.0
) -> Predictor:
    """rows: training texts used at most, drawn by seed.  features: most frequent words and pairs
    kept.  inverse_penalty: scikit-learn's C."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from threadpoolctl import threadpool_limits

    part = train.take(some_rows(len(train), rows))
    y = task.targets(part)
    present = np.unique(y)
    if len(present) < 2:
        raise ValueError("it needs texts of two classes")
    model = make_pipeline(
        # signs are words too: a question mark tells much
        TfidfVectorizer(token_pattern=r"(?u)\w+|[^\w\s]", ngram_range=(1, 2), max_features=features, sublinear_tf=True),
        LogisticRegression(C=inverse_penalty, max_iter=200),
    )
    with threadpool_limits(limits=1):
        model.fit(part.x, y)

    def predict(examples: Examples):
        p = np.zeros((len(examples), len(task.classes)), np.float32)
        p[:, present] = model.predict_proba(examples.x)
        return measured(task, examples, lambda x, i: p[i])

    return predict
