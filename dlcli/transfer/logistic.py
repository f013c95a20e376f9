"""A head in closed reach: multinomial logistic regression on features, its strength chosen on held-out examples."""

import warnings
from dataclasses import dataclass

import numpy as np

# Inverse penalties times the number of examples' square root; from strong to weak, each begun where the last ended.
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """softmax(x @ kernel + bias): kernel (d, K), bias (K,) float64, standardisation folded in.

    model: scikit-learn's, for features z = (x - mean) / scale.  strength: its C.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    model: object
    mean: np.ndarray
    scale: np.ndarray

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """(n, d) -> (n, K); a class without examples has probability 0."""
        logits = x @ self.kernel + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def solve(x: np.ndarray, y: np.ndarray, held: tuple[np.ndarray, np.ndarray] | None, classes: int) -> Solution:
    """Fit on x (n, d) and class numbers y (n,). held: x and y to choose the strength on, by log loss."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    mean, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    # a feature that does not vary by more than rounding says nothing
    scale = np.where(scale > 1e-6 * np.maximum(np.abs(mean), 1e-6), scale, np.inf)
    z = ((x - mean) / scale).astype(np.float64)
    present = np.unique(y)
    if len(present) < 2:
        raise ValueError("examples of two classes are needed")
    best, least, warm = None, np.inf, None
    strengths = STRENGTHS if held is not None else (1.0,)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early regularises: no news to the user
        for strength in strengths:
            model = LogisticRegression(C=strength / len(x) ** 0.5, max_iter=200, warm_start=True)
            if warm is not None:
                model.coef_, model.intercept_, model.classes_ = warm.coef_.copy(), warm.intercept_.copy(), present
            warm = model.fit(z, y)
            if held is None:
                return _folded(model, mean, scale, present, classes)
            loss = _loss(_folded(model, mean, scale, present, classes), *held)
            if loss >= least:
                break  # weaker ones overfit more, and take longest
            best, least = model, loss
    return _folded(best or model, mean, scale, present, classes)


def _folded(model, mean, scale, present: np.ndarray, classes: int) -> Solution:
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # one row, for the second class
        coefficients, intercepts = np.stack([-coefficients[0], coefficients[0]]) / 2, np.array([-1, 1]) * intercepts / 2
    kernel, bias = np.zeros((len(mean), classes)), np.full(classes, -1e4)
    kernel[:, present] = coefficients.T / scale[:, None]
    bias[present] = intercepts - np.where(np.isfinite(scale), mean / scale, 0) @ coefficients.T
    return Solution(kernel=kernel, bias=bias, strength=model.C, model=model, mean=mean, scale=scale)


def _loss(solution: Solution, x: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(np.maximum(solution.probabilities(x)[np.arange(len(y)), y], 1e-12)).mean())
