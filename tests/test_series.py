"""Sequence classification and forecasting: windows, gaps, padding, and what is undone must be undone."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from dlcli import plan, registry, sequences, splits
from dlcli.architectures.cnn import inception_time, resnet_1d
from dlcli.architectures.rnn import lstm
from dlcli.architectures.transformer import itransformer, patchtst
from dlcli.baselines import last_value, seasonal_naive
from dlcli.config import RunConfig
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError, DlcliError
from dlcli.formats import m4
from dlcli.inspection.flops import flops
from dlcli.layers import (
    ChannelsApart,
    ChannelsTogether,
    CombinedForecast,
    InstanceRestore,
    InstanceStandardize,
    MaskedConv1D,
    MaskedMaxPooling1D,
    PatchEmbedding,
    SeasonalRepeat,
)
from dlcli.observed import observed_mae
from dlcli.tasks import forecasting, sequence_classification
from dlcli.windows import season_of
from tests.conftest import shared
from tests.training import trained

# XLA compiles these longer than it runs them; but JAX without it runs operation by operation.
JIT = keras.backend.backend() == "jax"


def labelled(rng, lengths, channels=2):
    """Class "up" rises, class "down" falls."""
    y = ["up" if i % 2 else "down" for i in range(len(lengths))]
    x = []
    for label, length in zip(y, lengths, strict=True):
        slope = 0.2 if label == "up" else -0.2
        line = slope * np.arange(length)[:, None] + rng.normal(size=(length, channels))
        x.append((5 + line).astype(np.float32))
    return Examples(x=x, y=y)


def classify(examples, **options):
    data = Data(kind="sequences", splits={"train": examples})
    return sequence_classification.Task.learn(examples, data, **options)


def spans(values, borders, name=""):
    return Data(
        kind="series",
        splits={s: Examples(x=[Span(values, a, b, name)]) for s, (a, b) in borders.items()},
    )


def forecast(data, **options):
    return forecasting.Task.learn(data.splits["train"], data, **options)


# ---- sequences -----------------------------------------------------------------------------------


def test_gaps_are_interpolated_and_extended():
    series = np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan], [4, 7], [np.nan, 9]], np.float32)
    assert np.allclose(sequences.interpolated(series), [[2, 1], [2, 3], [3, 5], [4, 7], [4, 9]])


def test_carrying_forward_never_looks_ahead(rng):
    series = rng.normal(size=(50, 3)).astype(np.float32)
    series[rng.random(series.shape) < 0.4] = np.nan
    series[0] = 0
    filled = sequences.carried_forward(series)
    for t in range(50):
        assert np.array_equal(sequences.carried_forward(series[: t + 1]), filled[: t + 1])
    assert np.array_equal(filled[np.isfinite(series)], series[np.isfinite(series)])


def test_statistics_are_those_of_numpy_without_the_gaps(rng):
    many = [rng.normal(3, 5, size=(n, 2)).astype(np.float32) for n in (4, 9)]
    many[0][1, 0] = np.nan
    many[1][:, 1] = many[0][:, 1] = 8
    rows = np.concatenate(many)
    mean, spread = sequences.statistics(many)
    assert np.allclose(mean, np.nanmean(rows, axis=0))
    assert np.allclose(spread, [np.nanstd(rows[:, 0]), 1])  # a constant is not divided by 0


def test_stacking_pads_squeezes_and_stretches():
    short, long = np.array([[0.0], [2]], np.float32), np.arange(5, dtype=np.float32)[:, None]
    ragged = sequences.stacked([short, long], 3, ragged=True)[..., 0]
    assert ragged.tolist() == [[0, 2, sequences.PADDING], [0, 2, 4]]
    assert sequences.stacked([short, long], 3, ragged=False)[..., 0].tolist() == [[0, 1, 2], [0, 2, 4]]


# ---- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["revin", "last", "none"])
def test_instance_normalisation_is_undone(rng, mode):
    x = rng.normal(100, 7, size=(4, 20, 3)).astype(np.float32)
    inside, level, spread = InstanceStandardize(mode)(x)
    if mode == "revin":
        assert np.allclose(inside, (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), atol=1e-3)
    if mode == "last":
        assert np.allclose(inside, x - x[:, -1:])
    assert np.allclose(InstanceRestore()([inside, level, spread]), x, atol=1e-3)


@pytest.mark.parametrize(("season", "horizon"), [(1, 5), (4, 3), (4, 11), (12, 12)])
def test_the_last_season_is_repeated(rng, season, horizon):
    """As NumPy repeats it, for every channel, horizons that hold no whole number of seasons too."""
    x = rng.normal(size=(3, 12, 2)).astype(np.float32)
    layer = SeasonalRepeat(season, horizon)
    expected = [[np.resize(row[-season:, channel], horizon) for channel in range(2)] for row in x]
    np.testing.assert_array_equal(np.array(layer(x)), np.swapaxes(expected, 1, 2))
    assert layer.compute_output_shape(x.shape) == (3, horizon, 2)
    assert SeasonalRepeat.from_config(layer.get_config()).season == season


def test_channels_apart_and_together(rng):
    x = rng.normal(size=(4, 5, 3)).astype(np.float32)
    apart = np.array(ChannelsApart()(x))
    assert np.array_equal(apart[1 * 3 + 2, :, 0], x[1, :, 2])
    assert np.array_equal(ChannelsTogether(3)(apart[..., 0]), x)


@pytest.mark.parametrize("fill", ["after", "before", "repeat"])
def test_patches_are_linear_maps_of_slices(rng, fill):
    x = rng.normal(size=(2, 11, 3)).astype(np.float32)
    layer = PatchEmbedding(5, 4, strides=3, fill=fill)
    out = np.array(layer(x))
    added = {"after": 2, "before": 2, "repeat": 3}[fill]
    extra = np.repeat(x[:, -1:], added, axis=1) if fill == "repeat" else np.zeros((2, added, 3), np.float32)
    whole = np.concatenate([extra, x] if fill == "before" else [x, extra], axis=1)
    kernel, bias = (keras.ops.convert_to_numpy(w) for w in layer.weights)
    count = (whole.shape[1] - 4) // 3 + 1
    expected = [np.einsum("bkc,kcf->bf", whole[:, 3 * i : 3 * i + 4], kernel) + bias for i in range(count)]
    assert out.shape == layer.compute_output_shape(x.shape)
    assert np.allclose(out, np.stack(expected, axis=1), atol=1e-5)


def test_masked_convolution_and_pooling_equal_those_of_the_series_alone(rng):
    x = rng.normal(size=(1, 6, 2)).astype(np.float32) - 3
    longer = np.concatenate([x, rng.normal(size=(1, 4, 2))], axis=1).astype(np.float32)
    mask = np.arange(10)[None] < 6
    conv, pool = MaskedConv1D(3, 5), MaskedMaxPooling1D(3)
    assert np.allclose(conv(longer, mask=mask)[:, :6], conv(x), atol=1e-5)
    assert np.allclose(pool(longer, mask=mask)[:, :6], pool(x))


# ---- sequence classification ---------------------------------------------------------------------

BODIES = [
    (lstm, {"units": 8, "depth": 2}),
    (resnet_1d, {"width": 8, "depth": 1}),
    (inception_time, {"width": 4, "depth": 3, "longest": 8}),
]


@pytest.mark.parametrize(("arch", "options"), BODIES)
def test_padding_does_not_change_the_answer(rng, arch, options):
    """The same weights, with the series padded to 12 and to 17 steps."""
    train = labelled(rng, [12, 7, 9, 5])
    short = classify(train, patch=2, pool="mean-largest")
    assert short.ragged
    assert short.length == 12
    long = sequence_classification.Task(**{**dataclasses.asdict(short), "length": 17})
    a, b = arch.build(short, **options), arch.build(long, **options)
    b.set_weights(a.get_weights())
    x, z = short.source(train, training=False).x, long.source(train, training=False).x
    assert (z[:, 12:] == sequences.PADDING).all()
    assert np.allclose(a.predict(x, verbose=0), b.predict(z, verbose=0), atol=1e-5)


def test_a_recurrent_network_answers_from_the_mean_and_the_largest_of_its_steps(rng):
    train = labelled(rng, [12, 7])
    task = classify(train, patch=1, pool="mean-largest")
    model = lstm.build(task, units=3, depth=1)
    inner = keras.Model(model.input, [model.get_layer(name).output for name in ("features", "head_logits")])
    features, logits = (np.asarray(part) for part in inner.predict(task.source(train, training=False).x, verbose=0))
    kernel, bias = (keras.ops.convert_to_numpy(weight) for weight in model.get_layer("head_logits").weights)
    for row, length, answer in zip(features, [12, 7], logits, strict=True):
        known = row[:length]
        assert answer == pytest.approx(
            np.concatenate([known.mean(axis=0), known.max(axis=0)]) @ kernel + bias, abs=1e-5
        )


def test_a_cut_of_a_series_is_a_stretch_of_it_drawn_out_to_its_length(rng):
    """Of a straight line it is a straight line, within the first and at least so long as was asked for."""
    lengths = np.array([20, 20, 12, 1])
    x = sequences.stacked([np.arange(n, dtype=np.float32)[:, None] for n in lengths], 20, ragged=True)
    spans = []
    for _ in range(200):
        drawn = sequences.cut(x, 0.25, rng)
        assert (drawn.shape, drawn.dtype) == (x.shape, x.dtype)
        assert ((drawn == sequences.PADDING) == (x == sequences.PADDING)).all()
        for row, length in zip(drawn[:3, :, 0], lengths, strict=False):
            known = row[:length]
            assert np.diff(known, 2) == pytest.approx(0, abs=1e-4)
            assert known[0] >= 0
            assert known[-1] <= length - 1
            spans.append((known[-1] - known[0]) / (length - 1))
        assert drawn[3, 0, 0] == 0
    assert min(spans) == pytest.approx(0.75, abs=0.02)
    assert max(spans) == pytest.approx(1, abs=0.02)
    assert np.allclose(sequences.cut(x, 0, rng), x)


def test_training_series_alone_are_cut(rng):
    train = labelled(rng, [16] * 6)
    task = classify(train, cut=0.3)
    x, y = task.source(train, training=True).batch(np.arange(6), rng)
    still = task.source(train, training=False).batch(np.arange(6), rng)
    assert not np.allclose(x, still[0])
    assert np.array_equal(still[0], np.stack(train.x))
    assert np.array_equal(y, still[1])
    with pytest.raises(DlcliError, match=r"task\.cut = 1\.0 is not between 0 and 1"):
        classify(train, cut=1.0)


@pytest.mark.parametrize(("arch", "options"), BODIES)
def test_a_model_memorises_and_comes_back_from_disk(rng, arch, options, tmp_path):
    train = labelled(rng, [16] * 16)
    task = classify(train)
    keras.utils.set_random_seed(0)
    model = arch.build(task, **options)
    # What is not standardised would not train: values lie around 5.
    model.compile(keras.optimizers.Adam(0.01), loss=task.loss(), metrics=task.metrics(), jit_compile=JIT)
    source = task.source(train, training=True)
    x, y = source.batch(np.arange(16), rng)
    model.fit(x, y, batch_size=16, epochs=40, verbose=0)
    p = model.predict(x, verbose=0)
    assert (p.argmax(1) == task.targets(train)).all()
    assert np.allclose(p.sum(1), 1, atol=1e-5)
    measures = task.measure(x, y, p)
    assert measures["y"].tolist() == [0, 1] * 8
    row = next(iter(task.rows(train, measures)))
    assert row["name"] == "0"
    assert row["prediction"] == "down"
    assert row["probability"] > 0.5
    model.save(tmp_path / "m.keras")
    assert np.allclose(keras.models.load_model(tmp_path / "m.keras").predict(x, verbose=0), p, atol=1e-6)


def test_the_task_comes_back_from_json_and_takes_unlabelled_series(rng):
    train = labelled(rng, [6, 9])
    task = classify(train)
    again = sequence_classification.Task(**json.loads(json.dumps(dataclasses.asdict(task))))
    x, y = again.source(Examples(x=train.x), training=False).batch(np.array([1]), rng)
    assert y is None
    assert np.array_equal(x[0], train.x[1])
    assert "p" in again.measure(x, None, np.zeros((1, 2)))
    assert "y" not in again.measure(x, None, np.zeros((1, 2)))
    assert again.flat(train).shape == (2, 18)


def test_gaps_are_counted_and_the_padding_of_archives_is_cut(rng):
    train = labelled(rng, [10, 10, 10])
    train.x[0][7:] = np.nan  # padding, not a gap
    train.x[1][4, 0] = np.nan
    data = Data(kind="sequences", splits={"train": train})
    task = sequence_classification.Task.learn(train, data)
    assert task.ragged
    assert data.warnings == ["1 of 3 series have gaps; they were interpolated"]


def test_class_names_that_are_numbers_stand_in_their_order(rng):
    train = labelled(rng, [5, 5, 5])
    train = Examples(x=train.x, y=["10", "2", "-1"])
    assert classify(train).classes == ["-1", "2", "10"]


@pytest.mark.parametrize(
    ("brought", "said", "parts"),
    [
        ({"train": -1, "test": 4}, {}, "1,0,0"),
        ({"train": 0, "test": 4}, {}, None),
        ({"all": -1}, {}, None),
        ({"train": -1, "val": 4, "test": 4}, {}, None),
        ({"train": -1, "test": 4}, {"parts": "0.5,0.5,0"}, "0.5,0.5,0"),
    ],
)
def test_all_of_a_small_training_split_is_trained_on_where_a_test_split_is_brought(brought, said, parts):
    """Sizes below 1 are counted from FEW."""
    task = registry.find("tasks", "sequence_classification")
    sizes = {name: n if n > 0 else task.literal("FEW") + n for name, n in brought.items()}
    x = np.zeros((1, 1), np.float32)
    splits = {name: Examples(x=[x] * n, y=["up", "down"] * (n // 2) + ["up"] * (n % 2)) for name, n in sizes.items()}
    data = Data(kind="sequences", splits=splits, about={"target_kind": "classes"})
    config = RunConfig(data="x", set={"data": said})
    chosen = plan.choose(config, registry.find("formats", "ucr"), data)
    assert plan.spare_none(config, chosen, data).options("data").get("parts") == parts


def test_unknown_classes_and_channels_are_named(rng):
    task = classify(labelled(rng, [5, 5]))
    with pytest.raises(DataError, match="sideways"):
        task.targets(Examples(x=[], y=["up", "sideways"]))
    with pytest.raises(DataError, match="first has 3"):
        task.source(labelled(rng, [5], channels=3), training=False)


# ---- forecasting ---------------------------------------------------------------------------------


def test_windows_are_all_there_and_targets_are_disjoint(rng):
    """n - L - F + 1 in training; history of later splits reaches back, targets do not."""
    values = np.arange(200, dtype=np.float32)[:, None]
    data = spans(values, {"train": (0, 120), "val": (120, 160), "test": (160, 200)})
    task = forecast(data, horizon=5, lookback=20)
    mean, spread = task.mean[""][0], task.spread[""][0]
    assert np.isclose(mean, np.arange(120).mean())
    assert np.isclose(spread, np.arange(120).std())
    seen = {}
    for split, count in {"train": 120 - 20 - 5 + 1, "val": 36, "test": 36}.items():
        source = task.source(data.splits[split], training=False)
        assert len(source) == count
        x, y = source.batch(np.arange(count), rng)
        assert x.shape == (count, 20, 1)
        assert y.shape == (count, 5, 1)
        row = np.rint(np.concatenate([x, y], axis=1)[..., 0] * spread + mean).astype(int)
        assert (np.diff(row, axis=1) == 1).all()
        seen[split] = set(row[:, 20:].ravel())
    assert seen["val"] == set(range(120, 160))
    assert seen["test"] == set(range(160, 200))
    assert not seen["train"] & seen["val"]
    assert task.windows == 96


def test_a_pass_over_many_windows_takes_some_of_each_stretch_and_others_the_next_time():
    values = np.arange(1_020, dtype=np.float32)[:, None]
    data = spans(values, {"train": (0, 1_020)})
    task = forecast(data, horizon=5, lookback=16, per_pass=100, mirror=False)
    source = task.source(data.splits["train"], training=True)
    assert len(source) == 100
    passes = []
    for seed in range(2):
        x, _ = source.batch(np.arange(100), np.random.default_rng(seed))
        first = np.rint(x[:, 0, 0] * task.spread[""][0] + task.mean[""][0]).astype(int)
        assert (first // 10 == np.arange(100)).all()  # 1 000 windows, ten in each stretch
        passes.append(first)
    assert (passes[0] != passes[1]).mean() > 0.5
    assert len(task.source(data.splits["train"], training=False)) == 1_000


@pytest.mark.parametrize(("horizon", "taken"), [(95, 1), (191, 1), (192, 2), (336, 3)])
def test_long_targets_are_thinned(horizon, taken):
    data = spans(np.arange(1_500, dtype=np.float32)[:, None], {"train": (0, 1_500)})
    task = forecast(data, horizon=horizon, lookback=100)
    count = 1_500 - 100 - horizon + 1
    assert len(task.source(data.splits["train"], training=True)) == -(-count // taken)
    assert len(task.source(data.splits["train"], training=False)) == count


def test_long_targets_of_different_series_do_not_overlap():
    values = np.arange(300, dtype=np.float32)[:, None]
    data = Data(kind="series", splits={"train": Examples(x=[Span(values, 0, 300, name) for name in "abcd"])})
    task = forecast(data, horizon=200, lookback=100)
    assert len(task.source(data.splits["train"], training=True)) == 4  # one window each


def test_half_of_the_windows_that_are_trained_on_are_upside_down(rng):
    """History and target together; what is scored is as it was."""
    data = spans(rng.normal(size=(400, 2)).astype(np.float32), {"train": (0, 300), "val": (300, 400)})
    task = forecast(data, horizon=5, lookback=16)
    rows = np.arange(200)
    plain_x, plain_y = task.source(data.splits["train"], training=False).batch(rows, rng)
    x, y = task.source(data.splits["train"], training=True).batch(rows, np.random.default_rng(0))
    sign = np.sign(x[:, 0, 0] * plain_x[:, 0, 0])
    assert 0.4 < (sign < 0).mean() < 0.6
    np.testing.assert_array_equal(x, sign[:, None, None] * plain_x)
    np.testing.assert_array_equal(y, sign[:, None, None] * plain_y)
    again, _ = task.source(data.splits["train"], training=True).batch(rows, np.random.default_rng(1))
    assert (np.sign(again[:, 0, 0] * plain_x[:, 0, 0]) != sign).mean() > 0.3


def test_growth_on_a_logarithmic_scale_is_not_turned_upside_down(rng):
    data = spans(np.exp(rng.normal(size=(60, 1))).astype(np.float32), {"train": (0, 60)})
    assert forecast(data, horizon=4).mirror
    assert not forecast(data, horizon=4, log=True).mirror
    assert forecast(data, horizon=4, log=True, mirror=True).mirror


def test_mase_of_an_archive_is_scaled_by_all_that_it_gives_to_learn_from(tmp_path):
    """M4: the rows that validation takes are in-sample too."""
    rng = np.random.default_rng(0)
    past, future = rng.normal(size=(12, 60)).cumsum(axis=1), rng.normal(size=(12, 4))
    for name, rows in (("train", past), ("test", future)):
        lines = [
            ",".join(f"V{i}" for i in range(1, 62)),
            *(",".join(map(str, (f"Y{i}", *row))) for i, row in enumerate(rows)),
        ]
        (tmp_path / f"Yearly-{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    data, _ = splits.split(m4.open(tmp_path))
    assert data.splits["train"].x[0].stop == 56
    task = forecasting.Task.learn(data.splits["train"], data)
    given = np.abs(np.diff(past.astype(np.float32), axis=1)).mean(axis=1)
    np.testing.assert_allclose([task.seasonal[f"Y{i}"][0] for i in range(12)], given, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "rule", "smape", "mase"),
    [("Hourly", seasonal_naive, 13.912, 1.193), ("Weekly", last_value, 9.161, 2.777)],
)
def test_naive_forecasts_of_m4_are_the_published_ones(name, rule, smape, mase):
    """Official horizons and both scores as the competition defines them, from its own files."""
    data, _ = splits.split(m4.open(shared(f"m4/{name}-train.csv")))
    task = forecasting.Task.learn(data.splits["train"], data)
    assert task.horizon == {"Hourly": 48, "Weekly": 13}[name]
    report = task.report(rule.fit(task, data.splits["train"])(data.splits["test"]))
    assert report.scores["smape"].value == pytest.approx(smape, abs=6e-4)
    assert report.scores["mase"].value == pytest.approx(mase, abs=6e-4)


def test_the_published_number_of_ett_windows(rng):
    values = rng.normal(size=(14400, 7)).astype(np.float32)
    data = spans(values, {"train": (0, 8640), "val": (8640, 11520), "test": (11520, 14400)})
    task = forecast(data, horizon=96)
    assert task.lookback == 336
    counts = [len(task.source(data.splits[s], training=False)) for s in ("train", "val", "test")]
    assert counts == [8640 - 336 - 96 + 1, 2785, 2785]


def test_gaps_in_targets_count_nowhere(rng):
    values = rng.normal(size=(100, 2)).astype(np.float32)
    values[40:52] = np.nan
    values[70, 1] = np.nan
    data = spans(values, {"train": (0, 100)})
    task = forecast(data, horizon=6, lookback=10)
    assert data.warnings[0].startswith("25 of 200 values are gaps")
    source = task.source(data.splits["train"], training=True)
    # Targets that begin at 40..46 lie wholly in the gap.
    assert len(source) == 100 - 10 - 6 + 1 - 7
    x, y = source.batch(np.arange(len(source)), rng)
    assert np.isfinite(x).all()
    assert np.isnan(y).any()
    p = np.zeros_like(y)
    known = np.isfinite(y)
    squares = np.where(known, y, 0) ** 2
    expected = np.mean(squares.sum((1, 2)) / known.sum((1, 2)))
    assert np.isclose(float(task.loss()(y, p)), expected, rtol=1e-5)
    full = rng.normal(size=(3, 6, 2)).astype(np.float32)
    assert np.isclose(float(task.loss()(full, 0 * full)), np.mean(full**2), rtol=1e-5)
    assert np.allclose(observed_mae(full, 0 * full), np.abs(full).mean((1, 2)), rtol=1e-5)


def test_scores_are_in_each_series_own_units(rng):
    """A forecast that is off by 2 units in one series and by 10 in the other; both have spread."""
    a, b = rng.normal(1000, 50, (60, 1)), rng.normal(0, 5, (60, 1))
    many = Examples(x=[Span(v.astype(np.float32), 40, 60, n) for v, n in ((a, "a"), (b, "b"))])
    train = Examples(x=[Span(span.values, 0, 40, span.name) for span in many.x])
    task = forecasting.Task.learn(train, Data(kind="series", splits={"train": train}), horizon=4, lookback=8)
    source = task.source(many, training=False)
    _, y = source.batch(np.arange(len(source)), rng)
    off = np.where(source.span == 0, 2 / task.spread["a"][0], 10 / task.spread["b"][0])
    report = task.report({"y": y, "p": y + off[:, None, None].astype(np.float32)})
    expected = (2 / np.abs(np.diff(a[:40, 0])).mean() + 10 / np.abs(np.diff(b[:40, 0])).mean()) / 2
    assert task.season == 1
    assert np.isclose(report.scores["mase"].value, expected, rtol=1e-3)


@pytest.mark.parametrize("mode", ["revin", "last", "none"])
def test_training_starts_from_the_best_linear_map(rng, mode):
    """Of an autoregression NumPy's least squares find the same forecasts."""
    values = np.zeros(1_500)
    for t in range(2, len(values)):
        values[t] = 1.6 * values[t - 1] - 0.8 * values[t - 2] + rng.normal()
    data = spans(values.astype(np.float32)[:, None], {"train": (0, 1_000), "test": (1_000, 1_500)})
    task = forecast(data, horizon=3, lookback=12, instance_norm=mode)
    train, test = (task.source(data.splits[part], training=False) for part in ("train", "test"))
    model = lstm.build(task, units=4, depth=1)
    x, y = (part[..., 0] for part in train.batch(np.arange(len(train)), rng))
    new, truth = (part[..., 0] for part in test.batch(np.arange(len(test)), rng))

    def level(x):
        return {"revin": x.mean(axis=1, keepdims=True), "last": x[:, -1:], "none": 0}[mode]

    weights = np.linalg.lstsq(x - level(x), y - level(x), rcond=None)[0]
    expected = (new - level(new)) @ weights + level(new)
    found = keras.ops.convert_to_numpy(model(new[..., None]))[..., 0]
    assert np.abs(found - expected).mean() < 0.05 < 0.3 < np.abs(new.mean(axis=1, keepdims=True) - expected).mean()
    assert np.square(found - truth).mean() < 0.5 * np.square(new[:, -1:] - truth).mean()


@pytest.mark.parametrize("arch", [patchtst, lstm])
def test_the_best_linear_map_and_the_last_value_are_combined_with_what_is_trained(rng, arch):
    """With shares of a third what comes out is the mean of all with NumPy's least squares, but not while training."""
    data = spans(rng.normal(size=(600, 2)).cumsum(0).astype(np.float32), {"train": (0, 600)})
    task = forecast(data, horizon=3, lookback=8, instance_norm="last")
    source = task.source(data.splits["train"], training=False)
    x, y = source.batch(np.arange(len(source)), rng)
    rows, targets = (part.swapaxes(1, 2).reshape(-1, part.shape[1]) for part in (x, y))
    weights = np.linalg.lstsq(rows - rows[:, -1:], targets - rows[:, -1:], rcond=None)[0]
    best = ((rows - rows[:, -1:]) @ weights + rows[:, -1:]).reshape(len(x), 2, 3).swapaxes(1, 2)
    model = arch.build(task, **arch.TINY | {"dropout": 0.0})
    for variable in model.trainable_weights:
        variable.assign(0.3 * rng.normal(size=variable.shape))

    def forecasts(**how):
        return keras.ops.convert_to_numpy(model(x, **how))

    alone = forecasts(training=False)
    np.testing.assert_allclose(forecasts(training=True), alone, atol=1e-5)
    task.settle(model, None)  # nothing says that it is better
    np.testing.assert_array_equal(forecasts(training=False), alone)
    assert np.abs(alone - best).mean() > 0.1
    for shares, mean in {
        (1 / 2, 0): (alone + best) / 2,
        (0, 1 / 2): (alone + x[:, -1:]) / 2,
        (1 / 3, 1 / 3): (alone + best + x[:, -1:]) / 3,
    }.items():
        layer(model).shares.assign(shares)
        np.testing.assert_allclose(forecasts(training=False), mean, atol=0.02)
    np.testing.assert_allclose(forecasts(training=True), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("losses", "chosen"),  # of the network with both, with the map, alone
    [
        ((0.202, 0.3, 0.2), (1 / 3, 1 / 3)),  # as good, and more parts
        ((0.203, 0.202, 0.2), (1 / 2, 0)),
        ((0.203, 0.203, 0.2), (0, 0)),
        ((np.nan,) * 3, (0, 0)),
    ],
)
def test_fewer_parts_are_combined_only_where_they_are_clearly_better(rng, losses, chosen):
    data = spans(rng.normal(size=(100, 1)).cumsum(0).astype(np.float32), {"train": (0, 100)})
    task = forecast(data, horizon=3, lookback=8)
    model = patchtst.build(task, **patchtst.TINY)
    told = dict(zip([(1 / 3, 1 / 3), (1 / 2, 0), (0, 0)], losses, strict=True))

    def loss():
        return next(told[shares] for shares in told if np.allclose(shares, layer(model).shares))

    task.settle(model, loss)
    np.testing.assert_allclose(layer(model).shares, chosen, atol=1e-6)


def test_the_work_of_a_combination_is_counted():
    """A product of the window (96, 2) and the map (96, 4); then two differences, products and sums of (4, 2)."""
    inputs = keras.Input((4, 2)), keras.Input((96, 2))
    combined = CombinedForecast()
    assert flops(combined, inputs, combined(inputs)) == 2 * 96 * 4 * 2 + 2 * 3 * 4 * 2


def layer(model):
    return model.get_layer("head_combined")


def test_without_its_training_series_a_task_knows_no_linear_map(rng):
    data = spans(rng.normal(size=(100, 2)).cumsum(0).astype(np.float32), {"train": (0, 100)})
    from_disk = dataclasses.replace(forecast(data, horizon=3, lookback=8))
    model = patchtst.build(from_disk, **patchtst.TINY)
    from_disk.settle(model, lambda: 1.0)
    assert not np.any(layer(model).shares)
    assert {"head_combined/kernel", "head_combined/shares"} == {w.path for w in model.non_trainable_weights}


@pytest.mark.parametrize(("noise", "combined"), [(0.3, True), (0.0, False)])
def test_a_forecaster_is_combined_where_validation_says_so(tmp_path, rng, noise, combined):
    """Of an autoregression the map is the best there is; of the logistic map, whose next value is a parabola, it is none.
    The newest weights, from which training can go on, have no share of it, and a finished run keeps its own."""
    values = np.empty((900, 1), np.float32)
    values[0] = 0.3
    for t in range(1, len(values)):
        values[t] = 0.9 * values[t - 1] + noise * rng.normal() if noise else 3.9 * values[t - 1] * (1 - values[t - 1])
    data = spans(values, {"train": (0, 600), "val": (600, 900)})
    task = forecast(data, horizon=1, lookback=4, instance_norm="none", mirror=False)
    parts = {part: task.source(data.splits[part], training=part == "train") for part in ("train", "val")}
    for _ in range(2):  # the second finds it finished
        found = trained(
            tmp_path,
            make=lambda: lstm.build(task, units=16, depth=1),
            learn=task,
            **parts,
            epochs=20,
            learning_rate=0.01,
        )
        models = [
            found.model,
            *(keras.saving.load_model(tmp_path / f"{name}.keras", compile=False) for name in ("model", "last")),
        ]
        assert [bool(layer(model).shares[0] > 0) for model in models] == [combined, combined, False]


@pytest.mark.parametrize(
    ("columns", "arch", "asked", "batch_size", "per_pass"),
    [
        (7, "patchtst", {}, 32, 16_384),
        (64, "patchtst", {}, 4, 2_048),
        (400, "lstm", {}, 1, 327),
        (64, "itransformer", {}, 32, 16_384),  # its windows are examples
        (64, "lstm", {"task": {"independent": "false"}}, 32, 16_384),
        (64, "lstm", {"task": {"per_pass": 99}, "fit": {"batch_size": 7}}, 7, 99),
    ],
)
def test_of_wide_series_batches_and_passes_take_fewer_windows(rng, columns, arch, asked, batch_size, per_pass):
    """Where columns are forecast one by one, each is an example; what is asked for is done."""
    values = rng.normal(size=(60, columns)).astype(np.float32)
    data = spans(values, {"train": (0, 60)})
    config = RunConfig(data="a.csv", task="forecasting", arch=arch, set=asked)
    chosen = plan.choose(config, registry.find("formats", "table"), data)
    assert chosen.fit.batch_size == batch_size
    assert chosen.task_options.get("per_pass", 16_384) == per_pass


def test_validation_while_training_takes_no_more_windows_than_a_pass(rng):
    data = spans(rng.normal(size=(400, 1)).astype(np.float32), {"train": (0, 200), "val": (200, 400)})
    task = forecast(data, horizon=5, lookback=16, per_pass=50)
    whole, watched = task.source(data.splits["val"], training=False), task.watched(data.splits["val"])
    assert (len(whole), len(watched)) == (196, 50)
    at = np.linspace(0, 195, 50).astype(int)
    for expected, found in zip(whole.batch(at, rng), watched.batch(np.arange(50), rng), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_columns_that_are_no_target_are_history_only(rng):
    values = rng.normal(size=(60, 2)).astype(np.float32)
    train = Examples(x=[Span(values, 0, 60)])
    about = {"columns": ["load", "wind"], "target_columns": ["load"], "horizon": 5, "season": 12}
    task = forecasting.Task.learn(train, Data(kind="series", splits={"train": train}, about=about))
    assert (task.horizon, task.season) == (5, 12)
    x, y = task.source(train, training=True).batch(np.arange(3), rng)
    assert np.isfinite(x).all()
    assert np.isfinite(y[..., 0]).all()
    assert np.isnan(y[..., 1]).all()
    _, y = task.source(train, training=True).batch(np.arange(task.windows), rng)
    report = task.report({"y": y, "p": np.zeros_like(y)})
    assert np.isfinite(report.scores["mse"].value)


def test_short_series_repeat_their_first_row_in_front(rng):
    data = spans(np.arange(8, dtype=np.float32)[:, None], {"train": (0, 8)})
    task = forecast(data, horizon=3, lookback=6)
    x, _ = task.source(data.splits["train"], training=True).batch(np.array([0]), rng)
    rows = x[0, :, 0] * task.spread[""][0] + task.mean[""][0]
    assert np.allclose(rows, [0, 0, 1, 2, 3, 4], atol=1e-5)


def test_many_series_keep_their_own_scale_and_do_not_mix(rng):
    a, b = rng.normal(1000, 50, (60, 1)), rng.normal(0, 1, (50, 1))
    many = Examples(x=[Span(a.astype(np.float32), 0, 60, "a"), Span(b.astype(np.float32), 0, 50, "b")])
    task = forecasting.Task.learn(many, Data(kind="series", splits={"train": many}), horizon=4, lookback=8)
    source = task.source(many, training=True)
    assert len(source) == 49 + 39
    x, y = source.batch(np.array([49]), rng)  # the first window of b
    expected = (b[:12, 0] - b.mean()) / b.std()
    assert np.allclose(np.concatenate([x, y], axis=1)[0, :, 0], expected, atol=1e-4)


ARCHS = [
    (lstm, {"units": 8, "depth": 1}),
    (patchtst, {"width": 8, "depth": 1, "heads": 2}),
    (itransformer, {"width": 8, "depth": 1, "heads": 2}),
]


@pytest.mark.parametrize(("arch", "options", "independent"), [(*pair, True) for pair in ARCHS] + [(*ARCHS[0], False)])
def test_forecasts_learn_a_sine_and_come_back_from_disk(rng, arch, options, independent, tmp_path):
    """One step before: the last value as forecast errs by about 1."""
    t = np.arange(300)[:, None]
    values = np.concatenate([np.sin(t / 4), 50 + 9 * np.cos(t / 4)], axis=1).astype(np.float32)
    data = spans(values, {"train": (0, 240), "test": (240, 300)})
    task = forecast(data, horizon=8, lookback=32, independent=independent, patch=4)
    task = forecasting.Task(**json.loads(json.dumps(dataclasses.asdict(task))))
    keras.utils.set_random_seed(0)
    model = arch.build(task, **options)
    model.compile(keras.optimizers.Adam(0.01), loss=task.loss(), metrics=task.metrics(), jit_compile=JIT)
    x, y = task.source(data.splits["train"], training=True).batch(np.arange(201), rng)
    model.fit(x, y, batch_size=67, epochs=25, verbose=0)
    x, y = task.source(data.splits["test"], training=False).batch(np.arange(53), rng)
    p = model.predict(x, verbose=0)
    assert p.shape == y.shape == (53, 8, 2)
    assert np.mean((p - y) ** 2) < 0.15 < np.mean((x[:, -1:] - y) ** 2)
    model.save(tmp_path / "m.keras")
    assert np.allclose(keras.models.load_model(tmp_path / "m.keras").predict(x, verbose=0), p, atol=1e-5)


@pytest.mark.parametrize(("arch", "options"), ARCHS)
def test_a_forecast_moves_with_the_level_of_its_window(rng, arch, options):
    """Instance normalisation makes the model equivariant: f(a x + b) = a f(x) + b."""
    data = spans(rng.normal(size=(80, 2)).astype(np.float32), {"train": (0, 80)})
    task = forecast(data, horizon=6, lookback=24)
    model = arch.build(task, **options)
    x, _ = task.source(data.splits["train"], training=True).batch(np.arange(4), rng)
    moved = model.predict(3 * x + 5, verbose=0)
    assert np.allclose(moved, 3 * model.predict(x, verbose=0) + 5, atol=1e-3)


def test_the_future_is_forecast_in_original_units_with_dates(rng):
    times = [f"2024-{month:02d}-01" for month in range(1, 13)]
    values = np.stack([np.arange(12), 100 + np.zeros(12)], axis=1).astype(np.float32)
    examples = Examples(x=[Span(values, 0, 12, "shop", times)])
    data = Data(kind="series", splits={"train": examples}, about={"columns": ["sales", "rent"]})
    task = forecast(data, horizon=3, lookback=4)
    assert task.season == 12
    source = task.asked(examples)
    assert len(source) == 1
    x, y = source.batch(np.array([0]), rng)
    assert np.isnan(y).all()
    assert np.isfinite(x).all()
    mean, spread = np.array(task.mean["shop"]), np.array(task.spread["shop"])
    p = (np.array([[[12, 100], [13, 100], [14, 100]]]) - mean) / spread
    rows = list(task.rows(examples, task.measure(x, None, p)))
    assert [row["time"] for row in rows] == ["2025-01-01", "2025-02-01", "2025-03-01"]
    assert np.allclose([row["sales"] for row in rows], [12, 13, 14], atol=1e-4)
    assert np.allclose([row["rent"] for row in rows], 100)


@pytest.mark.parametrize(
    ("times", "season"),
    [
        (["2020-01-01 00:00:00", "2020-01-01 01:00:00", "2020-01-01 02:00:00"], 24),
        (["2020-01-01", "2020-01-02", "2020-01-03"], 7),
        (["2020-01-01", "2020-01-08", "2020-01-15"], 52),
        (["2020-01-01", "2020-04-01", "2020-07-01"], 4),
    ],
)
def test_the_season_follows_the_time_stamps(times, season):
    span = Span(np.zeros((3, 1), np.float32), 0, 3, "", times)
    assert season_of(span) == season


def test_the_season_without_time_stamps_is_found_by_autocorrelation(rng):
    t = np.arange(400)[:, None]
    wave = (np.sin(2 * np.pi * t / 24) + 0.1 * rng.normal(size=t.shape)).astype(np.float32)
    assert season_of(Span(wave, 0, 400)) == 24
    assert season_of(Span(rng.normal(size=(400, 1)).astype(np.float32), 0, 400)) == 1


def test_a_horizon_longer_than_the_series_is_refused(rng):
    data = spans(rng.normal(size=(20, 1)).astype(np.float32), {"train": (0, 20)})
    with pytest.raises(DataError, match="20 rows, and the horizon is 24"):
        forecast(data, horizon=24)


def test_many_series_are_judged_by_smape(tmp_path):
    """As M4 does; squares would be of the few series that change most."""
    rng = np.random.default_rng(0)
    values = [np.abs(rng.normal(50, 9, (60, 1))).astype(np.float32) for _ in range(12)]
    names = [f"Y{i}" for i in range(12)]
    train = Examples(x=[Span(v, 0, 50, n) for v, n in zip(values, names, strict=True)], names=names)
    test = Examples(x=[Span(v, 50, 60, n) for v, n in zip(values, names, strict=True)], names=names)
    data = Data(kind="series", splits={"train": train, "test": test})
    task = forecasting.Task.learn(train, data, horizon=10, season=1, lookback=8)
    measures = last_value.fit(task, train)(test)
    y = np.stack([v[50:, 0] for v in values])
    p = np.stack([np.full(10, v[49, 0]) for v in values])
    expected = (200 * np.abs(y - p) / (y + p)).mean(axis=1)
    report = task.report(measures)
    assert next(iter(report.scores)) == task.headline == "smape"
    assert report.scores["smape"].value == pytest.approx(expected.mean(), rel=1e-5)
    name, each = task.per_example(measures)
    assert name == "smape"
    np.testing.assert_allclose(each, expected, rtol=1e-4)
    assert dataclasses.replace(task, mean={"a": [0.0]}).headline == "mse"
