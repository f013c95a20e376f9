"""Differences of two models on the same examples: what they are known to be, and how often they are covered."""

import numpy as np
import pytest
from scipy import stats

from dlcli.comparing.paired import difference, mcnemar


def test_one_run_each_is_the_paired_t_interval(rng):
    """With one run each the interval is that of a paired t test."""
    a, b = rng.normal(1, 1, 50), rng.normal(0, 1, 50)
    found = difference(a, b)
    low, high = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.value == pytest.approx((a - b).mean())
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.p is None


def test_mcnemar_is_the_sign_test_of_the_disagreements():
    a = np.array([1] * 9 + [0] * 1 + [1] * 40)
    b = np.array([0] * 9 + [1] * 1 + [1] * 40)
    # 10 disagreements, 9 to 1: 2 (C(10,0) + C(10,1)) / 2^10
    assert mcnemar(a, b) == pytest.approx(22 / 1024)
    assert difference(a, b).p == pytest.approx(22 / 1024)
    assert mcnemar(a, a) == 1.0


def test_the_interval_covers_new_seeds_and_new_examples(rng):
    """Both seeds and examples vary: over 400 repetitions the truth lies inside in 95 %."""
    inside = 0
    for _ in range(400):
        seeds = rng.normal(0, 0.05, (2, 3, 1))
        examples = rng.normal(0, 0.3, (1, 1, 60))
        own = rng.normal(0, 0.3, (2, 1, 60))
        a, b = seeds + examples + own + rng.normal(0, 0.2, (2, 3, 60)) + np.array([0.1, 0.0])[:, None, None]
        found = difference(a, b)
        inside += found.low <= 0.1 <= found.high
    assert 0.92 <= inside / 400 <= 0.995


def test_nothing_below_the_least_detectable_difference_is_better(rng):
    """A difference beyond its interval may still be below what a repetition would find: it is not called better."""
    d = rng.normal(0, 1, 400)
    d += 2.3 / 20 - d.mean()  # 2.3 standard errors
    found = difference(d, np.zeros(400))
    assert found.low > 0
    assert found.value < found.minimum
    assert not found.better(1)
    assert difference(d + 0.1, np.zeros(400)).better(1)
    assert difference(np.zeros(400), d + 0.1).better(-1)


def test_neighbours_in_time_are_not_counted_as_independent(rng):
    """Of a slowly changing series of differences the interval of blocks is wider, and covers."""
    inside = plain = 0
    for _ in range(200):
        walk = np.convolve(rng.normal(0, 1, 1_100), np.ones(60) / 60**0.5, mode="valid")[:1_000]
        zero = np.zeros(1_000)
        found, narrow = difference(walk, zero, ordered=True), difference(walk, zero)
        inside += found.low <= 0 <= found.high
        plain += narrow.low <= 0 <= narrow.high
    assert inside / 200 > 0.8 > plain / 200 + 0.2


def test_scores_of_other_examples_are_refused():
    with pytest.raises(ValueError, match="not scores of the same examples"):
        difference(np.zeros(5), np.zeros(6))


def test_equal_predictions_leave_a_doubt_of_an_example():
    """All answers alike: the interval is not of width 0."""
    found = difference(np.ones(100), np.ones(100))
    assert found.low < 0 < found.high
    assert not found.better(1)
