"""The contract between data, architecture and training, and the half of it that all tasks share.

The legend of shapes, used everywhere in this sense only: **B** batch · **T** time steps or tokens ·
**C** channels or features · **H W** height, width · **V** vocabulary · **Z** latent · **F** horizon ·
**K** classes.

A task is what was learned from the training split (class names, sizes, statistics, vocabulary) as
plain JSON-able fields, plus what follows from it: the stem and the head of a model, the batches,
the loss, the scores. `dataclasses.asdict(task)` goes into the run directory and `Task(**fields)`
comes back, so prediction and evaluation prepare data by the very code that training used.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import keras
import numpy as np
from keras import layers

from dlcli import directions
from dlcli.data import Data, Examples
from dlcli.errors import DlcliError
from dlcli.layers import LargestOverTime


class Source(Protocol):
    """Examples as arrays. The order is the caller's: a batch is asked for by positions. Where examples are large,
    `at_once` says how many are to be asked for at a time."""

    def __len__(self) -> int: ...

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        """(x, y) or (x, y, sample_weight) at these positions. All randomness comes from `rng`."""


@dataclass(frozen=True)
class Arrays:
    """A source in memory. x and y: an array, or a dict of arrays, or (y only) None."""

    x: Any
    y: Any

    def __len__(self) -> int:
        return len(next(iter(self.x.values())) if isinstance(self.x, dict) else self.x)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        return _rows(self.x, indices), _rows(self.y, indices)


def _rows(values, indices):
    if values is None:
        return None
    if isinstance(values, dict):
        return {name: array[indices] for name, array in values.items()}
    return values[indices]


@dataclass(frozen=True)
class Score:
    """A number with its 95 % interval over n independent examples (or windows, documents, series)."""

    value: float
    low: float
    high: float
    n: int

    def better(self, other: "Score", sign: int) -> bool:
        """Whether it is better than another one beyond both intervals.  sign: 1 where more is better, -1 where less is."""
        if sign < 0:
            return self.high < other.value and self.value < other.low
        return self.low > other.value and self.value > other.high


@dataclass(frozen=True, kw_only=True)
class Report:
    """Scores by name, the most telling first; tables are lists of rows for the report file;
    `formulas` says how each score is computed where two definitions exist, `unscored` why there are no scores."""

    scores: dict[str, Score]
    tables: dict[str, list[dict]] = field(default_factory=dict)
    formulas: dict[str, str] = field(default_factory=dict)
    unscored: str = ""


@dataclass(kw_only=True)
class Task:
    """What every task file inherits. Its fields are what was learned from the training split."""

    # Data.kind that this task can be learned from, and the words an architecture must offer.
    KINDS = frozenset()
    NEEDS = frozenset()
    # What its answers are compared with, of each example: "classes", "numbers" or "none"; "any" where that is as it may be.
    LABELS = "any"
    # Architectures by preference: the first that fits is the default.
    PREFERS = ()
    # The score that every example has by itself, by which two models are compared; "" where scores are of whole sets.
    EACH = ""
    # Which fields say what goes into the model, by the names that tasks of one kind of data share.
    INPUT = {}
    # Layers whose weights are computed from the data, not trained: a model for other data has its own.
    COMPUTED = frozenset()
    # What chooses the best epoch, what comes second where the first is equal; none: the last is kept
    # (a GAN's loss says nothing of its pictures).
    monitor = ("val_loss",)
    # The score that is compared with the baselines.
    headline = ""

    def __post_init__(self):
        self._inputs = None

    @property
    def sign(self) -> int:
        """1 where more of the headline is better, -1 where less is."""
        return directions.sign(self.headline)

    # ---- what a task file writes -------------------------------------------------------------

    @classmethod
    def learn(cls, train: Examples, data: Data) -> "Task":
        """Fit everything that preparation needs on the training split alone. Options are
        keyword-only arguments with literal defaults (`--set task.NAME=VALUE`)."""
        raise NotImplementedError

    def source(self, examples: Examples, *, training: bool) -> Source:
        """Examples as batches of (x, y)."""
        raise NotImplementedError

    def watched(self, examples: Examples) -> Source:
        """What of the validation split tells after every epoch how good the model is."""
        return self.source(examples, training=False)

    def why_not(self, examples: Examples) -> str:
        """Why there is nothing in these examples that could be scored; "" where there is."""
        if not len(examples):
            return "it is empty"
        needed = self.LABELS in ("classes", "numbers")
        return "its examples have no labels" if needed and self.answers(examples) is None else ""

    def answers(self, examples: Examples):
        """The label of each example, as the data has it; None where there are none."""
        return examples.y

    def inputs(self):
        """keras.Input of one example's x, or a dict of them."""
        raise NotImplementedError

    def stem(self, inputs, width: int | None):
        """Inputs -> what the architecture sees; `width` asks for that many features per position."""
        raise NotImplementedError

    def head(self, features):
        """Features -> outputs."""
        raise NotImplementedError

    def heads(self, features):
        """Features of the members of an ensemble (B, M, C) -> outputs, of tasks that have "columns" among their NEEDS."""
        raise NotImplementedError

    def loss(self):
        """A Keras loss, or None when the model computes its own."""
        raise NotImplementedError

    def settle(self, model: keras.Model, loss: Callable[[], float] | None) -> None:
        """What is left to be decided of a trained model, the best of its epochs. loss: on the validation split."""

    def metrics(self) -> list:
        """Keras metrics for the progress line. The first is shown."""
        return []

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        """One batch -> small arrays with one row per example, to be concatenated over batches."""
        return {"y": y, "p": y_pred}

    def measured(self, model: keras.Model, source: Source, train: Examples | None) -> dict[str, np.ndarray]:
        """Measures of a whole source that take more than one prediction for each example.  train:
        what the model has seen, where it is at hand."""
        return {}

    def report(self, measures: dict[str, np.ndarray]) -> Report:
        """Measures of a whole split -> scores with intervals."""
        raise NotImplementedError

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        """Of a task with EACH: that score's name and its value for every example (n,); its mean is the headline, or
        for a root its square."""
        raise NotImplementedError

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        """One prediction per example, in words, for `predict`; outputs are those of `measure`
        where y may be None."""
        raise NotImplementedError

    def asked(self, examples: Examples) -> Source:
        """The source for `predict`; y is None where only the answer would tell it."""
        return self.source(examples, training=False)

    def describe(self) -> str:
        """The data in a few words: '10 classes, 3 000 images 32x32x3'."""
        raise NotImplementedError

    def adopting(self, source: "Task", train: Examples) -> "Task":
        """The same task, its examples brought into the form that a model of `source` takes in.

        train: what this task was learned from.  Raises: DlcliError when the inputs have nothing in common.
        """
        if not self.INPUT or set(self.INPUT) != set(source.INPUT):
            raise DlcliError(
                f"what goes into a model for {_name(source)} cannot be made for {_name(self)}.",
                "choose a source of the same kind of data, and of a task like this one.",
            )
        return replace(self, **{own: getattr(source, source.INPUT[name]) for name, own in self.INPUT.items()})

    # ---- what every task shares --------------------------------------------------------------

    def embed(self, width: int | None = None):
        """Begin a model: the tensor that an architecture's body starts from.

        pixels -> (B, H, W, C) · tokens -> (B, T, width) · series -> (B, T, C or width) ·
        columns -> (B, C or width) · latent -> (B, Z)
        """
        self._inputs = self.inputs()
        return self.stem(self._inputs, width)

    def model(self, features, *, members: bool = False) -> keras.Model:
        """End a model: name the seam "features" and put the task's head on it.  members: a head for each (B, M, C)."""
        features = layers.Identity(name="features")(features)
        return self.wrap(self.heads(features) if members else self.head(features))

    def wrap(self, outputs) -> keras.Model:
        """End a model whose outputs have their final form already."""
        return keras.Model(self._inputs, outputs, name="model")


def _name(task: Task) -> str:
    return type(task).__module__.rpartition(".")[2].replace("_", "-")


def pooled(features):
    """Whatever its rank, one vector per example.

    (B, H, W, C) and (B, T, C) -> (B, C) by the mean over positions (masked steps do not count);
    (B, C) as it is.
    """
    rank = len(features.shape)
    if rank == 4:
        return layers.GlobalAveragePooling2D(name="head_pool")(features)
    if rank == 3:
        return layers.GlobalAveragePooling1D(name="head_pool")(features)
    return features


def mean_and_largest(features):
    """(B, T, C) -> (B, 2 C): the mean over steps and, of every feature, the largest (Howard & Ruder, 2018, ULMFiT), for
    one step may decide."""
    mean, largest = pooled(features), LargestOverTime(name="head_largest")(features)
    return layers.Concatenate(name="head_both")([mean, largest])


Predictor = Callable[[Examples], dict[str, np.ndarray]]  # what a baseline's fit() returns: measures
