"""Batches in an order that is a function of (seed, pass over the data), so any of them can be asked for.

The only module that knows how Keras wants its data.
"""

import keras
import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from dlcli import backend
from dlcli.task import Source


def feed(batches: keras.utils.PyDataset) -> PyDatasetAdapter:
    """What one call of Keras' `fit` or `evaluate` reads such batches from.

    tf.data tunes its pipelines in a thread that sleeps twice as long after each look, up to a minute, and the end of an
    epoch waits until it wakes: epochs of 5 s took 10 (TensorFlow 2.21, one core). There is one stage here and nothing to tune.
    """
    return _Untuned(batches)


class _Untuned(PyDatasetAdapter):
    def get_tf_dataset(self):
        return backend.untuned(super().get_tf_dataset())


class Batches(keras.utils.PyDataset):
    """A source as Keras batches.

    Training: every pass is a permutation drawn from (seed, pass); the last, short batch of a pass
    is left out, as another shape would be compiled anew; the next pass has another order.
    `passes` passes make one Keras epoch, where a pass would be shorter than Keras' own overhead.
    A batch comes in `parts` equal parts where the whole does not fit into the device's memory.
    An epoch that was begun before goes on at batch `skip`.
    """

    def __init__(
        self,
        source: Source,
        *,
        batch_size: int,
        seed: int = 0,
        epoch: int = 0,
        passes: int = 1,
        parts: int = 1,
        change=None,
    ):
        super().__init__(workers=1, use_multiprocessing=False)
        self.source = source
        self.batch_size = min(batch_size, len(source))
        self.seed = seed
        self.epoch = epoch
        self.passes = passes
        self.parts = parts
        self.skip = 0
        self.change = change
        self._order = (-1, None)
        self._whole = (None, None)

    @property
    def per_pass(self) -> int:
        """Batches in one pass."""
        return len(self.source) // self.batch_size

    def __len__(self) -> int:
        return self.per_pass * self.passes * self.parts

    def __getitem__(self, index: int):
        # what is read ahead of a shortened epoch's end is never used
        whole, part = divmod(min(index + self.skip, len(self) - 1), self.parts)
        if self.parts == 1:
            return self.batch(whole)
        key = (self.epoch, whole)
        if self._whole[0] != key:
            self._whole = (key, self.batch(whole))
        rows = slice(part * self.batch_size // self.parts, (part + 1) * self.batch_size // self.parts)
        return tuple(_rows(item, rows) for item in self._whole[1])

    def batch(self, index: int) -> tuple:
        """The whole batch at that place of the epoch."""
        number = self.epoch * self.passes + index // self.per_pass
        position = index % self.per_pass
        chosen = self.order(number)[position * self.batch_size : (position + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, number, position])
        batch = self.source.batch(chosen, rng)
        return self.change(batch, rng) if self.change else batch

    def order(self, number: int) -> np.ndarray:
        """The permutation of pass `number`."""
        if self._order[0] != number:
            self._order = (number, np.random.default_rng([self.seed, number]).permutation(len(self.source)))
        return self._order[1]


def _rows(item, rows: slice):
    if isinstance(item, dict):
        return {name: array[rows] for name, array in item.items()}
    return None if item is None else item[rows]


class Turn(keras.callbacks.Callback):
    """Tells the batches which epoch it is. Keras' own `on_epoch_end` also comes once before the first.

    skip: batches of the first epoch that were trained before. Keras counts on to the end of a whole epoch; StopIteration
    is how it is told that one is over.
    """

    def __init__(self, batches: Batches, *, skip: int = 0):
        super().__init__()
        self.batches = batches
        self._skip = batches.skip = skip

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch
        self.batches.skip, self._skip = self._skip, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.batches.skip and batch == len(self.batches) - self.batches.skip:
            raise StopIteration


class InOrder(keras.utils.PyDataset):
    """A source as equal batches in its own order, for the score that chooses between epochs.

    At most (number of batches - 1) examples at the end are left out, again for one shape.
    """

    def __init__(self, source: Source, *, batch_size: int):
        super().__init__(workers=1, use_multiprocessing=False)
        self.source = source
        self.count = -(-len(source) // batch_size)
        self.batch_size = len(source) // self.count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int):
        chosen = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        # The same noise for every epoch, or the epochs could not be compared.
        return self.source.batch(chosen, np.random.default_rng([0, index]))
