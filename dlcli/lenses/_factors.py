"""How well single numbers of a code stand for single factors: MIG and DCI, from mutual information."""

import numpy as np

BINS = 20


def information(codes: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mutual information in nats of every code, in bins of equal count, with every factor.

    codes (n, Z), factors (n, K) integers -> (Z, K), and the factors' entropies (K,). The mean over
    shuffled factors is taken off: with few examples, chance alone gives some.
    """
    binned = np.stack([_binned(column) for column in codes.T], axis=1)
    rng = np.random.default_rng(0)
    found = np.array([[_mutual(b, f) for f in factors.T] for b in binned.T])
    chance = np.mean(
        [[[_mutual(b, f) for f in factors[rng.permutation(len(factors))].T] for b in binned.T] for _ in range(3)],
        axis=0,
    )
    entropies = np.array([_mutual(f, f) for f in factors.T])
    return np.where(found > 2 * chance, found - chance, 0.0), entropies


def mig(shared: np.ndarray, entropies: np.ndarray) -> float:
    """Mutual information gap (Chen et al., 2018): the best code's lead over the second, per entropy, mean over factors."""
    ordered = np.sort(np.vstack([shared, np.zeros_like(shared[:1])]), axis=0)[::-1]
    return float(np.mean((ordered[0] - ordered[1]) / np.maximum(entropies, 1e-12)))


def disentanglement(weights: np.ndarray) -> float:
    """1 when every code serves one factor (Eastwood & Williams, 2018).  weights (Z, K) >= 0; codes count by their sum."""
    return _concentrated(weights)


def completeness(weights: np.ndarray) -> float:
    """1 when every factor is served by one code."""
    return _concentrated(weights.T)


def _concentrated(weights: np.ndarray) -> float:
    """1 - entropy of each row, to the base of the columns, weighted by the rows' sums; 0 without any weight."""
    sums, columns = weights.sum(axis=1), weights.shape[1]
    if not sums.sum() > 0:
        return 0.0
    if columns == 1:
        return 1.0
    p = weights / np.maximum(sums[:, None], 1e-300)
    entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1) / np.log(columns)
    return float(((1 - entropy) * sums).sum() / sums.sum())


def _binned(values: np.ndarray) -> np.ndarray:
    """Numbers of the bins of equal count; values that hardly vary are one bin."""
    if values.std() < 1e-9 * (1 + np.abs(values).max()):
        return np.zeros(len(values), np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")


def _mutual(a: np.ndarray, b: np.ndarray) -> float:
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / alone[there])).sum())
