"""The saturating power law: known curves are found, and intervals cover what comes next."""

import numpy as np
import pytest

from dlcli.comparing import law

SIZES = [250, 707, 2_000, 5_657, 16_000]


def curve(floor: float, scale: float, exponent: float, x) -> np.ndarray:
    return floor + scale * np.asarray(x, float) ** -exponent


def noisy(rng, means, spread: float, runs: int = 3) -> np.ndarray:
    return means[:, None] * np.exp(rng.normal(0, spread, (len(means), runs)))


@pytest.mark.parametrize(("floor", "scale", "exponent"), [(0.0, 2.0, 0.5), (0.05, 5.0, 0.7), (0.1, 1.0, 0.3)])
def test_a_curve_without_noise_is_found(floor, scale, exponent):
    means = curve(floor, scale, exponent, SIZES)
    found = law.fitted(SIZES, np.repeat(means[:, None], 3, axis=1) * (1 + 1e-6 * np.arange(3)))
    assert float(found.best.exponent) == pytest.approx(exponent, abs=0.011)
    assert found.predicted(60_000)[0] == pytest.approx(curve(floor, scale, exponent, 60_000), rel=0.02)


@pytest.mark.parametrize(("floor", "scale", "exponent"), [(0.005, 2.0, 0.6), (0.0, 2.0, 0.45), (0.1, 1.0, 0.3)])
def test_the_interval_covers_the_next_measurement(floor, scale, exponent):
    """The mean of three new runs at four times the largest size lies inside in at least 80 % of 20 studies."""
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(20):
        found = law.fitted(SIZES, noisy(rng, curve(floor, scale, exponent, SIZES), 0.05))
        _, low, high = found.predicted(60_000, runs=3)
        new = noisy(rng, curve(floor, scale, exponent, [60_000]), 0.05).mean()
        inside += low <= new <= high
    assert inside >= 16


def test_the_interval_says_something():
    """Covering is no art where anything is covered: the interval is less than the prediction wide."""
    rng = np.random.default_rng(4)
    found = law.fitted(SIZES, noisy(rng, curve(0.005, 2.0, 0.6, SIZES), 0.05))
    value, low, high = found.predicted(60_000)
    assert high - low < value


def test_a_curve_that_bends_away_widens_the_interval(rng):
    """Where the law does not fit, the misfit counts as spread."""
    straight = curve(0.0, 2.0, 0.5, SIZES)
    bent = straight * np.array([1, 0.7, 1.3, 0.7, 1.2])
    widths = []
    for means in (straight, bent):
        _, low, high = law.fitted(SIZES, noisy(rng, means, 0.02)).predicted(60_000)
        widths.append(np.log(high / low))
    assert widths[1] > 2 * widths[0]


def test_the_place_where_one_curve_overtakes_the_other(rng):
    """2 x^-0.6 falls below 0.2 x^-0.25 at 10^(1/0.35) = 720."""
    deep = law.fitted(SIZES, noisy(rng, curve(0, 2.0, 0.6, SIZES), 0.01))
    simple = law.fitted(SIZES, noisy(rng, curve(0, 0.2, 0.25, SIZES), 0.01))
    value, low, high = law.crossing(deep, simple, farthest=1e6)
    assert low <= 720 <= high
    assert value == pytest.approx(720, rel=0.15)
    assert law.crossing(simple, deep, farthest=1e6) is None


def test_ten_times_the_data_is_the_difference_of_the_curve(rng):
    found = law.fitted(SIZES, noisy(rng, curve(0.0, 2.0, 0.5, SIZES), 0.01))
    value, low, high = found.gain(16_000, 10)
    truth = curve(0.0, 2.0, 0.5, 160_000) - curve(0.0, 2.0, 0.5, 16_000)
    assert low <= truth <= high < 0
    assert value == pytest.approx(truth, rel=0.2)
