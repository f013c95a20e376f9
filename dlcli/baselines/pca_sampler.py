"""Pictures drawn from one Gaussian in the principal components of the training pictures: blurs of the right shape."""

import numpy as np

from dlcli.baselines._measure import batches, some_rows
from dlcli.data import Examples
from dlcli.outputs import gathered
from dlcli.task import Predictor

TASKS = {"image-generation"}


def fit(task, train: Examples, *, components: int = 64, rows: int = 5_000, seed: int = 0) -> Predictor:
    """components: of the pixels, drawn independently.  rows: training pictures used at most.

    But for the clipping to the range of pixels it has the mean and covariance of real pictures, so a
    Frechet distance of features that are linear in the pixels flatters it: look at the other scores.
    """
    from sklearn.decomposition import PCA

    source = task.source(train, training=False)
    chosen = some_rows(len(source), rows)
    real = np.concatenate([y.reshape(len(y), -1) for _, _, y in batches(source, 256, chosen)])
    pca = PCA(min(components, *real.shape), svd_solver="randomized", random_state=0).fit(real)
    low, high = float(real.min()), float(real.max())

    def predict(examples: Examples):
        rng = np.random.default_rng(seed)
        source, parts = task.source(examples, training=False), []
        for _, x, y in batches(source, 256):
            drawn = rng.standard_normal((len(y), len(pca.components_)))
            drawn = pca.mean_ + drawn * np.sqrt(pca.explained_variance_) @ pca.components_
            fake = np.clip(drawn, low, high).reshape(y.shape).astype(np.float32)
            parts.append(task.measure(x, y, fake))
        return gathered(parts, len(source))

    return predict
