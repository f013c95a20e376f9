"""The order of examples is a function of (seed, pass), and every pass shows every example."""

import numpy as np
import pytest

from dlcli.batches import Batches, InOrder, Turn, feed
from dlcli.task import Arrays

N = 40


def batches(**options) -> Batches:
    x = np.arange(N)
    return Batches(Arrays(x, x % 2), batch_size=8, **options)


def shown(some: Batches) -> np.ndarray:
    """The examples of one Keras epoch, in order."""
    return np.concatenate([some[i][0] for i in range(len(some))])


def test_a_pass_shows_every_example_once():
    assert sorted(shown(batches())) == list(range(N))


def test_epochs_have_different_orders_and_a_seed_repeats_them():
    one, other = batches(seed=3), batches(seed=3)
    first = shown(one)
    one.epoch = 1
    second = shown(one)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, shown(other))
    assert np.array_equal(second, shown(batches(seed=3, epoch=1)))
    assert not np.array_equal(first, shown(batches(seed=4)))


def test_any_batch_can_be_asked_for_first():
    """What resuming in the middle of an epoch needs."""
    assert np.array_equal(batches(seed=1, epoch=2)[3][0], shown(batches(seed=1, epoch=2))[24:32])


def test_an_epoch_of_several_passes_is_the_same_sequence():
    joined = batches(seed=5, passes=2)
    apart = [shown(batches(seed=5, epoch=e)) for e in range(2)]
    assert np.array_equal(shown(joined), np.concatenate(apart))


def test_fit_asks_for_exactly_these_batches_in_this_order():
    """Keras reads ahead on a thread of its own; the order must not depend on it."""
    import keras

    seen = []

    class Spy:
        def __len__(self):
            return N

        def batch(self, indices, rng):
            seen.append(tuple(indices))
            return indices[:, None].astype("float32"), indices[:, None].astype("float32")

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="d")])
    model.compile("sgd", "mse")
    some = Batches(Spy(), batch_size=8, seed=0)
    model.fit(some, epochs=3, verbose=0, shuffle=False, callbacks=[Turn(some)])
    expected = [tuple(batch) for e in range(3) for batch in shown(batches(epoch=e)).reshape(-1, 8)]
    # Keras looks at a few batches first, to learn their shapes.
    assert seen[-len(expected) :] == expected


def test_validation_batches_are_equal_and_leave_out_less_than_one_per_batch():
    x = np.arange(103)
    some = InOrder(Arrays(x, x), batch_size=25)
    assert {len(some[i][0]) for i in range(len(some))} == {20}
    assert len(some) == 5


def test_keras_is_fed_the_same_batches_without_a_thread_that_tunes():
    """The end of every epoch would wait for that thread's sleep: up to as long as the epoch, or a minute."""
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data is TensorFlow's")
    batches = InOrder(Arrays(np.arange(12.0)[:, None], np.arange(12.0)[:, None]), batch_size=4)
    dataset = feed(batches).get_tf_dataset()
    assert dataset.options().autotune.enabled is False
    for (x, y), (x_fed, y_fed) in zip((batches[i] for i in range(3)), dataset, strict=True):
        np.testing.assert_array_equal(x, x_fed)
        np.testing.assert_array_equal(y, y_fed)
