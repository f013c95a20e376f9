"""Erase what a layer says, linearly, about a label - to see whether the rest of the model uses it."""

import numpy as np


def leace(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest affine change after which no linear probe knows the label (LEACE, Belrose et al., 2023).

    x (n, d), labels (n,) -> mean (d,) and matrix (d, d) of rank d - (classes - 1); see `erase`.
    """
    mean, whiten, colour = _whitening(x)
    classes, codes = np.unique(labels, return_inverse=True)
    members = np.eye(len(classes))[codes]
    shared = (np.asarray(x, "float64") - mean).T @ (members - members.mean(axis=0)) / len(x)  # (d, classes)
    left, sizes, _ = np.linalg.svd(whiten @ shared, full_matrices=False)  # sizes are correlations, at most 1
    # 1e-12: a correlation as small as this is rounding, and its direction would be arbitrary
    return mean, _without(left[:, sizes > 1e-12], whiten, colour)


def random_erasure(x: np.ndarray, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same, with random directions of the whitened x in place of those of a label: what any erasure costs."""
    mean, whiten, colour = _whitening(x)
    draws = whiten @ colour @ np.random.default_rng(seed).normal(size=(len(mean), rank))  # inside the span of x
    left, sizes, _ = np.linalg.svd(draws, full_matrices=False)
    return mean, _without(left[:, sizes > 1e-9 * max(sizes[0], np.finfo(float).tiny)], whiten, colour)


def erase(x: np.ndarray, mean: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """mean + (x - mean) matrix'.  x (..., d) -> (..., d)"""
    return mean + (x - mean) @ matrix.T


def _whitening(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (d,), S^(-1/2) and S^(1/2) (d, d) of the covariance of x, both 0 where x does not vary."""
    x = np.asarray(x, "float64")
    mean = x.mean(axis=0)
    values, vectors = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    kept = values > 1e-12 * max(values[-1], np.finfo(float).tiny)
    roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
    return mean, (vectors / roots) @ vectors.T, (vectors * roots) @ vectors.T


def _without(directions: np.ndarray, whiten: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """I - S^(1/2) Q Q' S^(-1/2) for directions Q (d, r) of the whitened space."""
    return np.eye(len(whiten)) - (colour @ directions) @ (directions.T @ whiten)
