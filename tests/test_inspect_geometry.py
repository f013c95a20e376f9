"""Geometry and units: published fixtures, closed forms, scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import f_oneway
from sklearn.datasets import make_swiss_roll

from dlcli.inspection import geometry, units
from dlcli.inspection.geometry import Cloud, cka, cka_matrix, unit


def effective_rank(x):
    return Cloud(x).effective_rank()


def intrinsic_dimension(x):
    return Cloud(x).intrinsic_dimension()


def biased_cka(x, y):
    """The textbook form of Kornblith et al. (2019)."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)


def test_cka_is_that_of_the_published_example():
    """Google's demo, seed 1337: biased 0.55761 shows that the data are the same, debiased 0.51346."""
    random = np.random.RandomState(1337)
    x = random.randn(100, 10)
    y = random.randn(100, 10) + x
    assert biased_cka(x, y) == pytest.approx(0.55761, abs=5e-6)
    assert cka(Cloud(x).gram(), Cloud(y).gram()) == pytest.approx(0.51346, abs=5e-6)


def test_cka_of_independent_layers_is_zero_where_the_biased_form_is_near_one():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(64, 512)), rng.normal(size=(64, 512))) for _ in range(5)]
    assert np.mean([biased_cka(x, y) for x, y in pairs]) > 0.8
    assert abs(np.mean([cka(Cloud(x).gram(), Cloud(y).gram()) for x, y in pairs])) < 0.03


def test_cka_ignores_rotation_scale_and_shift_but_not_stretching():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 12))
    rotation = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    stretched = x * np.array([30.0] + [1.0] * 11)
    matrix = cka_matrix([unit(Cloud(one).gram()) for one in (x, 1e-3 * x @ rotation + 5, stretched, np.ones((80, 3)))])
    assert matrix[0, 1] == pytest.approx(1, abs=1e-5)
    assert matrix[0, 2] == pytest.approx(cka(Cloud(x).gram(), Cloud(stretched).gram()), abs=1e-5)
    assert matrix[0, 2] < 0.6
    assert np.isnan(matrix[3]).all()


def test_u_centred_rows_sum_to_zero_off_the_diagonal():
    gram = Cloud(np.random.default_rng(2).normal(size=(30, 4))).gram()
    np.testing.assert_allclose(gram.sum(axis=1), 0, atol=1e-10)
    assert not np.diag(gram).any()


@pytest.mark.parametrize("rank", [3, 20, 60])
def test_effective_rank_of_an_isotropic_cloud_is_its_rank_with_few_examples(rank):
    """100 examples of rank 60: the plain ratio would say about 38."""
    rng = np.random.default_rng(3)
    found = [
        effective_rank(rng.normal(size=(100, rank)) @ np.linalg.qr(rng.normal(size=(80, rank)))[0].T) for _ in range(20)
    ]
    assert np.mean(found) == pytest.approx(rank, rel=0.04)


def test_effective_rank_survives_few_values_and_ignores_order_and_scale():
    rng = np.random.default_rng(4)
    x = rng.exponential(size=(300, 40)) * np.linspace(0.1, 2, 40)
    assert effective_rank(-1e-5 * (x[:, ::-1] + 3)) == pytest.approx(effective_rank(x), rel=1e-6)
    assert np.isnan(effective_rank(np.ones((50, 4))))
    assert np.isnan(effective_rank(x[:3]))


def test_effective_rank_of_a_falling_spectrum_with_fewer_examples_than_features():
    """Eigenvalues i^-1/2 of 300 features, 200 examples: the plain ratio is far below the true one."""
    rng = np.random.default_rng(5)
    spectrum = 1 / np.arange(1, 301) ** 0.5
    true = spectrum.sum() ** 2 / (spectrum**2).sum()
    clouds = [rng.normal(size=(200, 300)) * np.sqrt(spectrum) for _ in range(20)]
    plain = [np.trace(c) ** 2 / (c**2).sum() for c in (np.cov(x, rowvar=False) for x in clouds)]
    assert np.mean(plain) < 0.75 * true
    assert np.mean([effective_rank(x) for x in clouds]) == pytest.approx(true, rel=0.03)


@pytest.mark.parametrize(("true", "said"), [(1, 1.04), (2, 1.93), (5, 4.55), (10, 8.2)])
def test_two_nearest_neighbours_find_the_dimension_of_a_plane(true, said):
    """Uniform cubes of 1 to 10 dimensions in 20; `said` are values of another implementation."""
    rng = np.random.default_rng(6)
    found = [intrinsic_dimension(rng.random((1000, true)) @ rng.normal(size=(true, 20))) for _ in range(3)]
    assert np.mean(found) == pytest.approx(said, rel=0.1)


def test_a_rolled_surface_has_two_dimensions_and_repeated_points_change_nothing():
    roll = make_swiss_roll(1000, random_state=0)[0]
    found = intrinsic_dimension(roll)
    assert found == pytest.approx(2, abs=0.15)
    assert intrinsic_dimension(np.vstack([roll, roll[:300]])) == pytest.approx(found, rel=1e-9)
    assert intrinsic_dimension(1e6 * roll[:, ::-1]) == pytest.approx(found, rel=1e-6)
    assert np.isnan(intrinsic_dimension(np.zeros((50, 3))))


def test_a_simplex_is_complete_collapse():
    """Equiangular tight frame without noise, head equal to the means: NC1 to NC4 are 0."""
    labels = np.repeat(np.arange(4), 10)
    frame = np.eye(4) - 1 / 4
    x = frame[labels] + 2
    assert geometry.nc1(x, labels) == pytest.approx(0, abs=1e-12)
    assert geometry.nc2(x, labels) == pytest.approx((0, 0), abs=1e-12)
    assert geometry.nc3(x, labels, 7 * frame.T) == pytest.approx(0, abs=1e-12)
    assert geometry.nc4(x, labels, frame.T) == 0
    assert geometry.nc4(x, labels, frame.T[:, ::-1]) == 1


def test_collapse_is_the_formula_with_a_pseudo_inverse():
    rng = np.random.default_rng(7)
    labels = np.arange(90) % 3
    x = rng.normal(size=(90, 6)) + 2 * np.eye(6)[labels]
    means = np.stack([x[labels == k].mean(axis=0) for k in range(3)])
    within = np.mean([np.outer(row - means[k], row - means[k]) for row, k in zip(x, labels, strict=True)], axis=0)
    between = np.cov(means.T, bias=True)
    expected = np.trace(within @ np.linalg.pinv(between)) / 3
    assert geometry.nc1(x, labels) == pytest.approx(expected, rel=1e-9)
    assert geometry.nc1(5 * x[:, ::-1], labels) == pytest.approx(expected, rel=1e-9)
    assert geometry.nc2(x, labels)[0] > 0.01
    assert geometry.nc3(x, labels, -(means - means.mean(axis=0)).T) == pytest.approx(4)


def test_a_zeroed_filter_is_dead_and_a_copied_one_a_duplicate():
    """Rectified: silent is dead.  Signed: only a constant is.  A dead unit is nobody's duplicate."""
    x = np.maximum(np.random.default_rng(8).normal(size=(300, 8)), 0)
    x[:, 2] = x[:, 5] = 0
    x[:, 6] = 3 * x[:, 1] + 1
    x[:, 7] = -x[:, 1] + 9
    silent = units.dead(x.max(axis=0), x.min(axis=0), x.var(axis=0))
    np.testing.assert_array_equal(np.flatnonzero(silent), [2, 5])
    assert units.duplicates(x, silent) == 2
    signed = x - [0, 5, 0, 0, 0, 1, 0, 0]
    np.testing.assert_array_equal(np.flatnonzero(units.dead(signed.max(0), signed.min(0), signed.var(0))), [2, 5])
    assert units.dead(np.zeros(3), np.zeros(3), np.zeros(3)).all()
    assert units.dead_bound(2000) == pytest.approx(0.0015)


def test_duplicates_are_found_across_blocks_and_counted_once():
    """600 units, three of the last repeat the first: three, not six pairs."""
    x = np.random.default_rng(9).normal(size=(200, 600))
    x[:, 597:] = x[:, :1] * [1, -2, 3]
    assert units.duplicates(x) == 3


def test_class_selectivity_of_an_indicator_is_one_and_of_a_constant_zero():
    means = np.array([[1.0, 0.5, 0.0, 3.0, -1.0], [0.0, 0.5, 0.0, 1.0, 2.0], [0.0, 0.5, 0.0, 1.0, 0.0]])
    np.testing.assert_allclose(units.class_selectivity(means), [1, 0, np.nan, 0.5, np.nan])


def test_omega_squared_is_unbiased_where_eta_squared_is_not():
    """Units without the label, 8 classes, 400 examples: eta^2 0.0175, omega^2 0; at most a few discoveries."""
    rng = np.random.default_rng(10)
    labels = np.arange(400) % 8
    x = rng.normal(size=(400, 2000))
    omega, significant = units.omega_squared(x, labels)
    assert omega.mean() == pytest.approx(0, abs=0.001)
    assert significant.sum() <= 5


def test_omega_squared_finds_the_share_that_was_put_in():
    """Half of the variance of 50 of 200 units is the label; p-values and discoveries by SciPy."""
    rng = np.random.default_rng(11)
    labels = np.arange(2000) % 5
    x = rng.normal(size=(2000, 200))
    x[:, :50] += (labels - 2)[:, None] / np.sqrt(2)
    x[:, 199] = 3.0
    omega, significant = units.omega_squared(x, labels)
    assert omega[:50].mean() == pytest.approx(0.5, abs=0.02)
    assert significant[:50].all()
    chance = f_oneway(*[x[labels == k, :199] for k in range(5)]).pvalue
    ranked = np.sort(chance)
    last = np.flatnonzero(ranked <= 0.05 * np.arange(1, 200) / 199)[-1]
    np.testing.assert_array_equal(significant[:199], chance <= ranked[last])
    assert np.isnan(omega[199])
    assert not significant[199]


@pytest.mark.parametrize(("a", "b"), [(0.5, 2.5), (196, 3.5), (5, 1), (511.5, 0.5)])
def test_the_incomplete_beta_function_is_scipys(a, b):
    x = np.array([0, 1e-9, 0.01, 0.3, 0.5, 0.9, 0.99, 0.9999, 1])
    np.testing.assert_allclose(units._incomplete_beta(a, b, x), betainc(a, b, x), rtol=1e-9, atol=1e-14)


def test_discoveries_are_those_of_the_paper():
    """Benjamini & Hochberg (1995), section 3.2: of 15 p-values the four smallest."""
    small = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    chance = np.array([*small, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0])
    order = np.random.default_rng(12).permutation(15)
    assert set(np.flatnonzero(units.discoveries(chance[order]))) == set(np.flatnonzero(order < 4))
    assert not units.discoveries(np.array([])).any()


@pytest.mark.parametrize("degrees", [0, 30, 90, 150])
def test_the_preferred_orientation_is_the_peak(degrees):
    """R = 1 + cos 2(angle - peak) has an index of exactly 1/2; a flat unit 0; a signed one none."""
    angles = np.arange(24) * np.pi / 24
    tuned = 1 + np.cos(2 * (angles - np.deg2rad(degrees)))
    index, preferred = units.orientation(np.stack([tuned, np.ones(24), tuned - 1.5, np.zeros(24)]), angles)
    assert index[0] == pytest.approx(0.5)
    assert np.cos(2 * (preferred[0] - np.deg2rad(degrees))) == pytest.approx(1)
    assert index[1] == pytest.approx(0, abs=1e-12)
    assert np.isnan(index[2:]).all()
