"""What is done to whole batches, against the formulas of the papers."""

import numpy as np
import pytest

from dlcli.config import FitConfig
from dlcli.errors import DlcliError
from dlcli.mixing import changes
from dlcli.sequences import PADDING
from dlcli.task import Arrays


def batch(rng, n=16):
    y = np.eye(4, dtype="float32")[rng.integers(0, 4, n)]
    return rng.normal(size=(n, 8, 8, 1)).astype("float32"), y


def test_label_smoothing_is_the_formula():
    rng = np.random.default_rng(0)
    x, y = batch(rng)
    _, smoothed = changes(FitConfig(label_smoothing=0.2), Arrays(x, y), None, 4)((x, y), rng)
    np.testing.assert_allclose(smoothed, 0.8 * y + 0.05, rtol=1e-6)


def test_balanced_weights_give_every_class_the_same_sum():
    labels = np.array([0] * 6 + [1] * 2 + [2] * 2 + [3] * 6)
    y = np.eye(4, dtype="float32")[labels]
    *_, weights = changes(FitConfig(class_weights="balanced"), Arrays(y, y), labels, 4)(
        (y, y), np.random.default_rng(0)
    )
    sums = [weights[labels == k].sum() for k in range(4)]
    np.testing.assert_allclose(sums, 4.0, rtol=1e-6)


@pytest.mark.parametrize("option", ["mixup", "cutmix"])
def test_mixed_labels_stay_a_distribution_and_the_given_batch_is_not_changed(option):
    rng = np.random.default_rng(0)
    x, y = batch(rng)
    before = x.copy()
    mixed, labels = changes(FitConfig(**{option: 1.0}), Arrays(x, y), None, 4)((x, y), rng)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, rtol=1e-6)
    assert not np.array_equal(mixed, x)
    assert np.array_equal(before, x)


def test_cutmix_labels_follow_the_area():
    x = np.arange(4, dtype="float32").reshape(4, 1, 1, 1) * np.ones((4, 8, 8, 1), "float32")
    y = np.eye(4, dtype="float32")
    mixed, labels = changes(FitConfig(cutmix=1.0), Arrays(x, y), None, 4)((x, y), np.random.default_rng(3))
    for picture, label in zip(mixed, labels, strict=True):
        shares = [np.mean(picture == k) for k in range(4)]
        np.testing.assert_allclose(label, shares, atol=1e-6)


def test_classes_are_needed():
    with pytest.raises(DlcliError, match="need a task with classes"):
        changes(FitConfig(mixup=0.2), Arrays(np.zeros((1, 2, 2, 1)), None), None, 0)


@pytest.mark.parametrize(
    ("option", "x", "sentence"),
    [
        ("mixup", np.ones((4, 9), "int32"), "needs pictures or series"),  # words
        ("mixup", np.array([{"age": 1.0}] * 4), "needs pictures or series"),
        ("mixup", np.array([[[1.0], [2.0]], [[1.0], [PADDING]]], "float32"), "series of one length"),
        ("cutmix", np.ones((4, 9, 2), "float32"), "needs pictures"),
    ],
)
def test_only_what_can_be_blended_is_blended(option, x, sentence):
    with pytest.raises(DlcliError, match=sentence):
        changes(FitConfig(**{option: 0.2}), Arrays(x, None), None, 4)


@pytest.mark.parametrize("x", [np.ones((4, 8, 8, 3), "uint8"), np.ones((4, 9, 2), "float32")])
def test_pictures_and_series_are_blended(x):
    y = np.eye(4, dtype="float32")
    mixed, labels = changes(FitConfig(mixup=1.0), Arrays(x, y), None, 4)((x, y), np.random.default_rng(0))
    assert mixed.dtype == x.dtype
    np.testing.assert_allclose(mixed, x, atol=1)
    assert not np.array_equal(labels, y)


def test_weights_are_mixed_with_their_examples():
    """Of 8 and 24 the classes weigh 2 and 2/3; a mixed example weighs what its label holds of both."""
    rng = np.random.default_rng(0)
    labels = np.array([0] * 8 + [1] * 24)
    x, y = np.zeros((32, 4, 4, 1), "float32"), np.eye(2, dtype="float32")[labels]
    settings = FitConfig(mixup=1.0, class_weights="balanced")
    _, mixed, weights = changes(settings, Arrays(x, y), labels, 2)((x, y), rng)
    np.testing.assert_allclose(weights, mixed @ [32 / 16, 32 / 48], rtol=1e-5)
