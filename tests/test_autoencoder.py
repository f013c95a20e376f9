"""Autoencoders and the three tasks that they do."""

import json

import keras
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dlcli import fit, likelihood, scoring
from dlcli.architectures.autoencoder import conv_autoencoder, conv_vae, dense_autoencoder, dncnn, lstm_autoencoder, vae
from dlcli.architectures.autoencoder._latent import Latent, divergences
from dlcli.batches import Batches
from dlcli.cli import app
from dlcli.config import FitConfig
from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError, DlcliError
from dlcli.images import ArrayImages
from dlcli.outputs import outputs
from dlcli.tasks import anomaly_detection, denoising, reconstruction


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def pictures(rng, shape=(8, 8, 1), n=24, y=None):
    return Examples(x=ArrayImages(rng.integers(0, 256, (n, *shape)).astype("uint8")), y=y)


def learned(module, examples, kind="images", about=None, **options):
    data = Data(kind=kind, splits={"train": examples}, about=about or {})
    return module.Task.learn(examples, data, **options)


def trained(model, task, examples, *, steps, learning_rate, batch_size=64):
    settings = FitConfig(optimizer="adam", learning_rate=learning_rate, weight_decay=0.0, warmup=0.0, jit=False)
    fit.compiled(model, task, settings, steps=steps)
    batches = Batches(task.source(examples, training=True), batch_size=batch_size)
    for step in range(steps):
        model.train_on_batch(*batches[step % len(batches)])
    return model


def score(model, task, examples):
    return task.report(outputs(model, task, task.source(examples, training=False))).scores


# ---- codes ---------------------------------------------------------------------------------------


def test_divergence_is_that_of_two_normals(rng):
    """The closed form agrees with the integral of q ln(q / p)."""
    mean, log_variance = rng.normal(size=7), rng.normal(size=7)
    z = np.linspace(-30, 30, 200_001)[:, None]
    log_q = -0.5 * (np.log(2 * np.pi) + log_variance + (z - mean) ** 2 / np.exp(log_variance))
    log_p = -0.5 * (np.log(2 * np.pi) + z**2)
    integral = (np.exp(log_q) * (log_q - log_p)).sum(axis=0) * (z[1, 0] - z[0, 0])
    np.testing.assert_allclose(array(divergences(mean, log_variance)), integral, rtol=1e-5, atol=1e-7)


def test_latent_draws_in_training_only(rng):
    """The mean at inference; in training a draw of that mean and variance, and the divergence as a loss."""
    layer = Latent(0.5)
    mean, log_variance = np.full((20_000, 2), [1.0, -2.0], "float32"), np.full((20_000, 2), [0.0, -3.0], "float32")
    np.testing.assert_array_equal(array(layer([mean, log_variance], training=False)), mean)
    drawn = array(layer([mean, log_variance], training=True))
    np.testing.assert_allclose(drawn.mean(axis=0), [1.0, -2.0], atol=0.05)
    np.testing.assert_allclose(drawn.std(axis=0), [1.0, np.exp(-1.5)], rtol=0.05)
    each = 0.5 * (np.square([1.0, -2.0]) + np.exp([0.0, -3.0]) - 1 - [0.0, -3.0])
    np.testing.assert_allclose(float(layer.losses[-1]), 0.5 * each.sum(), rtol=1e-5)
    np.testing.assert_allclose(array(layer.kl), 0.01 * each, rtol=1e-3)
    assert (array(layer([mean, log_variance], training=True)) != drawn).any()


@pytest.mark.parametrize("arch", [vae, conv_vae])
def test_a_vae_predicts_the_same_twice_and_after_loading_and_draws(rng, tmp_path, arch):
    """Nothing random in predict; `generate` decodes codes drawn by seed."""
    examples = pictures(rng)
    task = learned(reconstruction, examples, code=3)
    model = trained(arch.build(task, **arch.TINY), task, examples, steps=2, learning_rate=1e-3, batch_size=8)
    x = examples.x.prepare(8, 8, 1).read(np.arange(4))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict_on_batch(x))
    np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))
    drawn = task.generate(loaded, n=5, seed=1)
    assert drawn.shape == (5, 8, 8, 1)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, task.generate(model, n=5, seed=1))
    assert (drawn != task.generate(model, n=5, seed=2)).any()
    with pytest.raises(DlcliError, match="variational"):
        task.generate(dense_autoencoder.build(task, **dense_autoencoder.TINY))


def test_the_divergence_weighs_as_in_the_evidence_bound(rng):
    """Loss times values per example is cross-entropy plus divergence, in nats per example."""
    examples = pictures(rng)
    task = learned(reconstruction, examples, code=3)
    model = vae.build(task, width=16)
    model.get_layer("code").set_weights([rng.normal(size=(16, 3)), np.ones(3)])
    fit.compiled(model, task, FitConfig(jit=False), steps=1)
    x, y = task.source(examples, training=False).batch(np.arange(24), rng)
    inner = keras.Model(model.input, [model.get_layer(name).output for name in ("code", "code_log_variance")])
    mean, log_variance = inner.predict_on_batch(x)
    nats = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean()
    p = np.clip(model.predict_on_batch(x), 1e-7, 1 - 1e-7).astype(np.float64)
    nats += (-y * np.log(p) - (1 - y) * np.log(1 - p)).sum(axis=(1, 2, 3)).mean()
    np.testing.assert_allclose(model.test_on_batch(x, y, return_dict=True)["loss"] * 64, nats, rtol=1e-4)


def test_a_linear_autoencoder_comes_near_principal_components(rng):
    """Never better than PCA of the same size, and after training not much worse."""
    low = rng.normal(size=(256, 3)) @ rng.normal(size=(3, 12)) + 0.1 * rng.normal(size=(256, 12))
    frame = pl.DataFrame({f"c{i}": low[:, i] for i in range(12)})
    examples = Examples(x=frame)
    task = learned(reconstruction, examples, "table", {"columns": dict.fromkeys(frame.columns, "numeric")}, code=2)
    x = task.source(examples, training=False).x
    centred = x - x.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    best = (values[2:] ** 2).sum() / x.size
    model = dense_autoencoder.build(task, depth=0)
    trained(model, task, examples, steps=300, learning_rate=2e-2)
    found = score(model, task, examples)["mse"].value
    assert best <= found + 1e-6
    assert found < 1.05 * best


def test_sparsity_makes_codes_smaller(rng):
    """The penalty is on the mean absolute value of the code."""
    examples = pictures(rng)
    task = learned(reconstruction, examples, code=4)
    model = dense_autoencoder.build(task, width=8, depth=1, sparsity=0.5)
    x = examples.x.prepare(8, 8, 1).read(np.arange(24))
    codes = keras.Model(model.input, model.get_layer("code").output).predict_on_batch(x)
    model(x, training=True)
    np.testing.assert_allclose(float(sum(model.losses)), 0.5 * np.abs(codes).mean(), rtol=1e-4)


# ---- tasks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", [dense_autoencoder, conv_autoencoder])
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 13, 3)])
def test_pictures_come_back_in_range_and_shape(rng, arch, shape):
    """bce: between 0 and 1 by a sigmoid. mse: anything, cut where it is scored."""
    examples = pictures(rng, shape)
    x = examples.x.prepare(*shape).read(np.arange(4))
    for loss in ("bce", "mse"):
        task = learned(reconstruction, examples, code=3, loss=loss)
        y_pred = arch.build(task, **arch.TINY).predict_on_batch(x)
        assert y_pred.shape == (4, *shape)
        assert loss == "mse" or (y_pred.min() >= 0 and y_pred.max() <= 1)
        wild = task.measure(x, x / 255, 3 * y_pred - 1)
        assert (wild["mse"] <= 1).all()
        assert np.isfinite(wild["bce"]).all()


def test_scores_of_reconstruction_by_hand(rng):
    """Mean squared error and cross-entropy per value, against NumPy."""
    examples = pictures(rng)
    task = learned(reconstruction, examples)
    x, y = task.source(examples, training=False).batch(np.arange(24), rng)
    p = rng.uniform(0.1, 0.9, y.shape)
    scores = task.report(task.measure(x, y, p)).scores
    np.testing.assert_allclose(scores["mse"].value, ((y - p) ** 2).mean(), rtol=1e-5)
    np.testing.assert_allclose(scores["bce"].value, -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(), rtol=1e-5)
    assert "x8x1" in task.describe()


def test_noise_is_new_in_training_and_fixed_in_scores(rng):
    """A picture's noise in a score depends on the picture alone; its deviation is as asked for."""
    examples = pictures(rng, (16, 16, 1))
    task = learned(denoising, examples, noise=0.2)
    source = task.source(examples, training=False)
    x, y = source.batch(np.arange(24), np.random.default_rng(1))
    again, _ = source.batch(np.array([5, 2]), np.random.default_rng(2))
    np.testing.assert_array_equal(again, x[[5, 2]])
    np.testing.assert_allclose((x / 255 - y).std(), 0.2, rtol=0.05)
    training = task.source(examples, training=True)
    first, second = (training.batch(np.arange(4), np.random.default_rng(seed))[0] for seed in (1, 2))
    assert (first != second).all()
    scores = task.report(task.measure(x, y, x / 255)).scores
    assert scores["psnr_gain"].value >= 0  # what is cut to [0, 1] is nearer
    np.testing.assert_allclose(task.report(task.measure(x, y, y)).scores["mse"].value, 0, atol=1e-12)


def test_dncnn_takes_noise_away(rng):
    """After a few steps on smooth pictures it gains decibels."""
    keras.utils.set_random_seed(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(64, 16, 16, 1)), axis=1), axis=2)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    examples = Examples(x=ArrayImages(smooth.astype("uint8")))
    task = learned(denoising, examples, noise=0.2)
    model = trained(dncnn.build(task, width=8, depth=3), task, examples, steps=60, learning_rate=1e-2, batch_size=16)
    assert score(model, task, examples)["psnr_gain"].value > 3


def test_an_lstm_remembers_a_series(rng):
    """A few sine waves of different lengths; padded steps count nowhere."""
    keras.utils.set_random_seed(0)
    x = [np.sin(np.arange(8 + i % 3) / 3 + rng.uniform(0, 6))[:, None].astype("float32") for i in range(64)]
    examples = Examples(x=x)
    task = learned(reconstruction, examples, "sequences", code=4)
    model = trained(lstm_autoencoder.build(task, units=16), task, examples, steps=150, learning_rate=2e-2)
    assert score(model, task, examples)["mse"].value < 0.3
    x, y, weight = task.source(examples, training=False).batch(np.arange(64), rng)
    assert set((weight == 0).sum(axis=1).tolist()) == {0, 1, 2}
    np.testing.assert_allclose(weight.mean(axis=1), 1, rtol=1e-5)
    other = y.copy()
    other[weight == 0] = 9.0
    np.testing.assert_allclose(task.measure(x, y, other)["mse"], 0, atol=1e-12)


def test_the_normal_class_is_asked_for_as_a_shell_reads_it(rng):
    """Folders have names with spaces."""
    examples = Examples(x=ArrayImages(rng.integers(0, 255, (8, 8, 8)).astype("uint8")), y=["all good", "bad"] * 4)
    with pytest.raises(DataError) as error:
        learned(anomaly_detection, examples)
    assert "--set 'task.normal=all good'" in error.value.hint


def test_anomalies_are_what_training_has_not_seen(rng):
    """Only the normal class is trained on; the others get higher errors and no weight."""
    keras.utils.set_random_seed(0)
    steep = np.linspace(0, 255, 8)[None, :, None] * rng.uniform(0.5, 1, (64, 1, 1)) * np.ones((1, 1, 8))
    odd = rng.uniform(0, 255, (16, 8, 8))
    examples = Examples(x=ArrayImages(np.concatenate([steep, odd]).astype("uint8")), y=["ok"] * 64 + ["odd"] * 16)
    with pytest.raises(DataError, match="which of the 2 classes"):
        learned(anomaly_detection, examples)
    with pytest.raises(DataError, match="'fine'"):
        learned(anomaly_detection, examples, normal="fine")
    task = learned(anomaly_detection, examples, normal="ok", code=2)
    assert len(task.source(examples, training=True)) == 64
    x, _, weight = task.source(examples, training=False).batch(np.array([0, 70]), rng)
    assert x["anomaly"].tolist() == [False, True]
    assert weight.ravel().tolist() == [1, 0]
    model = dense_autoencoder.build(task, width=16, depth=1)
    trained(model, task, examples, steps=40, learning_rate=1e-2)
    measures = outputs(model, task, task.source(examples, training=False))
    report = task.report(measures)
    assert report.scores["roc_auc"].value > 0.95
    assert report.tables["highest errors"][0]["anomaly"] == "yes"
    rows = list(task.rows(examples, measures))
    assert sorted(row["rank"] for row in rows) == list(range(1, 81))


def test_without_classes_the_strangest_are_listed(rng):
    """No label, no score, but a table."""
    examples = pictures(rng)
    task = learned(anomaly_detection, examples)
    x, y = task.source(examples, training=False).batch(np.arange(24), rng)
    strange = y.copy()
    strange[7] += 1 - 2 * y[7].round()
    report = task.report(task.measure(x, y, strange))
    assert report.scores == {}
    assert report.tables["highest errors"][0]["example"] == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [({"loss": "mae"}, "mae"), ({"code": 0}, "code=0"), ({"size": 8, "kind": "table"}, "size=8")],
)
def test_mistakes_are_named(rng, options, message):
    """Values that make no sense are answered with what they were."""
    kind = options.pop("kind", "images")
    examples = pictures(rng) if kind == "images" else Examples(x=pl.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(DataError, match=message):
        learned(reconstruction, examples, kind, **options)


# ---- likelihoods ---------------------------------------------------------------------------------


def test_the_importance_weighted_likelihood_is_the_integral_over_the_code(rng):
    """A code of one number: p(x) can be summed up on a grid of codes."""
    given = pictures(rng, (2, 2, 1), n=6)
    task = learned(reconstruction, given, code=1, binary=True)
    model = vae.build(task, width=8, depth=1)
    for layer in model.layers:  # so that x, z and the drawing of z depend on one another, and codes lie near the prior
        spread = 0.2 if "code" in layer.name else 0.7
        layer.set_weights([rng.normal(0, spread, w.shape) for w in layer.get_weights()])
    source = task.source(given, training=False)
    _, decoder = likelihood.parts(model)
    z = np.linspace(-8, 8, 4_001)[:, None]
    p = array(decoder(z.astype("float32"))).astype("float64").reshape(len(z), 1, -1)
    _, y = source.batch(np.arange(6), np.random.default_rng(0))
    y = y.reshape(1, 6, -1)
    joint = np.where(y > 0.5, p, 1 - p).prod(axis=2) * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    expected = -np.log(joint.sum(axis=0) * (z[1, 0] - z[0, 0]))
    estimate = likelihood.negative_log_likelihood(model, source, samples=5_000)
    np.testing.assert_allclose(estimate, expected, atol=0.03)
    bound = likelihood.negative_log_likelihood(model, source, samples=1)
    assert bound.mean() > expected.mean()


def test_a_variational_autoencoder_reports_divergence_and_on_binary_pictures_its_likelihood(rng):
    given = pictures(rng, (4, 4, 1), n=8)
    for binary, names in ((False, {"kl"}), (True, {"kl", "nll"})):
        task = learned(reconstruction, given, code=2, binary=binary, importance=10)
        report = scoring.score(task, vae.build(task, width=8), given)
        assert names <= set(report.scores)
        assert ("nll" in report.scores) == binary
    plain = learned(reconstruction, given, code=2)
    assert "kl" not in scoring.score(plain, dense_autoencoder.build(plain, width=8), given).scores


def test_binary_pixels_are_drawn_with_their_grey_value_as_chance():
    grey = np.full((400, 3, 3, 1), 51, np.uint8)  # a fifth
    task = learned(reconstruction, Examples(x=ArrayImages(grey)), binary=True)
    training = task.source(Examples(x=ArrayImages(grey)), training=True)
    x, y = training.batch(np.arange(400), np.random.default_rng(0))
    assert set(np.unique(x)) == {0, 255}
    np.testing.assert_array_equal(x / 255, y)
    assert y.mean() == pytest.approx(0.2, abs=0.03)
    assert not np.array_equal(y, training.batch(np.arange(400), np.random.default_rng(1))[1])
    scored = task.source(Examples(x=ArrayImages(grey)), training=False)
    first = scored.batch(np.arange(400), np.random.default_rng(0))[1]
    np.testing.assert_array_equal(first[7:9], scored.batch(np.array([7, 8]), np.random.default_rng(5))[1])


def test_binary_is_refused_where_it_means_nothing(rng):
    with pytest.raises(DataError, match="binary"):
        learned(reconstruction, pictures(rng), binary=True, loss="mse")


# ---- one long series -----------------------------------------------------------------------------


def long_series(rows=600, wrong=range(480, 500)):
    """A sine whose column `wrong` marks rows at which it stands still."""
    values = np.sin(np.arange(rows) / 5)[:, None].repeat(2, axis=1).astype(np.float32)
    values[:, 1] = 0
    values[list(wrong)] = (0.0, 1.0)
    parts = {"train": (0, 400), "val": (400, 450), "test": (450, rows)}
    splits = {name: Examples(x=[Span(values, *borders, "s")]) for name, borders in parts.items()}
    return Data(kind="series", splits=splits, about={"columns": ["value", "wrong"]})


def test_every_row_of_a_series_is_scored_by_the_window_that_ends_with_it():
    data = long_series()
    task = anomaly_detection.Task.learn(data.splits["train"], data, window=16, label="wrong")
    assert task.shape == [16, 1]
    assert task.normal == "normal"
    assert len(task.source(data.splits["train"], training=True)) == 400 - 15
    source = task.source(data.splits["test"], training=False)
    assert len(source) == 150
    x, *_ = source.batch(np.array([0, 30]), np.random.default_rng(0))
    np.testing.assert_allclose(x["values"][0, :, 0], np.sin(np.arange(435, 451) / 5), atol=1e-6)
    assert x["anomaly"].tolist() == [False, True]  # rows 450 and 480
    named = list(task.rows(data.splits["test"], {"error": np.arange(150.0)}))
    assert named[0]["name"] == "s 450"
    assert named[-1]["rank"] == 1


def test_a_series_without_the_column_of_labels_is_scored_and_not_judged():
    data = long_series()
    task = anomaly_detection.Task.learn(data.splits["train"], data, window=16, label="wrong")
    bare = Examples(x=[Span(data.splits["test"].x[0].values[:, :1], 450, 600, "s")])
    (labelled, *_), (plain, *_) = (
        task.source(one, training=False).batch(np.arange(150), np.random.default_rng(0))
        for one in (data.splits["test"], bare)
    )
    np.testing.assert_array_equal(plain["values"], labelled["values"])
    assert "anomaly" not in plain


def test_an_autoencoder_finds_where_a_series_stands_still():
    data = long_series()
    task = anomaly_detection.Task.learn(data.splits["train"], data, window=16, label="wrong", code=2)
    keras.utils.set_random_seed(0)
    model = trained(
        dense_autoencoder.build(task, width=16, depth=1), task, data.splits["train"], steps=200, learning_rate=1e-2
    )
    assert score(model, task, data.splits["test"])["roc_auc"].value > 0.8


@pytest.mark.parametrize(("options", "said"), [({"label": "nothing"}, "value, wrong"), ({"window": 500}, "500 rows")])
def test_a_label_or_window_that_is_not_there_is_refused(options, said):
    data = long_series()
    with pytest.raises(DataError) as error:
        anomaly_detection.Task.learn(data.splits["train"], data, **options)
    assert said in f"{error.value} {error.value.hint}"


def test_without_labels_nothing_is_scored_and_the_last_line_says_why(tmp_path, rng):
    rows = "\n".join(f"2024-01-{1 + i // 24:02} {i % 24:02}:00,{rng.normal():.3f}" for i in range(300))
    (tmp_path / "waves.csv").write_text(f"time,value\n{rows}\n")
    small = "--epochs 1 --set fit.steps=1 --set task.window=16"
    said = f"train {tmp_path}/waves.csv --task anomaly-detection --arch dense-autoencoder {small} --out {tmp_path}/run"
    result = CliRunner().invoke(app, said.split())
    assert result.exit_code == 0, result.output
    assert "dense-autoencoder: nothing says which examples are anomalies, so nothing can be scored" in result.stdout
    assert "┃" not in result.stdout
    assert json.loads((tmp_path / "run" / "evaluate" / "test.json").read_text())["tables"]["highest errors"]
