"""What a model's outputs mean: probabilities, or scores that become such by a softmax."""

import numpy as np


def is_distribution(output: np.ndarray) -> bool:
    """Whether each row (..., C) holds probabilities."""
    return bool(output.shape[-1] > 1 and output.min() >= 0 and np.allclose(output.sum(axis=-1), 1, atol=1e-3))


def log_probabilities(output: np.ndarray) -> np.ndarray:
    """Log of probabilities (..., C), whether the output holds probabilities already or logits."""
    output = output.astype(np.float64)
    if is_distribution(output):
        return np.log(np.maximum(output, 1e-30))
    output = output - output.max(axis=-1, keepdims=True)
    return output - np.log(np.exp(output).sum(axis=-1, keepdims=True))


def divergence(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """KL in nats (...) of distributions given as log probabilities (..., C)."""
    return (np.exp(before) * (before - after)).sum(axis=-1)
