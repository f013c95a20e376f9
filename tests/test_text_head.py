"""What a classifier of texts reads: the mean of every feature over the words, and the largest."""

import keras
import numpy as np
import pytest

from dlcli.data import Data, Examples
from dlcli.layers import LargestOverTime
from dlcli.registry import find
from dlcli.tasks.text_classification import Task
from dlcli.transfer import heads

TEXTS = ["a good film", "a bad film that is long and slow and bad", "good", "what a slow and bad idea"]


@pytest.fixture
def read():
    """A task, its encoder, and the ids of the texts."""
    keras.utils.set_random_seed(0)
    examples = Examples(x=list(TEXTS), y=["good", "bad", "good", "bad"])
    task = Task.learn(examples, Data(kind="texts", splits={"train": examples}))
    entry = find("architectures", "encoder").load()
    return task, entry.build(task, width=8, depth=2, heads=2), task.source(examples, training=False).x


def test_the_largest_of_the_steps_that_are_not_masked(rng):
    x = rng.normal(size=(3, 5, 4)).astype("float32") - 5
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    found = keras.ops.convert_to_numpy(LargestOverTime()(x, mask=keras.ops.convert_to_tensor(mask)))
    np.testing.assert_allclose(found[0], x[0, :2].max(axis=0))
    np.testing.assert_allclose(found[1], x[1].max(axis=0))
    assert not found[2].any()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(LargestOverTime()(x)), x.max(axis=1))


def test_the_head_reads_mean_and_largest_of_the_words_and_not_of_the_padding(read):
    _, model, ids = read
    both = keras.Model(model.inputs, [model.get_layer("features").output, model.get_layer("head_both").output])
    features, pooled = (keras.ops.convert_to_numpy(value) for value in both(ids))
    assert pooled.shape == (4, 16)
    for row, words, found in zip(features, ids != 0, pooled, strict=True):
        np.testing.assert_allclose(found[:8], row[words].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(found[8:], row[words].max(axis=0), atol=1e-5)


def test_a_head_that_sits_lower_reads_the_mean_as_its_probe_did(read):
    task, model, ids = read
    inner = next(layer.name for layer in model.layers if layer.name.startswith("block0"))
    shorter = heads.shortened(model, task, f"model/{inner}")
    assert shorter.get_layer("head_logits").kernel.shape == (8, 2)
    assert keras.ops.convert_to_numpy(shorter(ids)).shape == (4, 2)
