"""What is done to whole batches, against the formulas of the papers."""

import numpy as np
import pytest

from dlcli.config import FitConfig
from dlcli.errors import DlcliError
from dlcli.mixing import changes


def batch(rng, n=16):
    y = np.eye(4, dtype="float32")[rng.integers(0, 4, n)]
    return rng.normal(size=(n, 8, 8, 1)).astype("float32"), y


def test_label_smoothing_is_the_formula():
    rng = np.random.default_rng(0)
    x, y = batch(rng)
    _, smoothed = changes(FitConfig(label_smoothing=0.2), None, 4)((x, y), rng)
    np.testing.assert_allclose(smoothed, 0.8 * y + 0.05, rtol=1e-6)


def test_balanced_weights_give_every_class_the_same_sum():
    labels = np.array([0] * 6 + [1] * 2 + [2] * 2 + [3] * 6)
    y = np.eye(4, dtype="float32")[labels]
    *_, weights = changes(FitConfig(class_weights="balanced"), labels, 4)((y, y), np.random.default_rng(0))
    sums = [weights[labels == k].sum() for k in range(4)]
    np.testing.assert_allclose(sums, 4.0, rtol=1e-6)


@pytest.mark.parametrize("option", ["mixup", "cutmix"])
def test_mixed_labels_stay_a_distribution_and_the_given_batch_is_not_changed(option):
    rng = np.random.default_rng(0)
    x, y = batch(rng)
    before = x.copy()
    mixed, labels = changes(FitConfig(**{option: 1.0}), None, 4)((x, y), rng)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, rtol=1e-6)
    assert not np.array_equal(mixed, x)
    assert np.array_equal(before, x)


def test_cutmix_labels_follow_the_area():
    x = np.arange(4, dtype="float32").reshape(4, 1, 1, 1) * np.ones((4, 8, 8, 1), "float32")
    y = np.eye(4, dtype="float32")
    mixed, labels = changes(FitConfig(cutmix=1.0), None, 4)((x, y), np.random.default_rng(3))
    for picture, label in zip(mixed, labels, strict=True):
        shares = [np.mean(picture == k) for k in range(4)]
        np.testing.assert_allclose(label, shares, atol=1e-6)


def test_classes_are_needed():
    with pytest.raises(DlcliError, match="need a task with classes"):
        changes(FitConfig(mixup=0.2), None, 0)
