"""Reading batches so that a bad example is named, and one that never comes ends the wait."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from dlcli.errors import DataError, some
from dlcli.task import Source

_AGAIN = 10.0  # seconds that one example may take when the one that failed is looked for


class Guarded:
    """A source that is read on a thread of its own: it may hang in the file system, the training may not.

    names: of the examples, for messages.  patience: seconds that one batch may take.
    """

    def __init__(self, source: Source, *, names: Sequence[str] | None, patience: float):
        self.source = source
        # a source may cut its examples into windows: then the names are not theirs
        self.names = names if names is not None and len(names) == len(source) else None
        self.patience = patience
        self.failed = None
        self._asked = queue.SimpleQueue()
        self._thread = None

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        """As the source gives it. Raises: DataError naming the example that cannot be read."""
        if self._thread is None:
            self._thread = threading.Thread(target=_serve, args=(self.source, self._asked), daemon=True)
            self._thread.start()
        try:
            batch, error = self._answer(indices, rng, self.patience)
        except queue.Empty:
            batch, error = (
                None,
                DataError(
                    f"a batch did not come within {self.patience:.0f} s: {some(self._named(indices))}.",
                    "is the disk or the network that they lie on still there? --set fit.loader_patience=… waits longer.",
                ),
            )
        if error is not None:
            self.failed = self._explained(error, indices)
            raise self.failed
        return batch

    def _answer(self, indices: np.ndarray, rng: np.random.Generator, patience: float) -> tuple:
        """Raises: queue.Empty when it takes longer."""
        answer = queue.SimpleQueue()
        self._asked.put((indices, rng, answer))
        return answer.get(timeout=patience)

    def _explained(self, error: BaseException, indices: np.ndarray) -> BaseException:
        """The error of reading a batch; one of the disk or the decoder with the name of the example."""
        if isinstance(error, DataError) or not isinstance(error, OSError | ValueError | EOFError):
            return error
        bad = next((i for i in indices if self._fails(i)), None)
        name = "a batch" if bad is None else self._named([bad])[0]
        return DataError(
            f"{name} could not be read: {' '.join(str(error).split())[:200]}.",
            "was it changed or deleted while training? Restore it, then go on with --resume.",
        )

    def _fails(self, index: int) -> bool:
        """Whether it alone cannot be read, or does not come soon: a disk that failed once may hang the next time."""
        try:
            _, error = self._answer(np.array([index]), np.random.default_rng(0), min(self.patience, _AGAIN))
        except queue.Empty:
            return True
        return isinstance(error, OSError | ValueError | EOFError)

    def _named(self, indices) -> list[str]:
        return [str(self.names[i]) if self.names is not None else f"example {i}" for i in indices]


@contextmanager
def told(*sources: Guarded | None) -> Iterator[None]:
    """What a source raised comes out of here as it was: a backend wraps it into an error of its own."""
    for source in sources:
        if source is not None:
            source.failed = None
    try:
        yield
    except BaseException:
        failed = next((source.failed for source in sources if source is not None and source.failed), None)
        if failed is not None:
            raise failed from None
        raise


def _serve(source: Source, asked: queue.SimpleQueue) -> None:
    while True:
        indices, rng, answer = asked.get()
        try:
            given = source.batch(indices, rng), None
        except BaseException as error:  # handed over, and raised where it was asked for
            given = None, error
        answer.put(given)
