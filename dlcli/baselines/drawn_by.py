"""What another run draws (task.beside=RUN), a variational autoencoder's pictures beside a GAN's, say."""

from pathlib import Path

import numpy as np

from dlcli import finished, rundir
from dlcli.baselines._measure import batches
from dlcli.data import Examples
from dlcli.outputs import gathered
from dlcli.task import Predictor

TASKS = {"image-generation"}
ASKS = "beside"
COUNTS = False


def fit(task, train: Examples, *, seed: int = 0) -> Predictor:
    opened = finished.load(rundir.find(Path(task.beside)))

    def predict(examples: Examples):
        source = task.source(examples, training=False)
        drawn = opened.task.generate(opened.model, n=len(source), seed=seed)
        if list(drawn.shape[1:]) != list(task.image):
            raise ValueError(f"{task.beside} draws pictures of {drawn.shape[1:]}, these are {tuple(task.image)}")
        scaled = drawn / np.float32(127.5) - 1
        return gathered((task.measure(x, y, scaled[chosen]) for chosen, x, y in batches(source, 256)), len(source))

    return predict
