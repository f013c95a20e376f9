"""Probes, erasure and the hierarchy: against refits, closed forms, and data with nothing in it."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge

from dlcli.errors import DlcliError
from dlcli.inspection.erasure import erase, leace, random_erasure
from dlcli.inspection.hierarchy import LevelCounts, measure
from dlcli.inspection.kendall import kendall
from dlcli.inspection.probes import Ridge, control_labels, control_types, guessed

LAYERS, STIMULI, CLASSES = 8, 400, 5


def scored(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("d", [5, 60])
def test_held_out_predictions_are_those_of_a_refit_without_the_fold(d):
    """The closed form is scikit-learn's Ridge, fitted again for every fold, for d < n and d > n."""
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(40, d)) * 3 + 1, rng.normal(size=(40, 2))
    folds = np.arange(40) % 5
    predictions = Ridge(x).held_out(targets, folds, 7.0)
    for fold in range(5):
        refit = SklearnRidge(alpha=7.0).fit(scored(x)[folds != fold], targets[folds != fold])
        np.testing.assert_allclose(predictions[folds == fold], refit.predict(scored(x)[folds == fold]), atol=1e-9)


@pytest.mark.parametrize("d", [5, 60])
def test_other_rows_are_told_as_by_a_ridge_of_scikit_learn(d):
    """For d < n and d > n, a column that does not vary among them, and numbers of classes that are not 0, 1, 2."""
    rng = np.random.default_rng(4)
    x, asked = rng.normal(size=(40, d)) * 3 + 1, rng.normal(size=(200, d)) * 3 + 1
    x[:, 2] = 5.0
    labels = 7 * (x[:, 0] > 1) + 2 * (x[:, 1] > 1)
    ridge, live = Ridge(x), np.arange(d) != 2
    targets = np.eye(10)[labels][:, [0, 2, 7, 9]]
    strength = ridge.strengths[ridge._errors(targets).sum(axis=1).argmin()]
    refit = SklearnRidge(alpha=strength).fit(scored(x[:, live]), targets)
    expected = refit.predict(((asked - x.mean(axis=0)) / x.std(axis=0).clip(1e-9))[:, live])
    np.testing.assert_array_equal(ridge.predict(labels, asked), np.array([0, 2, 7, 9])[expected.argmax(axis=1)])


@pytest.mark.parametrize("d", [4, 50])
def test_the_strength_is_chosen_by_true_leave_one_out_error(d):
    """The leverage formula equals forty refits, each without one example."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, d))
    targets = x[:, :1] + rng.normal(size=(40, 1))
    ridge = Ridge(x)
    for i in (1, 4, 7):
        wrong = 0.0
        for row in range(40):
            rest = np.arange(40) != row
            refit = SklearnRidge(alpha=ridge.strengths[i]).fit(scored(x)[rest], targets[rest])
            wrong += ((refit.predict(scored(x)[[row]]) - targets[row]) ** 2).sum()
        assert ridge._errors(targets)[i, 0] == pytest.approx(wrong, rel=1e-8)


@pytest.mark.parametrize(("n", "d", "classes"), [(120, 200, 6), (120, 10, 2), (101, 30, 4)])
def test_noise_is_read_at_chance_and_not_below(n, d, classes):
    """Leave-one-out would score far below; the mean over 60 draws lies within 4 standard errors of chance."""
    rng = np.random.default_rng(2)
    shares = [Ridge(rng.normal(size=(n, d))).correct(rng.permutation(n) % classes).mean() for _ in range(60)]
    error = np.sqrt((1 / classes) * (1 - 1 / classes) / n / 60)
    assert abs(np.mean(shares) - 1 / classes) < 4 * error


def test_separable_classes_are_read_and_nothing_is_read_from_constants():
    """One-hot features score 1; columns without spread score the majority."""
    labels = np.repeat([3, 5, 9], [50, 30, 20])
    features = np.eye(10)[labels]
    assert Ridge(features).correct(labels).all()
    constant = Ridge(np.full((100, 4), 7.3))
    np.testing.assert_array_equal(constant.correct(labels), labels == 3)
    assert constant.r2(np.arange(100.0)[:, None])[0] <= 0


def test_order_and_scale_of_features_change_nothing():
    """Permuted columns and a rescaled layer give the same answers, dead columns included."""
    rng = np.random.default_rng(3)
    labels = np.arange(150) % 5
    x = np.hstack([rng.normal(size=(150, 20)) + np.eye(20)[labels], np.zeros((150, 3))])
    expected = Ridge(x).correct(labels)
    assert 0.25 < expected.mean() < 0.95
    np.testing.assert_array_equal(Ridge(x[:, rng.permutation(23)]).correct(labels), expected)
    np.testing.assert_array_equal(Ridge(x * 1e-4).correct(labels), expected)


def test_r2_is_one_for_a_linear_readout_zero_for_noise_and_undefined_for_constants():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 10))
    linear, noise, constant = Ridge(x).r2(np.stack([x @ np.arange(10.0) + 4, rng.normal(size=300), np.ones(300)], 1))
    assert linear == pytest.approx(1, abs=1e-6)
    assert abs(noise) < 0.05
    assert np.isnan(constant)


def test_values_that_are_not_finite_are_named():
    with pytest.raises(DlcliError, match="2 of 20 values"):
        Ridge(np.array([[np.nan, np.inf]] + [[0.0, 1.0]] * 9))


def test_control_labels_are_constant_within_a_type_and_have_the_class_shares():
    """Look-alike inputs share a type; the labels are not those of the task."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(4, 30)) * 10
    groups = np.arange(200) % 4
    types = control_types(centres[groups] + 0.01 * rng.normal(size=(200, 30)), bits=3)
    assert all(len(np.unique(groups[types == one])) == 1 for one in np.unique(types[groups == 0]))
    many = np.arange(6000) % 3000
    drawn = control_labels(many, np.repeat([0, 1], [1500, 4500]), seed=1)
    np.testing.assert_array_equal(drawn[:3000], drawn[3000:])
    assert drawn.mean() == pytest.approx(0.75, abs=0.03)
    assert not np.array_equal(drawn, control_labels(many, drawn, seed=2))


def test_after_erasure_no_linear_probe_knows_the_label():
    """Cross-covariance falls to 0 and a logistic probe to the majority; as many random directions take little."""
    rng = np.random.default_rng(6)
    labels = np.arange(301) % 3
    x = (rng.normal(size=(301, 12)) + 4 * np.eye(12)[labels]) @ rng.normal(size=(12, 12))
    mean, matrix = leace(x, labels)
    erased = erase(x, mean, matrix)
    members = np.eye(3)[labels]
    assert np.abs((erased - erased.mean(axis=0)).T @ (members - members.mean(axis=0)) / 301).max() < 1e-12
    probe = LogisticRegression(C=1e6, max_iter=2000)
    assert probe.fit(x, labels).score(x, labels) > 0.95
    assert probe.fit(erased, labels).score(erased, labels) == pytest.approx(101 / 301, abs=0.01)
    other = random_erasure(x, 2, seed=0)[1]
    assert np.linalg.matrix_rank(matrix) == np.linalg.matrix_rank(other) == 10
    at_random = erase(x, mean, other)
    assert probe.fit(at_random, labels).score(at_random, labels) > 0.8


def test_erasure_leaves_features_without_the_label_alone():
    """With one informative, uncorrelated direction only that direction changes, also when others are constant."""
    labels = np.array([0, 0, 1, 1])
    x = np.array([[0.0, 1, 5], [0, -1, 5], [2, 1, 5], [2, -1, 5]])
    np.testing.assert_allclose(erase(x, *leace(x, labels)), [[1, 1, 5], [1, -1, 5], [1, 1, 5], [1, -1, 5]], atol=1e-12)


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5], [2, 1, 3, 5, 4], [1, 1, 2, 3, 3, 2], [3, 2, 1, 0]])
def test_tau_is_scipys_and_p_is_the_share_of_all_orders(values):
    tau, p = kendall(np.array(values, float))
    others = [kendalltau(range(len(values)), order).statistic for order in permutations(values)]
    assert tau == pytest.approx(kendalltau(range(len(values)), values).statistic)
    assert p == pytest.approx(np.mean(np.array(others) >= tau - 1e-9))


def test_equal_values_have_no_order_and_many_values_are_sampled():
    assert kendall(np.ones(6)) == (0.0, 1.0)
    tau, p = kendall(np.arange(10.0))
    assert tau == pytest.approx(1)
    assert p == pytest.approx(1 / 20001)


def exact(accuracy, seed=0):
    """A row of correctness with exactly this share of ones."""
    row = np.arange(STIMULI) < round(accuracy * STIMULI)
    return np.random.default_rng(seed).permuted(row)


def level(name, trained, untrained, before=0.0, control=None):
    """A level from chance-normalised accuracies per layer."""
    rows = lambda values, seed: np.stack([exact(0.2 + 0.8 * v, seed + i) for i, v in enumerate(values)])  # noqa: E731
    labels = np.arange(STIMULI) % CLASSES
    return LevelCounts(
        name=name,
        trained=rows(trained, 0),
        untrained=rows(untrained, 100),
        input=rows([before], 200)[0],
        labels=labels,
        control=None if control is None else rows(control, 300),
        control_labels=None if control is None else labels,
    )


def steps(at, height=0.8):
    """Nothing before layer `at` (from 1), `height` from there on."""
    return [height if i + 1 >= at else 0.0 for i in range(LAYERS)]


def test_the_formulas_on_a_step():
    """b is the largest of input and the twin so far, control labels are only reported; D, G and E by hand."""
    nothing = [0.0] * LAYERS
    (found,) = measure(
        [level("edge", steps(4), [*nothing[:6], 0.5, 0.1], before=0.2, control=[0.4] * LAYERS)], np.arange(1, 9)
    ).levels
    np.testing.assert_allclose(found.control, 0.4, atol=1e-9)
    np.testing.assert_allclose(found.baseline, [0.2] * 6 + [0.5] * 2, atol=1e-9)
    np.testing.assert_allclose(found.learned, [0, 0, 0] + [0.75] * 3 + [0.6] * 2, atol=1e-9)
    np.testing.assert_allclose(found.gain, [0, 0, 0, 0.75, 0, 0, 0, 0], atol=1e-9)
    assert found.emergence.value == 4
    assert found.emergence.gain == pytest.approx(0.75)
    assert found.low[3] < 0.75 < found.high[3]
    assert 0.05 < found.high[3] - found.low[3] < 0.25


def test_stimuli_that_err_together_are_drawn_together():
    """Each stimulus twenty times is no more evidence than once: intervals as wide as those of a twentieth."""
    few = STIMULI // 20
    correct = np.arange(few) % 10 < 7
    rows = np.stack([correct] * LAYERS)
    one = LevelCounts(
        name="edge", trained=rows, untrained=rows * 0, input=correct * 0, labels=np.arange(few) % 5, control=None
    )
    copies = {name: np.repeat(getattr(one, name), 20, axis=-1) for name in ("trained", "untrained", "input", "labels")}
    together = replace(one, **copies, group=np.repeat(np.arange(few), 20))
    widths = [
        float((found.high - found.low)[-1])
        for counts in (one, together, replace(together, group=None))
        for found in measure([counts], np.arange(1, 9)).levels
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.35)
    assert widths[2] < 0.4 * widths[1]


def test_levels_in_order_are_a_hierarchy_and_reversed_they_are_not():
    """Five steps at layers 1, 2, 4, 6, 8: tau 1, p = 1/120; the reverse says no."""
    nothing = [0.0] * LAYERS
    names = ["colour", "edge", "shape", "relation", "object"]
    levels = [level(name, steps(at), nothing) for name, at in zip(names, [1, 2, 4, 6, 8], strict=True)]
    found = measure(levels, np.arange(1, 9))
    assert found.said == "tau = 1.00, p = 0.008"
    assert found.order == tuple(names)
    assert found.labels[3].startswith("shape .80±.")
    shape = found.levels[2]
    assert shape.gain_low[3] < 0.8 < shape.gain_high[3]
    assert found.labels[4].startswith("refines")
    assert measure(levels[::-1], np.arange(1, 9)).said == "no measurable hierarchy"
    assert measure(levels[:4], np.arange(1, 9)).said == "tau = 1.00, p = 0.042"
    assert measure(levels[:3], np.arange(1, 9)).said == "too few to test"


def test_what_the_nuisances_tell_is_not_learned():
    """Labels that follow their type in 9 of 10 cases: the baseline is what the types tell, far above chance."""
    rng = np.random.default_rng(0)
    types = rng.integers(0, 6, 300)
    labels = np.where(rng.random(300) < 0.9, types % 3, rng.integers(0, 3, 300))
    assert 0.85 < guessed(types, labels).mean() <= 1
    balanced = np.arange(300) % 3
    assert guessed(np.repeat(np.arange(10), 30), balanced).mean() < 0.4
    counts = level("edge", [0.8] * LAYERS, [0.0] * LAYERS)
    known = replace(counts, nuisance=exact(0.2 + 0.8 * 0.6, 7))
    assert measure([known], np.arange(1, 9)).levels[0].baseline[0] == pytest.approx(0.6)


def test_two_levels_gained_alike_are_both_named():
    nothing = [0.0] * LAYERS
    found = measure([level("shape", steps(3), nothing), level("relation", steps(3), nothing)], np.arange(1, 9))
    assert found.labels[2] == "shape/relation"
    assert found.labels[0] == "–"


def test_a_copy_of_the_input_gains_nothing():
    """Identity layers: what the input knows is not learned, and a lead of two errors over 0.99 is not a level."""
    known = [level(str(i), [1.0] * LAYERS, [0.99] * LAYERS, before=0.99) for i in range(6)]
    found = measure(known, np.arange(1, 9))
    assert not any(one.gain.any() for one in found.levels)
    assert found.said == "no measurable hierarchy"
    assert set(found.labels) == {"–"}


def test_training_that_loses_a_level_gives_zero_and_not_less():
    (lost,) = measure([level("colour", [0.3] * LAYERS, [0.9] * LAYERS)], np.arange(1, 9)).levels
    assert not lost.learned.any()
    assert lost.trained[0] == pytest.approx(0.3)
    assert lost.emergence is None


def test_two_random_networks_have_no_hierarchy():
    """20 layers, 400 stimuli, 7 levels of equal accuracy: no order in at least 19 of 20 seeds, and few levels at all."""
    significant, emerged = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        labels = np.arange(400) % 6
        levels = []
        for i in range(7):
            share = rng.uniform(0.2, 0.9)
            draw = lambda *shape, share=share: rng.random(shape) < share  # noqa: E731, B023
            levels.append(
                LevelCounts(name=str(i), trained=draw(20, 400), untrained=draw(20, 400), input=draw(400), labels=labels)
            )
        found = measure(levels, np.arange(1, 21))
        significant += found.said.startswith("tau")
        emerged += sum(one.emergence is not None for one in found.levels)
    assert significant <= 1
    assert emerged / (7 * 20) < 0.1


def test_the_same_seed_gives_the_same_intervals():
    levels = [level("edge", steps(3), [0.1] * LAYERS)]
    first, second, other = (measure(levels, np.arange(1, 9), seed=seed).levels[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.low, second.low)
    assert not np.array_equal(first.low, other.low)
