"""Exact rules are found where there are any, and nowhere else."""

import numpy as np
import pytest

from dlcli import rules


def names(x) -> list[str]:
    return [f"x{i}" for i in range(x.shape[1])]


@pytest.mark.parametrize("counted", [(0, 3, 4), tuple(range(12)), (7,)])
def test_parity_is_found_with_its_columns(rng, counted):
    x = rng.integers(0, 2, (200, 12))
    y = np.where(x[:, counted].sum(axis=1) % 2, "odd", "even")
    assert rules.found(x, y, names(x), classes=True).columns == [f"x{i}" for i in counted]


def test_a_sum_modulo_five_is_found(rng):
    x = rng.integers(0, 5, (300, 4))
    y = ((x[:, 0] + 3 * x[:, 2]) % 5).astype(str)
    assert rules.found(x, y, names(x), classes=True).columns == ["x0", "x2"]


def test_a_single_wrong_label_is_no_exact_rule(rng):
    x = rng.integers(0, 2, (200, 12))
    y = np.where(x[:, :5].sum(axis=1) % 2, "odd", "even")
    y[150] = "odd" if y[150] == "even" else "even"
    assert rules.found(x, y, names(x), classes=True) is None


def test_labels_without_a_rule_have_none(rng):
    """Random labels, a majority vote and a threshold are not parity."""
    x = rng.integers(0, 2, (400, 12))
    for y in (rng.integers(0, 2, 400), x.sum(axis=1) > 6, x[:, 0] & x[:, 1]):
        assert rules.found(x, y.astype(str), names(x), classes=True) is None


def test_too_few_rows_prove_nothing(rng):
    x = rng.integers(0, 2, (40, 12))
    assert rules.found(x, (x.sum(axis=1) % 2).astype(str), names(x), classes=True) is None


def test_formulas_are_found_and_noise_is_none(rng):
    x = rng.uniform(1, 2, (200, 3))
    found = rules.found(x, x[:, 0] * x[:, 1] ** 2, names(x), classes=False)
    assert "x0^1" in found.text
    assert "x1^2" in found.text
    assert rules.found(x, 3 * x[:, 2] - x[:, 0] + 1, names(x), classes=False).columns == ["x0", "x2"]
    assert rules.found(x, x[:, 0] + rng.normal(0, 0.01, 200), names(x), classes=False) is None
