"""Adversarial networks: one loss that trains two networks, and the pictures that come of it."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from dlcli import console, copies, fit, rundir, scoring, splits
from dlcli.architectures.autoencoder import vae
from dlcli.architectures.gan import cgan, dcgan
from dlcli.architectures.gan._convolutional import sides
from dlcli.cli import app
from dlcli.config import FitConfig, RunConfig
from dlcli.data import Data, Examples
from dlcli.errors import DlcliError
from dlcli.features import SIZE, coarse, features
from dlcli.formats import builtin
from dlcli.grid import grid
from dlcli.images import ArrayImages
from dlcli.metrics import density_coverage
from dlcli.tasks import image_generation, reconstruction

SETTINGS = FitConfig(optimizer="adam", learning_rate=1e-3, beta_1=0.5, warmup=0.0, weight_decay=0.0, jit=False)


def pictures(rng, shape=(8, 8, 1), n=16, classes=True):
    x = ArrayImages(rng.integers(0, 256, (n, *shape)).astype("uint8"))
    y = ["round" if i % 2 else "square" for i in range(n)] if classes else None
    return Examples(x=x, y=y)


def learned(examples, **options):
    return image_generation.Task.learn(examples, Data(kind="images", splits={"train": examples}), **options)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def built(rng):
    """A small DCGAN with batch normalization, its task and one batch."""
    keras.utils.set_random_seed(0)
    examples = pictures(rng, (16, 16, 1))
    task = learned(examples, latent=4)
    model = dcgan.build(task, width=4)
    return model, task, task.source(examples, training=True).batch(np.arange(8), rng)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients with a tape")
@pytest.mark.parametrize("loss", ["non-saturating", "hinge"])
def test_each_network_is_trained_by_its_own_loss(rng, loss):
    """The gradient of the sum is the discriminator's loss for the one, the generator's for the other."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    examples = pictures(rng, (16, 16, 1))
    task = learned(examples, latent=4)
    model = dcgan.build(task, width=4, loss=loss)
    x, y = task.source(examples, training=True).batch(np.arange(8), rng)
    own = {id(v) for v in model.discriminator.trainable_variables}
    drawing = [v for v in model.trainable_variables if id(v) not in own]
    judging = list(model.discriminator.trainable_variables)
    assert len(drawing) + len(judging) == len(model.trainable_variables)

    with tf.GradientTape() as tape:
        fake = model(x, training=True)
        total = model.compute_loss(x, y, fake, training=True)
    together = tape.gradient(total, [v.value for v in judging + drawing])

    judge = model.discriminator
    with tf.GradientTape() as tape:
        fake = tf.stop_gradient(model(x, training=True))
        real, false = judge(y, training=True), judge(fake, training=True)
        if loss == "hinge":
            alone = tf.reduce_mean(tf.nn.relu(1 - real)) + tf.reduce_mean(tf.nn.relu(1 + false))
        else:
            ones = tf.ones_like(real)
            alone = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ones, real))
            alone += tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(0 * ones, false))
    expected = tape.gradient(alone, [v.value for v in judging])
    with tf.GradientTape() as tape:
        logits = judge(model(x, training=True), training=True)
        alone = -tf.reduce_mean(logits) if loss == "hinge" else tf.reduce_mean(tf.nn.softplus(-logits))
    expected += tape.gradient(alone, [v.value for v in drawing])
    assert any(np.abs(e).max() > 1e-4 for e in expected)
    for got, want in zip(together, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_statistics_see_each_picture_once(built):
    """The frozen pass leaves the discriminator's moving statistics as real and generated pictures made them."""
    model, _, (x, y) = built
    judge = model.discriminator
    fake = model(x, training=True)
    start = [array(v) for v in judge.non_trainable_variables]
    judge(y, training=True)
    judge(fake, training=True)
    expected = [array(v) for v in judge.non_trainable_variables]
    for v, value in zip(judge.non_trainable_variables, start, strict=True):
        v.assign(value)
    model.compute_loss(x, y, fake, training=True)
    assert start
    for v, want in zip(judge.non_trainable_variables, expected, strict=True):
        np.testing.assert_allclose(array(v), want, rtol=1e-5, atol=1e-7)
    model.compute_loss(x, y, fake, training=False)
    for v, want in zip(judge.non_trainable_variables, expected, strict=True):
        np.testing.assert_allclose(array(v), want, rtol=1e-5, atol=1e-7)


def test_r1_is_the_squared_slope(rng):
    """On a linear discriminator the finite difference gives r1 / 2 times the squared weights."""
    from dlcli.architectures.gan._adversarial import Adversarial

    noise = keras.Input((2,), name="noise")
    generator = keras.Model(noise, keras.layers.Dense(6, name="a")(noise))
    seen = keras.Input((6,))
    judge = keras.Model(seen, keras.layers.Dense(1, name="b")(seen))
    x, y = rng.normal(size=(20_000, 2)).astype("float32"), rng.normal(size=(20_000, 6)).astype("float32")
    losses = [
        float(model.compute_loss(x, y, np.zeros_like(y), training=True))
        for model in (Adversarial(generator, judge), Adversarial(generator, judge, r1=3.0))
    ]
    squared = float((array(judge.trainable_variables[0]) ** 2).sum())
    np.testing.assert_allclose(losses[1] - losses[0], 1.5 * squared, rtol=0.05)


@pytest.mark.parametrize("arch", [dcgan, cgan])
@pytest.mark.parametrize("options", [{}, {"loss": "hinge", "spectral": True, "r1": 1.0}])
def test_saved_and_loaded_it_draws_the_same_and_trains_on(rng, tmp_path, arch, options):
    """Both networks, and the optimizer's state, are in the file; options too."""
    examples = pictures(rng, (9, 7, 3))
    task = learned(examples, latent=4)
    model = arch.build(task, width=4, **options)
    fit.compiled(model, task, SETTINGS, steps=4)
    batch = task.source(examples, training=True).batch(np.arange(8), rng)
    for _ in range(2):
        model.train_on_batch(*batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(batch[0]), model.predict_on_batch(batch[0]))
    assert loaded.get_config()["loss"] == model.get_config()["loss"]
    assert loaded.get_config()["r1"] == model.get_config()["r1"]
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))
    again = loaded.train_on_batch(*batch, return_dict=True)
    if not options:  # R1 draws noise
        expected = model.train_on_batch(*batch, return_dict=True)
        np.testing.assert_allclose(again["loss"], expected["loss"], rtol=1e-5)
    assert set(again) == {"loss", "d_loss", "g_loss"}


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (20, 13, 3), (64, 64, 3), (5, 5, 1)])
def test_pictures_have_the_shape_and_range_of_the_data(rng, shape):
    """Any size, grey or colour, in [-1, 1]."""
    task = learned(pictures(rng, shape))
    model = dcgan.build(task, width=4)
    drawn = model.predict_on_batch(rng.normal(size=(3, 64)).astype("float32"))
    assert drawn.shape == (3, *shape)
    assert np.abs(drawn).max() <= 1
    assert max(sides(*shape[:2])[-1]) <= 7


def test_precision_of_the_discriminator():
    """In mixed precision, logits are float32; spectral normalization is float32 throughout."""
    rng = np.random.default_rng(0)
    task = learned(pictures(rng))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, exact = dcgan.build(task, width=4), dcgan.build(task, width=4, spectral=True)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == model.discriminator.output.dtype == "float32"
    assert model.discriminator.get_layer("discriminator_stage0_down").compute_dtype == "bfloat16"
    assert exact.discriminator.get_layer("discriminator_stage0_down").compute_dtype == "float32"
    fit.compiled(model, task, SETTINGS, steps=4)
    batch = task.source(pictures(rng), training=True).batch(np.arange(8), rng)
    assert np.isfinite(model.train_on_batch(*batch)).all()


def test_generate_repeats_by_seed_and_draws_the_class_asked_for(rng):
    """uint8 pictures; the same seed, the same pictures; a label changes what is drawn."""
    examples = pictures(rng)
    task = learned(examples, latent=4)
    model = cgan.build(task, width=4)
    drawn = task.generate(model, n=5, seed=3)
    assert drawn.shape == (5, 8, 8, 1)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, task.generate(model, n=5, seed=3))
    assert (drawn != task.generate(model, n=5, seed=4)).any()
    model.get_layer("stem_classes").set_weights([np.array([[-9.0] * 4, [9.0] * 4])])
    one, other = (task.generate(model, n=5, seed=3, label=label) for label in task.classes)
    assert (one != other).any()
    with pytest.raises(DlcliError, match="no class 'oval'"):
        task.generate(model, label="oval")
    with pytest.raises(DlcliError, match="no chosen class"):
        task.generate(dcgan.build(task, width=4), label="round")


def test_truncated_noise_stays_within():
    """Values beyond the limit are drawn anew."""
    noise = image_generation._noise(np.random.default_rng(0), 500, 8, 0.5)
    assert np.abs(noise).max() <= 0.5
    assert noise.std() > 0.25


def test_scores_tell_real_from_copies_from_noise(rng):
    """Coverage is high for other real pictures, low for few copies and for noise."""
    centre = rng.uniform(8, 20, (300, 2))
    grid_ = np.stack(np.meshgrid(np.arange(28), np.arange(28), indexing="ij"), axis=-1)
    spots = 255 * np.exp(-((grid_[None] - centre[:, None, None]) ** 2).sum(-1) / rng.uniform(4, 30, (300, 1, 1)))
    examples = Examples(x=ArrayImages(spots.astype("uint8")))
    task = learned(examples)
    real = spots[:150, ..., None] / 127.5 - 1
    other = spots[150:, ..., None] / 127.5 - 1
    copies = np.repeat(other[:5], 30, axis=0)
    noisy = np.clip(other + rng.normal(0, 0.5, other.shape), -1, 1)
    coverage = [density_coverage(task.compared(real), task.compared(fake))[1] for fake in (other, copies, noisy)]
    assert coverage[0] > 0.8
    assert max(coverage[1:]) < 0.4


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 48, 3), (3, 40, 1), (1, 1, 3)])
def test_features_take_pictures_of_any_size(rng, shape):
    """128 numbers, the same whatever batch a picture comes in."""
    x = rng.uniform(-1, 1, (4, *shape)).astype("float32")
    found = features(x)
    assert found.shape == (4, SIZE)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(features(x[2:3]), found[2:3], rtol=1e-4, atol=1e-5)
    assert max(coarse(x).shape[1:3]) <= 32


def test_a_grid_holds_every_picture_in_reading_order():
    """Rows from left to right, white between."""
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 5, 1), np.uint8)
    sheet = grid(images)
    assert sheet.shape == (2 * 6 + 2, 2 * 7 + 2)
    assert sheet[2, 2] == 0
    assert sheet[2, 9] == 1
    assert sheet[8, 2] == 2
    assert sheet[0, 0] == sheet[8, 9] == 255
    assert grid(np.zeros((4, 2, 2, 3), np.uint8), 4).shape == (6, 18, 3)


# ---- copies, the real thing, and a judge ---------------------------------------------------------


def test_pictures_learned_by_heart_are_near_copies_and_new_ones_are_as_rare_as_real_ones(rng):
    known, unseen, new = (rng.normal(size=(n, 16)).astype("float32") for n in (2_000, 1_000, 1_000))
    turns = np.array_split(known, 3)
    by_heart = copies.near_copies(known[:100] + 1e-3, unseen, iter(turns))
    assert by_heart.mean() == 1
    assert copies.near_copies(new, unseen, iter(turns)).mean() == pytest.approx(copies.NEAR, abs=0.03)
    assert copies.near_copies(10 * new, unseen, iter(turns)).mean() == 0


def test_a_generator_that_gives_back_its_training_pictures_is_found_out(rng):
    class Parrot:
        def predict(self, x, **_):
            return learned_by_heart[: len(x["noise"])]

    train, test = pictures(rng, n=60), pictures(rng, n=40)
    task = learned(train, latent=2)
    learned_by_heart = task.source(train, training=False).batch(np.arange(60), rng)[1]
    measures = task.measured(Parrot(), task.source(test, training=False), train)
    assert measures["copy"].mean() == 1
    assert task.measured(Parrot(), task.source(test, training=False), None) == {}


def test_copies_of_what_was_seen_are_looked_for_beside_pictures_that_were_not(tmp_path):
    """Not among the training pictures themselves, nor in the training part of data that it knows nothing of."""
    whole = builtin.open(Path("digits:60"))
    parts, _ = splits.split(whole)
    task = image_generation.Task.learn(parts.splits["train"], parts, latent=2)
    run = rundir.create(tmp_path / "run", arch="dcgan", task="image-generation")
    dcgan.build(task, width=4).save(run.model)
    config = RunConfig(data="digits:60", format="builtin", task="image-generation", arch="dcgan")
    run.write("config.json", config.model_dump(mode="json"))
    described = {"kind": "images", "format": "builtin", "task": "image-generation", "architecture": "dcgan"}
    run.write("spec.json", described | {"learned": dataclasses.asdict(task)})

    def scores(*arguments):
        console.results.quiet = False
        result = CliRunner().invoke(app, ["evaluate", str(run.path), *arguments, "--json"], catch_exceptions=False)
        return next(iter(json.loads(result.stdout)["metrics"].values()))

    assert "near_copies" in scores()
    assert "near_copies" in scores("--split", "val")
    for arguments in (["--split", "train"], ["--split", "all"], ["digits:50"], ["digits:50", "--split", "test"]):
        assert "near_copies" not in scores(*arguments)


def test_real_pictures_are_a_bound_and_no_rival(rng):
    """Their distance is about nothing, and the verdict passes them over."""
    train, test = pictures(rng, n=200), pictures(rng, n=200)
    task = learned(train, latent=2)
    found = scoring.rivals("image-generation", task, train, test)
    named = {rival.name: rival for rival in found}
    assert not named["real-pictures"].counts
    assert named["pca-sampler"].counts
    assert "drawn-by" not in named  # nobody asked
    real, drawn = (named[name].report.scores["coverage"].value for name in ("real-pictures", "pca-sampler"))
    assert real > 0.9
    said = scoring.verdict(task, named["pca-sampler"].report, found)
    assert "real-pictures" not in said
    assert drawn <= 1


@pytest.fixture
def judge(rng, tmp_path):
    """A run of image-classification whose model tells bright pictures from dark ones."""
    run = rundir.create(tmp_path / "judge", arch="lenet", task="image-classification")
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Identity(name="features")(x)
    p = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, p)
    model.layers[-1].set_weights([np.array([[-40.0, 40.0]]), np.array([20.0, -20.0])])
    model.save(run.model)
    learned = {"classes": ["dark", "bright"]}
    run.write("spec.json", {"task": "image-classification", "architecture": "lenet", "learned": learned})
    return run.path


def test_a_judge_compares_in_its_own_features_and_counts_the_classes(judge, rng):
    examples = pictures(rng, n=40)
    task = learned(examples, latent=2, judge=str(judge))
    dark = np.full((40, 8, 8, 1), -0.9, np.float32)
    x, y = task.source(examples, training=False).batch(np.arange(40), rng)
    report = task.report(task.measure(x, y, dark))
    assert report.tables["judged classes"][0]["generated"] == 1
    assert report.scores["missing_classes"].value == 1  # nothing bright
    assert task.report(task.measure(x, y, y)).scores["missing_classes"].value == 0
    assert (
        report.scores["judged_frechet"].value > 10 * task.report(task.measure(x, y, y)).scores["judged_frechet"].value
    )
    pooled = ((y + 1) / 2).reshape(40, -1).mean(axis=1)  # one feature: the mean
    by_hand = (pooled.mean() - 0.05) ** 2 + pooled.var(ddof=1)
    assert report.scores["judged_frechet"].value == pytest.approx(by_hand, rel=0.02)
    assert "lenet" in report.formulas["judged_frechet"]


def test_a_judge_of_other_pictures_is_refused(judge, rng):
    """Before anything is trained."""
    with pytest.raises(DlcliError, match="8x8x1"):
        learned(pictures(rng, (16, 16, 1)), latent=2, judge=str(judge))


def test_what_another_run_draws_is_scored_beside(rng, tmp_path):
    """A variational autoencoder whose pictures are all black, whatever its code."""
    examples = pictures(rng, n=40)
    data = Data(kind="images", splits={"train": examples})
    other = reconstruction.Task.learn(examples, data, code=3)
    model = vae.build(other, width=8)
    model.get_layer("decoder_values").set_weights([np.zeros((8, 64)), np.full(64, -30.0)])
    run = rundir.create(tmp_path / "vae", arch="vae", task="reconstruction")
    model.save(run.model)
    config = RunConfig(data="x", task="reconstruction", arch="vae")
    run.write("config.json", config.model_dump(mode="json"))
    run.write("spec.json", {"task": "reconstruction", "architecture": "vae", "learned": dataclasses.asdict(other)})
    task = learned(examples, latent=2, beside=str(run.path))
    found = {rival.name: rival for rival in scoring.rivals("image-generation", task, examples, examples)}
    source = task.source(examples, training=False)
    x, y = source.batch(np.arange(40), rng)
    black = task.report(task.measure(x, y, np.full_like(y, -1)))
    scores = found["drawn-by"].report.scores
    assert scores["frechet"].value == pytest.approx(black.scores["frechet"].value, rel=1e-4)
    assert not found["drawn-by"].counts
    with pytest.raises(DlcliError):
        learned(examples, latent=2, beside=str(tmp_path / "nothing"))
