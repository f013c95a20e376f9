"""Tasks on pictures: what is learned from them, and what is changed at random."""

import json
from dataclasses import asdict

import keras
import numpy as np
import pytest
from keras import layers

from dlcli import augment, pixels
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError
from dlcli.images import ArrayImages
from dlcli.tasks import image_classification, image_regression
from tests.conftest import shared


def learned(module, x, y, **options):
    examples = Examples(x=ArrayImages(x), y=y)
    return module.Task.learn(examples, Data(kind="images", splits={"all": examples}), **options), examples


@pytest.fixture
def coloured(rng):
    """60 pictures of three classes, in whose names 10 comes after 9."""
    return rng.integers(0, 256, (60, 12, 20, 3)).astype("uint8"), [str(8 + i % 3) for i in range(60)]


def small(task):
    """A model that is a stem, one convolution and a head."""
    return task.model(layers.Conv2D(4, 3, name="conv")(task.embed()))


def test_the_task_is_plain_json_and_comes_back(coloured):
    task, _ = learned(image_classification, *coloured, augment="flip, crop")
    again = image_classification.Task(**json.loads(json.dumps(asdict(task))))
    assert again == task
    assert task.classes == ["8", "9", "10"]
    assert task.image == [12, 20, 3]
    assert task.augment == ["crop", "flip"]


def test_pixels_are_standardised_by_the_training_pictures(coloured):
    """Mean 0 and deviation 1 in each channel behind the stem, though batches are bytes."""
    task, examples = learned(image_classification, *coloured, augment="none")
    task.embed()
    x, y = task.source(examples, training=True).batch(np.arange(60), np.random.default_rng(0))
    assert x.dtype == np.uint8
    assert y.shape == (60, 3)
    stem = keras.Model(task._inputs, task.stem(task._inputs, None))
    seen = np.asarray(stem(x))
    np.testing.assert_allclose(seen.mean(axis=(0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(seen.std(axis=(0, 1, 2)), 1, atol=1e-3)


def test_a_channel_of_one_value_is_not_divided_by_zero():
    mean, deviation = pixels.statistics(np.full((3, 4, 4, 1), 51, np.uint8))
    assert mean == pytest.approx([0.2])
    assert deviation == [1.0]


@pytest.mark.parametrize(
    ("native", "size", "expected"),
    [((28, 28, 1), None, [28, 28, 1]), ((400, 600, 3), None, [85, 128, 3]), ((28, 28, 1), 14, [14, 14, 1])],
)
def test_small_pictures_keep_their_size_and_large_ones_shrink(native, size, expected):
    assert pixels.shape(ArrayImages(np.zeros((2, *native), np.uint8)), size) == expected


@pytest.mark.parametrize("kind", augment.KINDS)
def test_augmentation_changes_training_and_nothing_else(coloured, kind):
    task, examples = learned(image_classification, *coloured, augment=kind)
    model = small(task)
    x, _ = task.source(examples, training=True).batch(np.arange(16), np.random.default_rng(0))
    stem = keras.Model(model.input, model.get_layer(f"stem_{kind}").output)
    np.testing.assert_array_equal(np.asarray(stem(x, training=False)), x)
    changed = np.asarray(stem(x, training=True))
    assert changed.shape == x.shape
    assert not np.array_equal(changed, x)
    assert changed.min() >= -1e-3
    assert changed.max() <= 255.001
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict_on_batch(x))


def test_all_augmentations_train_together(coloured):
    """In one model, under the compilation that Keras chooses by itself."""
    task, examples = learned(image_classification, *coloured, augment="crop,flip,randaugment,erasing")
    model = small(task)
    model.compile("adam", task.loss(), metrics=task.metrics())
    x, y = task.source(examples, training=True).batch(np.arange(16), np.random.default_rng(0))
    assert np.isfinite(np.asarray(model.train_on_batch(x, y))).all()


def test_an_unknown_augmentation_is_named_with_the_nearest(coloured):
    with pytest.raises(DlcliError, match="no 'flop'") as caught:
        learned(image_classification, *coloured, augment="crop,flop")
    assert "'flip'" in caught.value.hint


def test_a_shift_that_is_no_share_is_refused(coloured):
    for shift in (-0.1, 1.0, float("nan")):
        with pytest.raises(DlcliError, match="shift is"):
            learned(image_classification, *coloured, shift=shift)


def test_a_crop_moves_pictures_by_whole_pixels_up_to_the_shift(rng):
    """A white pixel in the middle of 25 x 25: by 0.04 it moves by one pixel at most, by 0.2 by five."""
    dots = np.zeros((400, 25, 25, 1), np.float32)
    dots[:, 12, 12] = 255
    for shift, most in ((0.0, 0), (0.04, 1), (0.2, 5)):
        moved = np.asarray(augment._layer("crop", shift)(dots, training=True))
        places = np.argwhere(moved[..., 0] == 255)[:, 1:] - 12
        assert len(places) == 400
        assert np.abs(places).max() == most


def test_pictures_are_mirrored_only_where_a_mirror_keeps_the_class(rng):
    """Classes by colour: yes. By the side that is bright: no. Grey or few: no."""
    y = np.arange(400) % 2
    noise = rng.integers(0, 60, (400, 16, 16, 3)).astype("uint8")
    by_colour, by_side = noise.copy(), noise.copy()
    by_colour[y == 1, ..., 0] += 150
    by_side[y == 1, :, :8] += 150
    by_side[y == 0, :, 8:] += 150
    assert augment.automatic(by_colour, y) == ["crop", "flip"]
    assert augment.automatic(by_side, y) == ["crop"]
    assert not augment.mirrors(by_colour[..., :1], y)
    assert not augment.mirrors(by_colour[:100], y[:100])
    assert not augment.mirrors(noise, y)  # nothing can be told


def test_digits_are_not_mirrored():
    """MNIST's, with colour channels so that they are looked at at all."""
    import gzip

    folder = shared("mnist")
    images = next(folder.glob("*t10k-images*"))
    labels = next(folder.glob("*t10k-labels*"))
    x = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    y = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    assert not augment.mirrors(np.repeat(x, 3, axis=-1), y.astype(int))


def test_one_class_and_unknown_classes_are_errors(coloured):
    x, y = coloured
    with pytest.raises(DataError, match="of class 8"):
        learned(image_classification, x, ["8"] * 60)
    task, examples = learned(image_classification, x, y)
    with pytest.raises(DataError, match="no training example has: x"):
        task.source(Examples(x=examples.x, y=["x"] * 60), training=False)


def test_predictions_need_no_answers(coloured):
    """Rows carry the names of the pictures."""
    task, examples = learned(image_classification, *coloured, augment="none")
    asked = Examples(x=examples.x.take(np.arange(2)), names=["a.png", "b.png"])
    x, y = task.source(asked, training=False).batch(np.arange(2), np.random.default_rng(0))
    assert y is None
    rows = list(task.rows(asked, task.measure(x, y, np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]]))))
    assert rows[0] == {"name": "a.png", "prediction": "10", "probability": pytest.approx(0.7)}
    assert rows[1]["prediction"] == "8"


def test_flat_rows_are_the_pixels(coloured):
    x, y = coloured
    task, examples = learned(image_classification, x, y)
    np.testing.assert_allclose(task.flat(examples), x.reshape(60, -1) / 255, rtol=1e-6)
    assert task.targets(examples)[:3].tolist() == [0, 1, 2]


def test_numbers_come_back_in_their_units(coloured):
    x, _ = coloured
    y = np.linspace(1000, 2000, 60)
    task, examples = learned(image_regression, x, y)
    _, standardised = task.source(examples, training=False).batch(np.arange(60), np.random.default_rng(0))
    assert standardised.mean() == pytest.approx(0, abs=1e-6)
    measures = task.measure(None, standardised, standardised)
    np.testing.assert_allclose(measures["y"], y, rtol=1e-6)
    assert task.report(measures).scores["rmse"].value == pytest.approx(0, abs=1e-3)
    assert next(iter(task.rows(examples, measures)))["prediction"] == pytest.approx(1000, rel=1e-6)


@pytest.mark.parametrize("bad", ["cat", None, float("nan")])
def test_a_target_that_is_no_number_is_named(coloured, bad):
    x, _ = coloured
    with pytest.raises(DataError, match="no number"):
        learned(image_regression, x, [1.0, bad, *[2.0] * 58])


def test_a_class_is_named_as_it_is_written_where_a_number_is_wanted(coloured):
    x, _ = coloured
    with pytest.raises(DataError, match=r"is 'cat', which is no number"):
        learned(image_regression, x, np.array(["cat"] * 60))


def test_a_regression_does_not_guess_augmentations(coloured):
    x, _ = coloured
    with pytest.raises(DlcliError, match="cannot know"):
        learned(image_regression, x, np.arange(60.0), augment="auto")
