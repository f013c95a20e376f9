"""Scores against scikit-learn, SciPy, formulas by hand, and the coverage that an interval promises."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as truth

from dlcli import directions, metrics
from dlcli.metrics import intervals


def _inside(report):
    for name, score in report.scores.items():
        assert score.low <= score.value <= score.high, name
        assert isinstance(score.low, float)
        assert name in report.formulas
        assert name in directions.SIGNS


# ---- directions ------------------------------------------------------------------------------


def _good_and_bad(rng):
    """Reports of the truth itself, or nearly, and of something far from it."""
    n = 400
    labels, noise = rng.integers(0, 8, n), rng.dirichlet(np.ones(8), n)
    for p in (np.eye(8)[labels] * 0.92 + 0.01, noise**4 / (noise**4).sum(axis=1, keepdims=True)):
        yield metrics.classification(labels, p, [str(i) for i in range(8)])
    y, steps = rng.normal(size=n), rng.normal(size=(n, 4, 1))
    scale = {"mean": np.full(1, 3.0), "std": np.ones(1), "mase_scale": np.ones(1)}
    tokens, right = np.full(n, 10), rng.binomial(10, [[0.9], [0.2]], (2, n))
    picture, anomaly = rng.uniform(0, 0.1, n), rng.integers(0, 2, n)
    for spread, nats, guessed in ((0.1, 5.0, right[0]), (2.0, 30.0, right[1])):
        yield metrics.regression(y, y + spread * rng.normal(size=n))
        yield metrics.forecast(steps, steps + spread * rng.normal(size=steps.shape), season=1, **scale)
        yield metrics.language(np.full(n, nats), tokens, 4 * tokens)
        yield metrics.cloze(np.full(n, nats), guessed, tokens)
        yield metrics.reconstruction(spread * picture, bce=spread * picture, ssim=1 - spread * picture)
        yield metrics.anomaly(anomaly + spread * rng.normal(size=n), anomaly)
        yield metrics.generation(rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + spread)


def test_what_is_nearer_to_the_truth_is_better_by_every_score(rng):
    reports = list(_good_and_bad(rng))
    pairs = [(reports[0], reports[1]), *zip(reports[2:9], reports[9:], strict=True)]
    for good, bad in pairs:
        for name in good.scores:
            assert directions.SIGNS[name] * (good.scores[name].value - bad.scores[name].value) > 0, name


def test_every_name_under_which_a_file_writes_a_score_has_a_direction():
    """Also of scores that only some runs have: of a judge, of learning by heart, of a likelihood."""
    package = Path(metrics.__file__).parents[1]
    files = [*package.glob("metrics/*.py"), *package.glob("tasks/*.py"), package / "judge.py"]
    written = {name for file in files for name in re.findall(r'scores\["(\w+)"\] = ', file.read_text())}
    assert {"near_copies", "missing_classes", "top5"} <= written
    assert written | {"kl", "nll"} <= set(directions.SIGNS)
    assert directions.sign("judged_coverage") == directions.sign("val_accuracy") == 1
    assert directions.sign("judged_kid") == directions.sign("val_loss") == -1


# ---- intervals -------------------------------------------------------------------------------


def test_interval_is_close_to_scipys_bootstrap(rng):
    values = rng.gamma(2.0, size=400)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=3000, rng=1)
    np.testing.assert_allclose(metrics.interval(values), theirs.confidence_interval, rtol=0.01)
    slow = metrics.bootstrap(np.mean, values)
    np.testing.assert_allclose(metrics.interval(values), slow, rtol=0.01)


def test_interval_of_very_many_values_is_the_normal_one(rng):
    values = rng.gamma(2.0, size=300_000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    expected = values.mean() - half, values.mean() + half
    np.testing.assert_allclose(metrics.interval(values), expected, atol=0.1 * half)


def test_share_is_wilsons_and_does_not_collapse():
    for right, n in ((20, 20), (0, 7), (83, 100)):
        theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
        values = np.r_[np.ones(right), np.zeros(n - right)]
        np.testing.assert_allclose(metrics.interval(values), (theirs.low, theirs.high), atol=1e-9)
    assert metrics.interval(np.zeros(300))[0] == 0
    assert metrics.interval(np.ones(300))[1] == 1


@pytest.mark.parametrize(("n", "least"), [(5, 0.88), (10, 0.92), (40, 0.92)])
def test_interval_covers_the_truth_as_often_as_it_says(rng, n, least):
    """Of 400 normal samples, 95 % within the noise of 400 (the plain percentile: 82 % at n = 5)."""
    inside = 0
    for _ in range(400):
        low, high = metrics.interval(rng.normal(size=n))
        inside += low <= 0 <= high
    assert least <= inside / 400 <= 0.98


def test_groups_widen_the_interval_as_much_as_their_examples_agree(rng):
    groups = np.repeat(np.arange(50), 20)
    values = rng.normal(size=50)[groups]
    low, high = metrics.interval(values, groups)
    alone = metrics.interval(values[::20])
    assert (low, high) == pytest.approx(alone, abs=0.05)
    naive = metrics.interval(values)
    assert high - low > 3 * (naive[1] - naive[0])


def test_blocks_cover_the_mean_of_a_series_that_examples_do_not(rng):
    n, inside, naive = 600, 0, 0
    for _ in range(60):
        noise = rng.normal(size=n + 30)
        values = np.convolve(noise, np.ones(31) / 31, "valid")  # overlapping windows
        low, high = metrics.ratio_interval(values, np.ones(n), block=31)
        inside += low <= 0 <= high
        low, high = metrics.interval(values)
        naive += low <= 0 <= high
    assert inside / 60 > 0.86 > 0.5 > naive / 60


def test_nothing_is_known_from_one_example():
    assert metrics.interval([3.5]) == (-np.inf, np.inf)
    assert metrics.interval([1.5, 2.5], groups=["a", "a"]) == (-np.inf, np.inf)


def test_same_data_same_interval(rng):
    values = rng.normal(size=100)
    assert metrics.interval(values) == metrics.interval(values)


# ---- classes ---------------------------------------------------------------------------------


def test_classification_equals_scikit_learn(rng):
    K, n = 8, 500
    classes = [f"c{i}" for i in range(K)]
    p = rng.dirichlet(np.ones(K), n).astype("float32")
    y = rng.integers(0, K - 1, n)  # the last class never occurs
    report = metrics.classification(y, p, classes)
    _inside(report)
    value = {name: score.value for name, score in report.scores.items()}
    guess = p.argmax(1)
    assert value["accuracy"] == pytest.approx(truth.accuracy_score(y, guess))
    assert value["macro_f1"] == pytest.approx(truth.f1_score(y, guess, average="macro"))
    assert value["top5"] == pytest.approx(truth.top_k_accuracy_score(y, p, k=5, labels=range(K)))
    assert value["log_loss"] == pytest.approx(truth.log_loss(y, p / p.sum(1, keepdims=True), labels=range(K)), rel=1e-4)
    precision, recall, f1, count = truth.precision_recall_fscore_support(y, guess, labels=range(K), zero_division=0)
    for i, row in enumerate(report.tables["classes"]):
        assert list(row.values()) == pytest.approx([classes[i], precision[i], recall[i], f1[i], count[i]])
    matrix = truth.confusion_matrix(y, guess, labels=range(K))
    cells = {(row["true"], row["predicted"]): row["n"] for row in report.tables["confusion"]}
    assert all(matrix[i, j] == cells.get((classes[i], classes[j]), 0) for i in range(K) for j in range(K))


def test_macro_f1_interval_is_that_of_drawing_examples(rng):
    y = rng.integers(0, 3, 200)
    guess = np.where(rng.random(200) < 0.7, y, rng.integers(0, 3, 200))
    report = metrics.classification(y, np.eye(3)[guess], ["a", "b", "c"])
    slow = metrics.bootstrap(lambda a, b: truth.f1_score(a, b, average="macro"), y, guess, resamples=300)
    score = report.scores["macro_f1"]
    assert (score.low, score.high) == pytest.approx(slow, abs=0.015)


def test_ece_by_hand():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.35, 0.65]])
    report = metrics.classification([0, 1, 0, 1], p, ["a", "b"])
    # bins of 1/15: two of 0.9 half right; 0.6 (8/15, 9/15] and 0.65 (9/15, 10/15] right
    assert report.scores["ece"].value == pytest.approx((2 * 0.4 + 0.4 + 0.35) / 4)
    assert "top5" not in report.scores


def test_equal_probabilities_are_among_the_five_first_by_chance():
    report = metrics.classification([0, 3, 9], np.full((3, 10), 0.1), list("abcdefghij"))
    assert report.scores["top5"].value == pytest.approx(0.5)


def test_all_right_still_has_an_interval():
    report = metrics.classification([0, 1] * 10, np.eye(2)[[0, 1] * 10], ["a", "b"])
    score = report.scores["accuracy"]
    assert (score.value, score.high) == (1.0, 1.0)
    assert 0.8 < score.low < 0.9


# ---- numbers ---------------------------------------------------------------------------------


def test_regression_equals_scikit_learn(rng):
    y = rng.normal(50, 10, 300)
    guess = y + rng.normal(0, 3, 300)
    report = metrics.regression(y, guess[:, None])
    _inside(report)
    assert report.scores["rmse"].value == pytest.approx(truth.root_mean_squared_error(y, guess))
    assert report.scores["mae"].value == pytest.approx(truth.mean_absolute_error(y, guess))
    assert report.scores["r2"].value == pytest.approx(truth.r2_score(y, guess))
    slow = metrics.bootstrap(truth.r2_score, y, guess, resamples=300)
    assert (report.scores["r2"].low, report.scores["r2"].high) == pytest.approx(slow, abs=0.015)


# ---- forecasts -------------------------------------------------------------------------------


def test_forecast_by_hand():
    """One column in units of mean 10, deviation 2: truth 12, 8 and forecast 10, 10."""
    y, p = np.array([[[1.0], [-1.0]]]), np.zeros((1, 2, 1))
    report = metrics.forecast(y, p, mean=[10], std=[2], mase_scale=[4], season=2)
    value = {name: score.value for name, score in report.scores.items()}
    assert value == pytest.approx({"mse": 1.0, "mae": 1.0, "mase": 2 / 4, "smape": (200 * 2 / 22 + 200 * 2 / 18) / 2})
    assert report.tables["horizon"][1] == pytest.approx(
        {"step": 2, "mse": 1.0, "mae": 1.0, "mase": 0.5, "smape": 200 * 2 / 18}
    )
    assert "|y[t] - y[t-2]|" in report.formulas["mase"]


def test_seasonal_scale_by_hand():
    train = np.array([[1.0, 5], [2, 5], [4, 5], [np.nan, 5], [3, 5]])
    # season 2: |4-1|, |nan-2|, |3-4|; the second column never changes
    np.testing.assert_allclose(metrics.seasonal_scale(train, 2), [2.0, np.nan])


def test_the_seasonal_naive_forecast_of_its_own_training_rows_has_mase_one(rng):
    values, m = rng.normal(size=(400, 2)).cumsum(0), 6
    y, p = values[m:, None], values[:-m, None]
    report = metrics.forecast(y, p, mean=[0, 0], std=[1, 1], mase_scale=metrics.seasonal_scale(values, m), season=m)
    assert report.scores["mase"].value == pytest.approx(1.0)


def test_forecast_leaves_gaps_and_flat_columns_out(rng):
    y, p = rng.normal(size=(60, 3, 2)), np.zeros((60, 3, 2))
    y[5:20, 1, 0] = np.nan
    report = metrics.forecast(y, p, mean=[0, 0], std=[1, 1], mase_scale=[2, np.nan], season=1, channels=["a", "b"])
    _inside(report)
    assert report.scores["mse"].value == pytest.approx(np.nanmean(y**2))
    assert report.scores["mase"].value == pytest.approx(np.nanmean(np.abs(y[..., 0])) / 2)
    assert report.tables["channels"][1]["mase"] is None
    assert report.tables["channels"][0]["mse"] == pytest.approx(np.nanmean(y[..., 0] ** 2))


def test_forecast_of_many_series_resamples_series_each_in_its_own_units(rng):
    series = np.repeat(np.arange(30), 4)
    y = rng.normal(size=(30,))[series][:, None, None] * np.ones((1, 5, 1))
    unit = np.where(series % 2, 1000.0, 1.0)[:, None]
    report = metrics.forecast(y, np.zeros_like(y), mean=0 * unit, std=unit, mase_scale=unit, season=1, series=series)
    assert report.scores["mase"].value == pytest.approx(report.scores["mae"].value)
    score = report.scores["mse"]
    assert (score.low, score.high) == pytest.approx(metrics.interval((y[::4, 0, 0]) ** 2), rel=0.1)


# ---- language --------------------------------------------------------------------------------


def test_language_by_hand():
    report = metrics.language([8 * np.log(2), 4 * np.log(2)] * 4, [8, 4] * 4, [16, 8] * 4)
    _inside(report)
    value = {name: score.value for name, score in report.scores.items()}
    assert value == pytest.approx(
        {
            "nats_per_token": np.log(2),
            "nats_per_character": np.log(2) / 2,
            "bits_per_character": 0.5,
            "perplexity": 2.0,
        }
    )


def test_language_resamples_documents(rng):
    documents = np.repeat(np.arange(40), 10)
    nll = 10 * (2 + 0.5 * rng.normal(size=40))[documents]
    count = np.full(400, 10.0)
    wide = metrics.language(nll, count, count, documents).scores["nats_per_token"]
    each = metrics.interval(nll[::10] / 10)
    assert (wide.low, wide.high) == pytest.approx(each, rel=0.03)


# ---- reconstruction --------------------------------------------------------------------------


def test_psnr_is_the_mean_of_pictures():
    report = metrics.reconstruction([0.01, 0.0001], bce=[0.2, 0.4], ssim=[0.5, 0.9])
    _inside(report)
    assert report.scores["psnr"].value == pytest.approx(30.0)
    assert report.scores["mse"].value == pytest.approx(0.00505)
    assert report.scores["bce"].value == pytest.approx(0.3)


def test_ssim_equals_its_definition_at_every_place(rng):
    a, b = rng.random((2, 14, 13, 2)), rng.random((2, 14, 13, 2))
    offset = np.arange(-5, 6)
    w = np.exp(-(offset[:, None] ** 2 + offset**2) / 4.5)
    w /= w.sum()
    for n in range(2):
        places = []
        for i in range(4):
            for j in range(3):
                for c in range(2):
                    u, v = a[n, i : i + 11, j : j + 11, c], b[n, i : i + 11, j : j + 11, c]
                    mu, mv = (w * u).sum(), (w * v).sum()
                    uu, vv = (w * (u - mu) ** 2).sum(), (w * (v - mv) ** 2).sum()
                    uv = (w * (u - mu) * (v - mv)).sum()
                    places.append((2 * mu * mv + 1e-4) * (2 * uv + 9e-4) / ((mu**2 + mv**2 + 1e-4) * (uu + vv + 9e-4)))
        assert metrics.ssim(a, b)[n] == pytest.approx(np.mean(places))


def test_ssim_of_flat_pictures_by_hand():
    a, b = np.full((1, 16, 16, 1), 0.4), np.full((1, 16, 16, 1), 0.6)
    assert metrics.ssim(a, b)[0] == pytest.approx((0.48 + 1e-4) / (0.52 + 1e-4))
    assert metrics.ssim(a, a)[0] == pytest.approx(1.0)
    assert metrics.ssim(a[:, :8, :5], a[:, :8, :5])[0] == pytest.approx(1.0)


# ---- anomalies -------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [1, 9])
def test_anomaly_equals_scikit_learn(rng, digits):
    label = rng.random(300) < 0.15
    score = np.round(rng.normal(size=300) + label, digits)  # with many ties, and with none
    report = metrics.anomaly(score, label)
    _inside(report)
    assert report.scores["roc_auc"].value == pytest.approx(truth.roc_auc_score(label, score))
    assert report.scores["average_precision"].value == pytest.approx(truth.average_precision_score(label, score))
    fpr, tpr, _ = truth.roc_curve(label, score, drop_intermediate=False)
    assert report.scores["fpr_at_95_tpr"].value == pytest.approx(fpr[(tpr >= 0.95).argmax()])
    slow = metrics.bootstrap(truth.roc_auc_score, label, score, resamples=300)
    quick = report.scores["roc_auc"]
    assert (quick.low, quick.high) == pytest.approx(slow, abs=0.03)


def test_anomaly_interval_of_many_scores_comes_from_quantiles(rng, monkeypatch):
    label = rng.random(3_000) < 0.1
    score = rng.normal(size=3_000) + label
    quantiles = metrics.anomaly(score, label).scores["roc_auc"]
    monkeypatch.setattr(sys.modules["dlcli.metrics.anomaly"], "LEVELS", 10_000)
    exact = metrics.anomaly(score, label).scores["roc_auc"]
    assert quantiles.value == exact.value
    assert (quantiles.low, quantiles.high) == pytest.approx((exact.low, exact.high), abs=0.003)


def test_anomaly_needs_both_kinds():
    with pytest.raises(ValueError, match="both kinds"):
        metrics.anomaly([0.1, 0.2], [0, 0])


# ---- generation ------------------------------------------------------------------------------


def test_frechet_of_gaussians_is_the_closed_form(rng):
    a = rng.normal(size=(40_000, 3)) * [1, 2, 3]
    b = rng.normal(size=(40_000, 3)) * [2, 2, 1] + [1, 0, 0]
    assert metrics.frechet(a, b) == pytest.approx(1 + (2 - 1) ** 2 + (3 - 1) ** 2, rel=0.03)
    assert metrics.frechet(a, a) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("n", [100, 3_000])
def test_the_interval_of_kid_holds_the_truth_of_few_examples_and_of_many(n):
    """Of 40 pairs of samples of one distribution, whose distance is 0, nearly all intervals hold it and are no wider
    than five times the deviation of the values."""
    scores = [
        metrics.generation(*np.random.default_rng(i).normal(size=(2, n, 4))).scores["kid"]
        for i in range(40 if n < 999 else 12)
    ]
    assert np.mean([score.low <= 0 <= score.high for score in scores]) >= 0.8
    widths = [score.high - score.low for score in scores]
    assert 1.5 * np.std([s.value for s in scores]) < np.mean(widths) < 8 * np.std([s.value for s in scores])


def test_kid_is_unbiased_and_grows(rng):
    a, b = rng.normal(size=(2, 500, 8))
    same, moved = metrics.kid(a, b, size=200), metrics.kid(a, b + 0.5, size=200)
    assert abs(same) < 0.02 < moved
    x, y = a[:3], b[:3]
    kernel = lambda u, v: (u @ v / 8 + 1) ** 3  # noqa: E731
    others = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    by_hand = np.mean([kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in others])
    by_hand -= 2 * np.mean([kernel(x[i], y[j]) for i in range(3) for j in range(3)])
    assert metrics.kid(x, y, subsets=1, size=3) == pytest.approx(by_hand)


def test_precision_and_recall_tell_quality_from_variety(rng):
    real = np.r_[rng.normal(-5, 1, (300, 2)), rng.normal(5, 1, (300, 2))]
    half = rng.normal(-5, 1, (600, 2))  # good pictures, one kind missing
    precision, recall = metrics.precision_recall(real, half)
    assert precision > 0.9
    assert 0.35 < recall < 0.6
    density, coverage = metrics.density_coverage(real, half)
    assert density > 0.8
    assert 0.4 < coverage < 0.6
    _inside(metrics.generation(real, half))


def test_sliced_wasserstein_of_a_shift(rng):
    a = rng.normal(size=(2_000, 2))
    shifted = metrics.sliced_wasserstein(a, a + np.array([3.0, 0.0]))
    assert shifted == pytest.approx(3 * 2 / np.pi, rel=0.1)  # mean |cos| over directions
    assert metrics.sliced_wasserstein(a, a) == 0.0


def test_resampled_sums_have_the_moments_that_theory_gives(rng):
    columns = rng.normal(size=(200, 2))
    for n, limit in ((200, 10_000), (200, 100)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(intervals, "NORMAL_LIMIT", limit)
            sums, units = intervals.resampled_sums(columns)
        assert units == n
        np.testing.assert_allclose(sums.mean(0), columns.sum(0), atol=1.5)
        np.testing.assert_allclose(np.cov(sums.T), np.cov(columns.T, bias=True) * n, atol=20)
