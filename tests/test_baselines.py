"""Simple rules against scikit-learn, NumPy and formulas by hand, on tasks as small as can be."""

from types import SimpleNamespace

import numpy as np
import pytest

from dlcli import metrics, registry
from dlcli.baselines import (
    _kneser_ney,
    _measure,
    boosted_components,
    gradient_boosting,
    isolation_forest,
    last_value,
    linear_denoiser,
    linear_forecast,
    logistic_regression,
    majority,
    mean,
    nearest_example,
    nearest_neighbour,
    nearest_neighbours,
    ngram,
    pca,
    pca_sampler,
    ridge,
    seasonal_naive,
    tfidf,
    trigram,
    wiener,
)
from dlcli.data import Examples
from dlcli.task import Arrays
from tests.conftest import shared


class Classes:
    """Rows (n, d) or texts of named classes; y is one-hot, as the tasks give it."""

    classes = ("a", "b", "c")

    def flat(self, examples):
        return np.asarray(examples.x, np.float32)

    def targets(self, examples):
        return np.array([self.classes.index(name) for name in examples.y])

    def source(self, examples, training):
        return Arrays(np.zeros((len(examples), 1)), np.eye(3, dtype=np.float32)[self.targets(examples)])

    def measure(self, x, y, y_pred):
        assert np.shape(y_pred) == np.shape(y)
        return {"y": y.argmax(-1), "p": np.asarray(y_pred)}


class Numbers:
    """Rows (n, d) with a number each; y (n, 1)."""

    def flat(self, examples):
        return np.asarray(examples.x, np.float32)

    def source(self, examples, training):
        return Arrays(examples.x, np.asarray(examples.y, np.float32)[:, None])

    def measure(self, x, y, y_pred):
        assert np.shape(y_pred) == np.shape(y)
        return {"y": y[:, 0], "y_pred": np.asarray(y_pred)[:, 0]}


class Windows:
    """One series (T, C), standardised; examples.x holds (first, last) rows of targets."""

    def __init__(self, values, lookback, horizon, season=1):
        self.values, self.lookback, self.horizon, self.season = values, lookback, horizon, season

    def source(self, examples, training):
        begin = np.arange(examples.x[0], examples.x[1] - self.horizon + 1)
        x = self.values[begin[:, None] + np.arange(-self.lookback, 0)]
        return Arrays(x, self.values[begin[:, None] + np.arange(self.horizon)])

    def measure(self, x, y, y_pred):
        assert y_pred.shape == y.shape
        return {"y": y, "p": y_pred}


class Copies:
    """Reconstruct what comes in other units, or with noise: x and y."""

    code = 3

    def source(self, examples, training):
        return Arrays(examples.x, examples.y)

    def measure(self, x, y, y_pred):
        assert y_pred.shape == y.shape
        return {"mse": ((y - y_pred) ** 2).mean(axis=tuple(range(1, y.ndim))), "y_pred": y_pred}


def _classes(rng, n):
    """Three classes along the first of four columns."""
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 4)).astype("float32")
    x[:, 0] += 3 * y
    return Examples(x=x, y=[Classes.classes[i] for i in y])


def _accuracy(measures):
    np.testing.assert_allclose(measures["p"].sum(1), 1, rtol=1e-5)
    return (measures["y"] == measures["p"].argmax(1)).mean()


def test_every_baseline_names_tasks_that_exist():
    tasks = registry.entries("tasks")
    if len(tasks) < 10:
        pytest.skip("tasks are still being written")
    for entry in registry.entries("baselines").values():
        told = set(entry.literal("TASKS", ())) | set(entry.literal("COMPARED", ()))
        assert told, entry.name
        assert told <= set(tasks), entry.name


def test_features_of_a_part_at_a_time_give_what_all_at_once_give(rng):
    train, test = _classes(rng, 60), _classes(rng, 25)
    seen = []

    def predict(x):
        seen.append(x.shape)
        return np.eye(3, dtype=np.float32)[np.arange(len(x)) % 3]

    width = Classes().flat(train).shape[1]
    measures = _measure.measured_features(Classes(), test, predict, values=10 * width + 1)
    assert seen == [(10, width), (10, width), (5, width)]
    np.testing.assert_array_equal(
        measures["p"].argmax(1), np.r_[np.arange(10) % 3, np.arange(10) % 3, np.arange(5) % 3]
    )
    np.testing.assert_array_equal(measures["y"], Classes().targets(test))


# ---- classes ---------------------------------------------------------------------------------


def test_majority_gives_the_class_shares():
    train = Examples(x=np.zeros((4, 1)), y=["a", "a", "b", "a"])
    measures = majority.fit(Classes(), train)(Examples(x=np.zeros((2, 1)), y=["b", "c"]))
    np.testing.assert_allclose(measures["p"], [[0.75, 0.25, 0]] * 2)
    assert measures["y"].tolist() == [1, 2]


def test_logistic_regression_finds_separable_classes_and_is_deterministic(rng):
    train, test = _classes(rng, 300), _classes(rng, 200)
    first = logistic_regression.fit(Classes(), train)(test)
    assert _accuracy(first) > 0.85
    np.testing.assert_array_equal(first["p"], logistic_regression.fit(Classes(), train)(test)["p"])
    assert _accuracy(logistic_regression.fit(Classes(), train, rows=50)(test)) > 0.7


def test_a_class_that_the_sample_lacks_gets_no_probability(rng):
    train = _classes(rng, 200)
    two = train.take([i for i, name in enumerate(train.y) if name != "b"])
    measures = logistic_regression.fit(Classes(), two)(_classes(rng, 30))
    assert (measures["p"][:, 1] == 0).all()


def test_one_class_alone_is_left_out_with_a_reason():
    with pytest.raises(ValueError, match="two classes"):
        logistic_regression.fit(Classes(), Examples(x=np.zeros((3, 1)), y=["a", "a", "a"]))


def test_gradient_boosting_learns_what_lines_cannot(rng):
    x = rng.normal(size=(1_200, 2)).astype("float32")
    y = ["a" if u * v > 0 else "c" for u, v in x]
    train, test = Examples(x=x[:1000], y=y[:1000]), Examples(x=x[1000:], y=y[1000:])
    assert _accuracy(gradient_boosting.fit(Classes(), train, iterations=60)(test)) > 0.9
    assert _accuracy(logistic_regression.fit(Classes(), train)(test)) < 0.75


def test_tfidf_reads_word_pairs():
    train = Examples(x=["not good", "good", "not bad", "bad", "why?"] * 4, y=["a", "b", "b", "a", "c"] * 4)
    measures = tfidf.fit(Classes(), train)(Examples(x=["not good", "bad", "not bad", "?"], y=["a", "a", "b", "c"]))
    assert _accuracy(measures) == 1.0


def test_neighbours_and_boosted_components_learn_what_lines_cannot(rng):
    """A ring around a blob: what both tell, and a straight line cannot."""
    y = rng.integers(0, 2, 600)
    angle, radius = rng.uniform(0, 2 * np.pi, 600), 3 * y + rng.normal(0, 0.4, 600)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle), *rng.normal(0, 0.1, (2, 600))], axis=1)
    examples = Examples(x=x.astype("float32"), y=[Classes.classes[i] for i in y])
    train, test = examples.take(np.arange(400)), examples.take(np.arange(400, 600))
    for baseline in (nearest_neighbours, boosted_components):
        assert _accuracy(baseline.fit(Classes(), train)(test)) > 0.93, baseline.__name__


def test_nearest_neighbour_is_as_sure_as_it_is_right_in_training(rng):
    train, test = _classes(rng, 300), _classes(rng, 300)
    measures = nearest_neighbour.fit(Classes(), train)(test)
    sure = measures["p"].max(1)
    assert np.ptp(sure) < 1e-6
    assert sure[0] == pytest.approx(_accuracy(measures), abs=0.06)
    distances = ((test.x[:, None] - train.x[None]) ** 2).sum(-1)
    nearest = [Classes.classes.index(train.y[i]) for i in distances.argmin(1)]
    np.testing.assert_array_equal(measures["p"].argmax(1), nearest)


# ---- numbers ---------------------------------------------------------------------------------


def test_mean_ridge_and_boosting_of_a_line(rng):
    x = rng.normal(size=(400, 5)).astype("float32")
    y = 2 * x[:, 0] - x[:, 1] + 7 + 0.1 * rng.normal(size=400)
    train, test = Examples(x=x[:300], y=y[:300]), Examples(x=x[300:], y=y[300:])
    constant = mean.fit(Numbers(), train)(test)
    np.testing.assert_allclose(constant["y_pred"], y[:300].mean(), rtol=1e-5)
    line = metrics.regression(*ridge.fit(Numbers(), train)(test).values())
    assert line.scores["rmse"].value == pytest.approx(0.1, rel=0.25)
    trees = metrics.regression(*gradient_boosting.fit(Numbers(), train, iterations=50)(test).values())
    assert 0.7 < trees.scores["r2"].value < line.scores["r2"].value


# ---- forecasts -------------------------------------------------------------------------------


def test_naive_forecasts_by_hand():
    values = np.arange(40, dtype=np.float32)[:, None] % 5
    task = Windows(values, lookback=8, horizon=7, season=5)
    spans = Examples(x=[20, 27])
    last = last_value.fit(task, spans)(spans)
    assert last["p"][0, :, 0].tolist() == [4.0] * 7
    seasonal = seasonal_naive.fit(task, spans)(spans)
    np.testing.assert_array_equal(seasonal["p"], seasonal["y"])


def test_seasonal_naive_says_when_a_season_does_not_fit():
    with pytest.raises(ValueError, match="12 steps is longer than the history of 8"):
        seasonal_naive.fit(Windows(np.zeros((40, 1)), 8, 4, season=12), None)


def test_linear_forecast_continues_sines_of_any_level(rng):
    t = np.arange(600)
    values = np.stack([np.sin(t / 5) + 0.001 * t, np.cos(t / 9)], axis=1).astype("float32")
    task = Windows(values, lookback=60, horizon=12)
    measures = linear_forecast.fit(task, Examples(x=[60, 500]), penalty=1e-6)(Examples(x=[500, 600]))
    assert np.abs(measures["y"] - measures["p"]).max() < 0.05
    with_gaps = values.copy()
    with_gaps[100:110, 0] = np.nan
    source = Windows(with_gaps, 60, 12).source(Examples(x=[60, 500]), False)
    task.source = lambda examples, training: Arrays(np.nan_to_num(source.x), source.y)
    weights = linear_forecast.fit(task, None)
    task.source = Windows(values, 60, 12).source
    assert np.isfinite(weights(Examples(x=[500, 600]))["p"]).all()


def test_linear_forecast_learns_every_step_from_the_windows_that_know_it():
    """No target is whole; each step ahead is known in most windows, and the sine goes on as without gaps."""
    values = np.sin(np.arange(600) / 5)[:, None].astype("float32")
    task, gone = Windows(values, lookback=60, horizon=12), values.copy()
    gone[::10] = np.nan
    x, y = Windows(values, 60, 12).source(Examples(x=[60, 500]), False), Windows(gone, 60, 12)
    whole, task.source = task.source, lambda examples, training: Arrays(x.x, y.source(Examples(x=[60, 500]), False).y)
    assert not np.isfinite(task.source(None, False).y).all(axis=(1, 2)).any()
    forecast = linear_forecast.fit(task, None, penalty=1e-6)
    task.source = whole
    measures = forecast(Examples(x=[500, 600]))
    assert np.abs(measures["y"] - measures["p"]).max() < 0.05


def test_forecasts_of_ett_equal_the_published_numbers():
    """Repeat on ETTh1-96: MSE 1.295, MAE 0.713 (LTSF-Linear, table 2); least squares near NLinear's 0.374."""
    path = shared("ett/ETTh1.csv")
    values = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, 8))
    past = values[:8640]
    center, spread = past.mean(0), past.std(0)
    task = Windows(((values - center) / spread).astype("float32"), lookback=336, horizon=96, season=24)
    train, test = Examples(x=[336, 8640]), Examples(x=[11520, 14400])
    scale = metrics.seasonal_scale(past, 24)
    found = {}
    for name, fitted in (
        ("last", last_value.fit(task, train)),
        ("linear", linear_forecast.fit(task, train)),
    ):
        measures = fitted(test)
        found[name] = metrics.forecast(
            measures["y"], measures["p"], mean=center, std=spread, mase_scale=scale, season=24
        )
    assert found["last"].scores["mse"].n == 2785
    assert found["last"].scores["mse"].value == pytest.approx(1.295, abs=0.001)
    assert found["last"].scores["mae"].value == pytest.approx(0.713, abs=0.001)
    assert found["linear"].scores["mse"].value == pytest.approx(0.374, abs=0.005)


# ---- pictures --------------------------------------------------------------------------------


def test_pca_equals_scikit_learn(rng):
    from sklearn.decomposition import PCA

    y = (rng.normal(size=(80, 6)) @ rng.normal(size=(6, 12)) + 3).astype("float32").reshape(80, 3, 4)
    expected = PCA(3).fit(y[:60].reshape(60, -1))
    expected = expected.inverse_transform(expected.transform(y[60:].reshape(20, -1))).reshape(20, 3, 4)
    measures = pca.fit(Copies(), Examples(x=255 * y[:60], y=y[:60]))(Examples(x=255 * y[60:], y=y[60:]))
    np.testing.assert_allclose(measures["y_pred"], expected, atol=1e-4)


def test_pca_of_wide_rows_equals_that_of_narrow_ones(rng):
    rows = rng.normal(size=(20, 3_000)) * np.linspace(3, 1, 20)[:, None]
    rows -= rows.mean(0)
    right = np.linalg.svd(rows, full_matrices=False)[2]
    np.testing.assert_allclose(np.abs(pca.components(rows, 4).T @ right[:4].T), np.eye(4), atol=1e-6)


def test_nearest_example_is_far_from_what_is_strange(rng):
    normal, strange = rng.normal(size=(50, 4)), rng.normal(size=(5, 4)) + 9
    test = np.concatenate([normal[:5], strange]).astype("float32")
    measures = nearest_example.fit(Copies(), Examples(x=normal, y=normal))(Examples(x=test, y=test))
    np.testing.assert_allclose(measures["mse"][:5], 0, atol=1e-10)
    by_hand = ((strange[:, None] - normal) ** 2).mean(-1).min(1)
    np.testing.assert_allclose(measures["mse"][5:], by_hand, rtol=1e-4)


def test_isolation_forest_scores_what_is_strange_higher_and_equals_scikit_learn(rng):
    from sklearn.ensemble import IsolationForest

    normal, test = rng.normal(size=(300, 4)), np.concatenate([rng.normal(size=(20, 4)), rng.normal(6, 1, (20, 4))])
    found = isolation_forest.fit(Copies(), Examples(x=normal, y=normal))(Examples(x=test, y=test))["error"]
    assert found[20:].min() > found[:20].max()
    other = IsolationForest(n_estimators=200, random_state=0).fit(normal.astype("float32"))
    np.testing.assert_allclose(found, -other.score_samples(test.astype("float32")), rtol=1e-6)


def test_linear_denoisers_beat_the_noise(rng):
    """White noise of variance v on white pictures of variance s leaves v s / (v + s)."""
    s, v = 0.04, 0.09
    y = (0.5 + s**0.5 * rng.normal(size=(3_000, 4, 4, 1))).astype("float32")
    x = 255 * (y + v**0.5 * rng.normal(size=y.shape)).astype("float32")
    train, test = Examples(x=x[:2000], y=y[:2000]), Examples(x=x[2000:], y=y[2000:])
    for baseline in (wiener, linear_denoiser):
        assert baseline.fit(Copies(), train)(test)["mse"].mean() == pytest.approx(s * v / (s + v), rel=0.06)
    with pytest.raises(ValueError, match="16 numbers, more than 10"):
        linear_denoiser.fit(Copies(), train, widest=10)


def test_sampled_pictures_have_the_moments_of_real_ones(rng):
    y = (rng.normal(size=(800, 4)) @ rng.normal(size=(4, 12)) + 1).astype("float32").reshape(800, 2, 2, 3)
    real = Examples(x=np.zeros((800, 1)), y=y)
    measures = pca_sampler.fit(Copies(), real)(real)
    fake = measures["y_pred"].reshape(800, -1)
    np.testing.assert_allclose(fake.mean(0), y.reshape(800, -1).mean(0), atol=0.4)
    np.testing.assert_allclose(np.cov(fake.T), np.cov(y.reshape(800, -1).T), atol=1.5)


# ---- language --------------------------------------------------------------------------------


def test_kneser_ney_sums_to_one_in_every_context(rng):
    V = 9
    ids = rng.choice(V - 1, size=500, p=np.r_[0.5, np.full(7, 0.5 / 7)])  # the last never occurs
    levels = _kneser_ney.levels(ids, V, 4)
    seen = np.lib.stride_tricks.sliding_window_view(ids, 3)
    strange = rng.integers(-1, V, size=(300, 3))
    p = _kneser_ney.probabilities(levels, np.concatenate([seen, strange]), V)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-9)
    assert (p > 0).all()


def test_kneser_ney_bigram_by_hand():
    """a b a b a c: few counts, so every discount is 1/2; lower counts are of different predecessors."""
    ids = np.array([0, 1, 0, 1, 0, 2])
    levels = _kneser_ney.levels(ids, 3, 2)
    # before a: {b}, before b: {a}, before c: {a}: 1/3 each; after discounts (1/2) / 3 + (1/2) / 3
    unigram = np.full(3, 0.5 / 3 + 0.5 / 3)
    after_a = np.array([0, 1.5, 0.5]) / 3 + 2 * 0.5 / 3 * unigram
    after_b = np.array([1.5, 0, 0]) / 2 + 0.5 / 2 * unigram
    found = _kneser_ney.probabilities(levels, np.array([[0], [1], [2], [-1]]), 3)
    np.testing.assert_allclose(found, [after_a, after_b, unigram, unigram])


class _Text:
    """Windows of ids; y 0 is padding."""

    context = 8

    def __init__(self, V):
        self.tokens = SimpleNamespace(size=V)

    def source(self, examples, training):
        ids = np.asarray(examples.x)
        return Arrays(ids[:-1].reshape(-1, self.context), ids[1:].reshape(-1, self.context))

    def measure(self, x, y, logits):
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        counted = y > 0
        nll = -np.log(np.take_along_axis(p, y[..., None], -1)[..., 0])
        return {"nll": np.where(counted, nll, 0).sum(1), "tokens": counted.sum(1)}


def test_ngram_learns_a_chain_down_to_its_entropy(rng):
    """Each token is followed by one of two with 0.9 and 0.1: 0.325 nats."""
    ids = [1]
    for jump in rng.random(4_800):
        ids.append(1 + (ids[-1] + (1 if jump < 0.9 else 2)) % 5)
    ids, task = np.array(ids), _Text(6)
    task.context = 40  # its first token is foreseen from one token only
    measures = ngram.fit(task, Examples(x=ids[:4_001]), order=3)(Examples(x=ids[4_000:]))
    assert measures["nll"].sum() / measures["tokens"].sum() == pytest.approx(0.325, abs=0.05)


def test_trigram_looks_back_two_tokens_and_no_further(rng):
    """A token that repeats the third before it: three tokens in a row tell nothing of it, four all."""
    ids = list(rng.integers(1, 5, 3))
    while len(ids) < 4_801:
        ids.append(ids[-3] if rng.random() < 0.95 else rng.integers(1, 5))
    ids, task = np.array(ids), _Text(5)
    task.context = 40
    train, test = Examples(x=ids[:4_001]), Examples(x=ids[4_000:])
    short, long = (one.fit(task, train)(test) for one in (trigram, ngram))
    assert short["nll"].sum() / short["tokens"].sum() > 1.0
    assert long["nll"].sum() / long["tokens"].sum() < 0.7


def test_ngram_gives_each_position_only_what_stands_before_it(rng):
    task = _Text(7)
    fitted = ngram.fit(task, Examples(x=rng.integers(1, 7, 401)))
    seen = {}

    def measure(x, y, logits):
        seen[len(seen)] = logits
        return {"nll": np.zeros(len(x))}

    task.measure = measure
    one = rng.integers(1, 7, 9)
    other = one.copy()
    other[4:] = rng.integers(1, 7, 5)
    fitted(Examples(x=one))
    fitted(Examples(x=other))
    np.testing.assert_array_equal(seen[0][:, :4], seen[1][:, :4])
    np.testing.assert_allclose(np.exp(seen[0]).sum(-1), 1, rtol=1e-4)


def test_no_baseline_imports_scikit_learn_before_it_is_fitted():
    """`dlcli list baselines` and the verdict need the modules' words only."""
    for entry in registry.entries("baselines").values():
        text = entry.path.read_text(encoding="utf-8")
        assert "\nfrom sklearn" not in text
        assert "\nimport sklearn" not in text
