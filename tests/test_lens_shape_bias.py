"""Shape against surface: on features that hold one of them, on pictures, and on networks trained for one of them."""

import keras
import numpy as np
import pytest
from keras import layers

from dlcli.inspection import measuring
from dlcli.inspection.probes import Ridge
from dlcli.inspection.subject import Stimuli, Subject
from dlcli.lenses import shape_bias
from dlcli.stimuli import _cues


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def y(rng):
    return rng.permutation(np.arange(480) % 16)


def subject(model, side):
    """A network that takes grey pictures in 0..255."""

    def feed(level):
        return lambda rows: level.x[rows].astype("float32"), None

    stimuli = Stimuli(entry="pictures", make={"height": side, "width": side, "channels": 1}, feed=feed)
    return Subject(model=model, title="t", source="t", family="cnn", stimuli=stimuli)


def one_hot(values):
    return np.eye(4)[values]


def test_a_layer_that_holds_one_of_them_answers_by_that(y, rng):
    """Features of the shape alone: 1; of the surface alone: 0; the interval holds nothing else."""
    shape, surface = _cues.parts(y)
    for features, expected in ((one_hot(shape), 1.0), (one_hot(surface), 0.0)):
        found = shape_bias.decided(features + 0.05 * rng.normal(size=features.shape), y, rng)
        assert found["known"] == 1
        assert found["shape"] == (expected, expected, expected)


def test_mistakes_speak_for_neither(y, rng):
    """Noise that lets a third of the answers go wrong: what hits a cue by guessing is no answer by that cue."""
    shape, surface = _cues.parts(y)
    for features, expected in ((one_hot(shape), 1.0), (one_hot(surface), 0.0)):
        found = shape_bias.decided(features + 0.7 * rng.normal(size=features.shape), y, rng)
        assert 0.5 < found["known"] < 0.8
        assert found["shape"][0] == pytest.approx(expected, abs=0.05)


def test_the_share_is_that_of_the_answers_beyond_guessing():
    """Of 100: 40 by shape, 20 by surface, 40 by neither, which are half of all guesses: (40 - 20) of (40 - 20) + 0."""
    assert shape_bias.share(40, 20, 100) == pytest.approx(1)
    assert shape_bias.share(30, 30, 80) == pytest.approx(0.5)
    assert np.isnan(shape_bias.share(25, 27, 100))


def test_the_interval_holds_for_other_pictures_too(rng):
    """Sixty draws of figures, each with readers of its own: nine of ten intervals and more hold the mean of all."""
    found, mixed = [], rng.normal(size=(8, 12))
    for _ in range(60):
        y = rng.permutation(np.arange(480) % 16)
        shape, surface = _cues.parts(y)
        both = np.concatenate([one_hot(shape), 0.8 * one_hot(surface)], axis=1)
        found.append(shape_bias.decided(both @ mixed + rng.normal(size=(480, 12)), y, rng)["shape"])
    share, low, high = np.array(found).T
    covered = (low <= share.mean()) & (share.mean() <= high)
    assert covered.mean() >= 0.9
    # and not by being wide: 95 % of a normal distribution lie within 1.96 deviations
    assert (high - low).mean() < 2 * 2 * 1.96 * share.std()


def test_a_layer_that_holds_both_alike_answers_by_each_half_of_the_time(y, rng):
    """Two equally strong cues, neither reliable by itself: the interval holds one half."""
    shape, surface = _cues.parts(y)
    both = np.concatenate([one_hot(shape), one_hot(surface)], axis=1)
    _, low, high = shape_bias.decided(both + 0.5 * rng.normal(size=both.shape), y, rng)["shape"]
    assert low < 0.5 < high
    assert high - low < 0.2
    stronger = np.concatenate([one_hot(shape), 0.3 * one_hot(surface)], axis=1)
    assert shape_bias.decided(stronger + 0.3 * rng.normal(size=both.shape), y, rng)["shape"][1] > 0.6
    by_shape, by_surface = shape_bias.variance(both + 0.5 * rng.normal(size=both.shape), y)
    # of a column that tells a quarter of the classes: 3/16 of variance against 1/4 of noise, in half of the columns
    assert by_shape == pytest.approx(0.5 * (3 / 16) / (3 / 16 + 1 / 4), abs=0.03)
    assert by_surface == pytest.approx(by_shape, abs=0.03)


def test_a_layer_that_knows_neither_is_not_asked(y, rng):
    """Noise: no answer, and next to no variance."""
    noise = rng.normal(size=(480, 30))
    assert shape_bias.decided(noise, y, rng)["shape"] is None
    assert max(shape_bias.variance(noise, y)) < 0.01


def test_pixels_tell_neither_shape_nor_surface():
    """Figures of every kind have the same mean picture: a linear reader of pixels is at chance for both."""
    level = _cues.cues(28, 28, 1, n=480, seed=1)
    assert level.x.shape == (480, 28, 28, 1)
    assert level.x.dtype == np.uint8
    assert set(np.bincount(level.y)) == {30}
    for labels in _cues.parts(level.y):
        assert Ridge(level.x.reshape(480, -1)).correct(labels).mean() < 0.34


def test_it_stands_in_the_document_for_every_layer_and_for_the_input(rng):
    """From 24 pixels a side; below, no figure could hold a surface."""
    for side in (24, 23):
        inputs = keras.Input((side, side, 1))
        x = layers.Conv2D(32, 5, activation="relu", name="filters")(inputs)
        x = layers.Conv2D(32, 5, strides=2, activation="relu", name="more")(x)
        model = keras.Model(inputs, layers.Dense(16, name="head")(layers.GlobalAveragePooling2D()(x)), name="bag")
        document, _ = measuring.inspect(subject(model, side), budget="standard", only=[], seed=0)
        tables = [table for table in document["tables"] if table["title"] == "Shape against surface"]
        assert len(tables) == (side == 24)
        for table in tables:
            rows = {row[0]: row for row in table["rows"]}
            assert table["rows"][0][0] == "input"
            assert len(rows) == 1 + sum(row["measured"] for row in document["layers"])
            # a linear reader of pixels knows nothing that it could be asked about; any convolution's energy is of use
            assert rows["input"][2] == "–"
            own = next(row["own"] for row in document["layers"] if row["name"] == "more")
            assert 0 <= own["shape bias"] == float(rows["more"][2]) <= 1
            assert float(rows["more"][3]) <= own["shape bias"] <= float(rows["more"][4])
        assert ("shape bias" in {method["name"] for method in document["methods"]}) == (side == 24)


@pytest.mark.slow
@pytest.mark.parametrize("cue", ["shape", "surface"])
def test_a_network_that_was_trained_for_one_of_them_answers_by_that(cue):
    """The same network and pictures; what it was asked for decides."""
    keras.utils.set_random_seed(0)
    level = _cues.cues(28, 28, 1, n=6400, seed=7)
    labels = dict(zip(("shape", "surface"), _cues.parts(level.y), strict=True))[cue]
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for i, width in enumerate((16, 32, 64)):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU(name=f"layer{i}")(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(64, activation="relu", name="last")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(4, name="answers")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    history = model.fit(level.x.astype("float32"), labels, epochs=12, batch_size=64, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
    document, _ = measuring.inspect(subject(model, 28), budget="standard", only=[], seed=0)
    found = next(row["own"]["shape bias"] for row in document["layers"] if row["name"] == "answers")
    assert found > 0.8 if cue == "shape" else found < 0.2
