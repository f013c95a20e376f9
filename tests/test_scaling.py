"""Logarithmic scales of series: there and back, when they are chosen, and what is scored."""

import numpy as np
import pytest

from dlcli import windows
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError
from dlcli.scaling import Scale, least, multiplicative
from dlcli.tasks.forecasting import Task


def learned(many, **options):
    """The task of these training series (T,), the last 20 rows of each left for a test."""
    spans = [
        Span(name=f"s{i}", values=values[:, None], start=0, stop=len(values) - 20) for i, values in enumerate(many)
    ]
    examples = Examples(x=spans)
    return Task.learn(examples, Data(kind="series", splits={"train": examples}), horizon=8, **options), spans


def growing(rng, *, count=12, rows=200):
    """Series whose steps are a share of what they are, from near 1 to millions."""
    return [np.exp(rng.uniform(0, 12) + np.cumsum(rng.normal(0.01, 0.1, rows))) for _ in range(count)]


def walking(rng, *, count=12, rows=200):
    """Series whose steps do not depend on how large they are."""
    return [50 + np.abs(np.cumsum(rng.normal(0, 5, rows))) for _ in range(count)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_values_come_back_and_large_ones_are_seen_by_their_logarithm(rng):
    """Zeros and gaps too; a factor of ten is as far from 1 000 to 10 000 as from there to 100 000."""
    values = np.array([[0.0, 5], [1, 1e6], [10, np.nan], [1e3, 7], [1e4, 9], [1e5, 11]])
    scale = Scale.of(values, seasonal=np.ones(2), logarithmic=True)
    np.testing.assert_allclose(scale.outside(scale.inside(values)), values, rtol=1e-9, atol=1e-9)
    steps = np.diff(scale.inside(values)[3:, 0])
    assert steps[0] == pytest.approx(steps[1], rel=1e-4)
    np.testing.assert_array_equal(least(values), [1, 5])
    # nothing is infinite because one value is next to nothing
    np.testing.assert_allclose(least(np.array([[1e-300, 0, np.nan], [1e8, 0, -1]])), [0.1, 1, 1])
    np.testing.assert_allclose(
        scale.scored(scale.inside(values)), (values - np.nanmean(values, 0)) / np.nanstd(values, 0)
    )
    inside = scale.inside(values)[:, 0]
    assert (inside.mean(), inside.std()) == pytest.approx((0, 1), abs=1e-9)


def test_growth_in_proportion_is_told_from_growth_in_size(rng):
    """By changes from season to season, gaps or not; never where values are below 0, or nothing changes."""
    growth, walk = ([values[:, None] for values in many] for many in (growing(rng), walking(rng)))
    assert multiplicative(growth, 1)
    assert not multiplicative(walk, 1)
    growth[0][5:9] = np.nan
    assert multiplicative(growth, 7)
    growth[1][3] = -1
    assert not multiplicative(growth, 1)
    assert not multiplicative([np.full((50, 1), 3.0)], 1)


def test_a_task_of_many_series_chooses_and_says_so(rng):
    """Twelve series, by what they are; of few, or where the user says no, never."""
    assert learned(growing(rng))[0].logarithmic
    assert learned(growing(rng))[0].describe().endswith("logarithmic scale")
    assert not learned(walking(rng))[0].logarithmic
    assert not learned(growing(rng, count=5))[0].logarithmic
    assert learned(growing(rng, count=5), log=True)[0].logarithmic
    assert not learned(growing(rng), log=False)[0].logarithmic
    with pytest.raises(DataError, match="below 0"):
        learned([-values for values in growing(rng)], log=True)


def test_scores_are_of_the_values_whatever_the_scale(rng):
    """The same forecast scored by a task with and by one without the logarithm: sMAPE, MASE, MSE and MAE agree."""
    many, found = growing(rng), {}
    factor = rng.uniform(0.8, 1.2, 100_000)
    for log in (True, False):
        task, spans = learned(many, log=log, lookback=30)
        asked = [Span(name=s.name, values=s.values, start=180, stop=200) for s in spans]
        source = task.source(Examples(x=asked), training=False)
        _, y = source.batch(np.arange(len(source)), np.random.default_rng(0))
        scale = Scale.each(source.scales, source.span)
        truth = scale.outside(y)
        np.testing.assert_allclose(truth[0, :, 0], many[0][180:188], rtol=1e-5)
        p = scale.inside(truth * factor[: truth.size].reshape(truth.shape)).astype(np.float32)
        report = task.report({"y": y, "p": p})
        found[log] = {name: score.value for name, score in report.scores.items()}
        assert task.per_example({"y": y, "p": p})[1].mean() == pytest.approx(found[log]["smape"])
        # a spans' name that training did not have: by its own history
        stranger = Span(name="new", values=many[0][:, None], start=180, stop=200)
        np.testing.assert_allclose(
            task.scale(stranger).outside(task.scale(stranger).inside(many[0][:, None])), many[0][:, None]
        )
    assert found[True] == pytest.approx(found[False], rel=1e-3)
    assert {"smape", "mase", "mse", "mae"} <= found[True].keys()


def test_forecasts_are_in_the_units_of_the_file(rng):
    """What `predict` writes of a network that repeats the last value: that value, in every row."""
    task, spans = learned(growing(rng), lookback=30)
    source = task.asked(Examples(x=spans))
    x, _ = source.batch(np.arange(len(source)), np.random.default_rng(0))
    rows = list(task.rows(Examples(x=spans), {"p": np.repeat(x[:, -1:], 8, axis=1)}))
    assert rows[0]["column0"] == pytest.approx(spans[0].values[-1, 0], rel=1e-4)
    assert rows[0]["column0"] == rows[7]["column0"]
    assert isinstance(source, windows.Windows)
