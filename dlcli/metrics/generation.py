"""How near generated examples are to real ones, from features of a named encoder or from pixels.

None of these is "FID": that name means the Inception network. Print the encoder, n, and the same
number for real against real (the floor) beside each.
"""

import numpy as np

from dlcli.metrics import intervals
from dlcli.task import Report, Score

NEIGHBOURS = 5
SUBSETS = 20  # of 1 000 examples, for the kernel distance

FORMULAS = {
    "frechet": "|mean a - mean b|^2 + tr(A + B - 2 (A B)^(1/2)) of the features; falls with n (Heusel et al., 2017)",
    "kid": "unbiased squared MMD of the features, kernel (a.b / d + 1)^3 (Binkowski et al., 2018)",
    "precision": f"share of generated inside a real {NEIGHBOURS}-neighbour ball (Kynkaanniemi 2019)",
    "recall": f"share of real inside a generated {NEIGHBOURS}-neighbour ball (Kynkaanniemi 2019)",
    "density": f"real {NEIGHBOURS}-neighbour balls around a generated example / {NEIGHBOURS} (Naeem et al., 2020)",
    "coverage": "share of real examples whose ball holds a generated one (Naeem et al., 2020)",
}


def generation(real, fake) -> Report:
    """Features (n, d) of real and generated examples -> all scores that need features only."""
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    n = min(len(real), len(fake))
    inside, near = _balls(real, fake)
    reached, _ = _balls(fake, real)
    scores = {
        "frechet": Score(frechet(real, fake), *_frechet_interval(real, fake), n),
        "kid": _kid_score(real, fake),
        "precision": intervals.score(inside > 0),
        "recall": intervals.score(reached > 0),
        "density": intervals.score(inside / NEIGHBOURS),
        "coverage": intervals.score(near),
    }
    return Report(scores=scores, formulas=dict(FORMULAS))


def frechet(a, b) -> float:
    """Squared Frechet distance of Gaussians fitted to features a (n, d) and b (m, d)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cov_a, cov_b = np.atleast_2d(cov_a), np.atleast_2d(cov_b)
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # tr (A B)^(1/2) = tr (A^(1/2) B A^(1/2))^(1/2), which is symmetric
    middle = np.linalg.eigvalsh(root @ cov_b @ root)
    trace = np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(np.maximum(middle, 0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + trace)


def _frechet_interval(real, fake, resamples: int = 50):
    """Resampled copies repeat examples and so lie further apart: the shift is taken off."""
    rng = np.random.default_rng(0)
    draws = [
        frechet(
            real[rng.integers(len(real), size=len(real))],
            fake[rng.integers(len(fake), size=len(fake))],
        )
        for _ in range(resamples)
    ]
    value = frechet(real, fake)
    spread = np.std(draws) * 1.96
    return float(max(0.0, value - spread)), float(value + spread)


def kid(a, b, *, subsets: int = SUBSETS, size: int = 1_000, seed: int = 0) -> float:
    """Kernel Inception distance without Inception: features a (n, d), b (m, d)."""
    return float(np.mean(_kid_draws(a, b, subsets, size, seed)))


def _kid_score(a, b) -> Score:
    n = min(len(a), len(b))
    size = max(2, min(1_000, n // 2))
    draws = _kid_draws(a, b, SUBSETS, size, 0)
    value, share = float(np.mean(draws)), size / n
    # a subset varies more than all n do, but less than one that is drawn anew: it has a share of them
    half = 1.96 * np.std(draws) * np.sqrt(share / max(1 - share, 1e-9))
    return Score(value, float(value - half), float(value + half), n)


def _kid_draws(a, b, subsets, size, seed):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    size = min(size, len(a), len(b))
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(subsets):
        x = a[rng.choice(len(a), size, replace=False)]
        y = b[rng.choice(len(b), size, replace=False)]
        draws.append(_mmd(x, y))
    return np.array(draws)


def _mmd(x, y):
    n, d = x.shape
    xx, yy, xy = (_cubed(p @ q.T / d + 1) for p, q in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (n * (n - 1))
    return within - 2 * xy.mean()


def _cubed(x):
    return x * x * x  # ** 3 takes ten times as long


def precision_recall(real, fake, *, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Share of generated that look real, share of real that could be generated."""
    return (
        float((_balls(real, fake, neighbours)[0] > 0).mean()),
        float((_balls(fake, real, neighbours)[0] > 0).mean()),
    )


def density_coverage(real, fake, *, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """The same two questions, robust to outliers; density can exceed 1."""
    inside, near = _balls(real, fake, neighbours)
    return float(inside.mean() / neighbours), float(near.mean())


def _balls(centres, points, neighbours: int = NEIGHBOURS):
    """Balls around centres reaching to their k-th neighbour among the centres.

    -> (m,) how many balls hold each point, (n,) whether a ball holds any point.
    """
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    k = min(neighbours, len(centres) - 1)
    inside, near, start = np.zeros(len(points), dtype=np.int64), [], 0
    # one thread: scikit-learn's OpenMP pool and TensorFlow's wait for each other
    with threadpool_limits(limits=1):
        index = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(centres)
        radius = index.kneighbors(centres)[0][:, -1]  # the nearest of each is itself
        for distances in pairwise_distances_chunked(centres, points, working_memory=64):
            held = distances <= radius[start : start + len(distances), None]
            inside += held.sum(axis=0)
            near.append(held.any(axis=1))
            start += len(distances)
    return inside, np.concatenate(near).astype(np.float64)


def sliced_wasserstein(a, b, *, projections: int = 256, seed: int = 0) -> float:
    """Mean over random directions of the 1-D Wasserstein-1 distance of a (n, d) and b (m, d),
    in units of the values (pixels flattened)."""
    a = np.asarray(a, np.float64).reshape(len(a), -1)
    b = np.asarray(b, np.float64).reshape(len(b), -1)
    directions = np.random.default_rng(seed).standard_normal((a.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    return float(np.abs(_quantiles(a @ directions) - _quantiles(b @ directions)).mean())


def _quantiles(values, count: int = 1_000):
    """(n, projections) -> (count, projections), at the middles of as many equal shares."""
    at = (np.arange(count) + 0.5) / count * len(values)
    return np.sort(values, axis=0)[at.astype(int)]
