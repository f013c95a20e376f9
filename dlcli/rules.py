"""Exact rules that tell every label: parity and sums modulo K, products and sums of columns.

A network needs more examples for such a rule the more inputs it has, and never holds it beyond what it saw;
two lines of algebra find it. Rules are solved for on a part of the training rows and believed only when
they are right on all others.
"""

from dataclasses import dataclass

import numpy as np

# Rows beyond the unknowns that a rule must be right on: by chance 2^-50 of wrong ones are.
PROOF = 50
EXACT = 1e-6


@dataclass(frozen=True)
class Rule:
    """text: in words.  columns: those that count."""

    text: str
    columns: list[str]


def found(values: np.ndarray, y: np.ndarray, names: list[str], *, classes: bool) -> Rule | None:
    """A rule for y (n,) from numeric columns (n, d), or None.  classes: y holds class names."""
    if len(values) < values.shape[1] + PROOF or values.shape[1] == 0 or not np.isfinite(values).all():
        return None
    return _modular(values, y, names) if classes else _algebraic(values, y.astype(np.float64), names)


def _modular(values: np.ndarray, y: np.ndarray, names: list[str]) -> Rule | None:
    """y = (a0 + sum of a_i x_i) mod K, for whole numbers and K classes, K prime."""
    labels, codes = np.unique(y, return_inverse=True)
    K = len(labels)
    if K not in (2, 3, 5, 7, 11, 13) or (values != np.round(values)).any():
        return None
    if K > 2 and _numbers(labels) is not None:
        codes = (np.array(_numbers(labels), np.int64) % K)[codes]
    x = np.concatenate([values.astype(np.int64) % K, np.ones((len(values), 1), np.int64)], axis=1)
    weights = _solved(x, codes.astype(np.int64), K)
    if weights is None or not weights[:-1].any():
        return None
    if ((x @ weights - codes) % K).any():
        return None
    used = [name for name, weight in zip(names, weights, strict=False) if weight]
    joined = " + ".join(used[:6]) + (f" + {len(used) - 6} more" if len(used) > 6 else "")
    what = "the parity (XOR)" if K == 2 else f"the sum modulo {K}, with whole weights,"
    return Rule(f"{what} of {joined} tells every label", used)


def _solved(x: np.ndarray, y: np.ndarray, K: int) -> np.ndarray | None:
    """Weights of an exact solution of x w = y modulo a prime K (Gauss), or None. Free unknowns are 0."""
    rows = min(len(x), x.shape[1] + PROOF)
    a = np.concatenate([x[:rows], y[:rows, None]], axis=1) % K
    pivots, row = [], 0
    for column in range(x.shape[1]):
        below = np.flatnonzero(a[row:, column]) + row
        if not len(below):
            continue
        a[[row, below[0]]] = a[[below[0], row]]
        a[row] = a[row] * pow(int(a[row, column]), -1, K) % K
        others = np.arange(rows) != row
        a[others] = (a[others] - a[others, column, None] * a[row]) % K
        pivots.append(column)
        row += 1
        if row == rows:
            break
    if a[row:, -1].any():
        return None  # what is left says 0 = something
    weights = np.zeros(x.shape[1], np.int64)
    weights[pivots] = a[: len(pivots), -1]
    return weights


def _algebraic(values: np.ndarray, y: np.ndarray, names: list[str]) -> Rule | None:
    """y as a weighted sum of columns, or as a product of their powers, to six digits."""
    if y.std() == 0:
        return None
    linear = _fits(values, y)
    if linear is not None:
        used = [name for name, weight in zip(names, linear, strict=False) if abs(weight) > EXACT]
        return Rule(f"a weighted sum of {', '.join(used[:6])} gives every target exactly", used)
    if (values > 0).all() and (y > 0).all():
        powers = _fits(np.log(values), np.log(y))
        if powers is not None:
            used = [f"{name}^{power:.3g}" for name, power in zip(names, powers, strict=False) if abs(power) > EXACT]
            return Rule(f"a product of {', '.join(used[:6])} gives every target exactly", used)
    return None


def _fits(x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Weights of the columns where least squares on one half of the rows is exact on the other."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    half = np.arange(len(x)) % 2 == 0
    weights = np.linalg.lstsq(x[half], y[half], rcond=None)[0]
    return weights[:-1] if np.abs(x[~half] @ weights - y[~half]).max() < EXACT * y.std() else None


def _numbers(labels: np.ndarray) -> list[int] | None:
    try:
        return [int(label) for label in labels]
    except ValueError:
        return None
