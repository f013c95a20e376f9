"""Which class a text belongs to."""

from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from keras import layers

from dlcli import task, text
from dlcli.classification import Classification, in_order
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some


@dataclass(kw_only=True)
class Task(Classification):
    """Texts -> one of K classes. The model sees token ids (B, T), right-padded with 0 and masked."""

    KINDS = {"texts"}
    LABELS = "classes"
    NEEDS = {"tokens"}
    EACH = "accuracy"
    PREFERS = ("textcnn", "encoder", "bilstm")
    INPUT = {"tokenizer": "tokenizer", "vocabulary": "vocabulary", "length": "length"}

    tokenizer: str
    vocabulary: list[str]
    length: int
    word_dropout: float
    count: int

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        tokenizer: str = "word",
        vocabulary: int = 20000,
        length: int | None = None,
        word_dropout: float = 0.1,
    ) -> "Task":
        """tokenizer: word, char or byte-pair.  vocabulary: most tokens known.  length: tokens the
        model sees (default: what 99 % of the training texts need, at most 512).  word_dropout:
        fraction of tokens made unknown in training, so that unknown ones are nothing new."""
        if len(train) == 0:
            raise DataError("there are no training texts.", "check the path and the split.")
        if any(label is None for label in train.y):
            raise DataError("some training texts have no class.", "fill the labels in, or take those texts out.")
        classes = in_order(train.y)
        if len(classes) < 2:
            raise DataError(
                f"all training texts are of class {some(classes)}.", "a classifier needs at least two classes."
            )
        learned = text.Tokenizer.learn(tokenizer, train.x, size=vocabulary)
        rows = [learned.encode(one) for one in train.x]
        length = length or text.usual_length(rows)
        longer = sum(len(row) > length for row in rows)
        if longer > 0.02 * len(rows):
            data.warnings.append(
                f"{longer} of {len(rows)} training texts have more than {length} tokens; "
                "the rest of them is not read (--set task.length=N)"
            )
        return cls(
            classes=classes,
            tokenizer=tokenizer,
            vocabulary=list(learned.vocabulary),
            length=length,
            word_dropout=word_dropout,
            count=len(train),
        )

    @cached_property
    def tokens(self) -> text.Tokenizer:
        """The tokenizer that was learned."""
        return text.Tokenizer(self.tokenizer, self.vocabulary)

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        x = text.padded([self.tokens.encode(one) for one in examples.x], self.length)
        y = None
        if examples.y is not None:
            y = np.eye(len(self.classes), dtype=np.float32)[self.targets(examples)]
        return Forgetful(x, y, self.word_dropout) if training else task.Arrays(x, y)

    def inputs(self):
        return keras.Input((self.length,), dtype="int32", name="tokens")

    def stem(self, inputs, width: int | None):
        # mask: padding is neither attended to nor in the mean
        return layers.Embedding(self.tokens.size, width or 128, mask_zero=True, name="stem_embedding")(inputs)

    def pooled(self, features):
        """The mean over the words and, of every feature, the largest: one word may decide."""
        return task.mean_and_largest(features) if len(features.shape) == 3 else super().pooled(features)

    def describe(self) -> str:
        known = f"{len(self.vocabulary):,}".replace(",", " ")
        count = f"{self.count:,}".replace(",", " ")
        return f"{len(self.classes)} classes, {count} texts of up to {self.length} tokens, {known} known"


@dataclass(frozen=True)
class Forgetful(task.Arrays):
    """Token ids (n, T) with classes (n, K); in every batch a share of the tokens is unknown (Iyyer et al., 2015)."""

    share: float

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        x, y = super().batch(indices, rng)
        forgotten = (rng.random(x.shape, dtype=np.float32) < self.share) & (x != text.PADDING)
        return np.where(forgotten, np.int32(text.UNKNOWN), x), y
