"""Counts of three tokens in a row, smoothed as the n-gram's: what two tokens before tell."""

from dlcli.baselines import ngram
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"language-modeling"}


def fit(task, train: Examples) -> Predictor:
    return ngram.fit(task, train, order=3)
