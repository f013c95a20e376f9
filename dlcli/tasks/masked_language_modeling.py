"""Which words were hidden in a text, from those on both sides: pre-training for classifiers of text."""

from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from keras import layers

from dlcli import metrics, task, text
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError
from dlcli.tasks.language_modeling import negative_log


@dataclass(kw_only=True)
class Task(task.Task):
    """Texts with some tokens hidden (B, T) -> logits (B, T, V) for what stood there (Devlin et al., 2019).

    A hidden token is an unknown one: a classifier meets those too, so nothing in the vocabulary is for
    pre-training only. Frequent tokens are hidden less often, as word2vec skips them (Mikolov et al., 2013):
    a few thousand sentences say more about what goes with "dull" than about where "the" stands. After SST-2's
    6 920 sentences 200 labels taught 0.59 to 0.61, from fresh weights 0.52 to 0.54 (README). Labels are not
    looked at.
    """

    KINDS = {"texts"}
    LABELS = "any"
    NEEDS = {"tokens", "bidirectional"}
    EACH = "nats_per_token"
    PREFERS = ("encoder", "bilstm")
    # few texts are read many times
    FIT = {"epochs": 40, "batch_size": 32, "learning_rate": 3e-3}
    INPUT = {"tokenizer": "tokenizer", "vocabulary": "vocabulary", "length": "length"}
    headline = "nats_per_token"

    tokenizer: str
    vocabulary: list[str]
    length: int
    hidden: float
    weights: list[float]
    count: int

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        tokenizer: str = "word",
        vocabulary: int = 8000,
        length: int | None = None,
        hidden: float = 0.15,
        frequent: float = 1e-4,
    ) -> "Task":
        """tokenizer: word, char or byte-pair.  vocabulary: most tokens known; of words those that occur twice.
        length: tokens the model sees (default: what 99 % of the training texts need, at most 512).  hidden: share
        of the tokens of a text.  frequent: from this share of all tokens on, a token is hidden more seldom, by the
        root of its share; 1 for all alike."""
        if len(train) == 0:
            raise DataError("there are no training texts.", "check the path and the split.")
        if not 0 < hidden < 1:
            raise DlcliError(f"task.hidden = {hidden} is not between 0 and 1.", "0.15 is usual.")
        if not frequent > 0:
            raise DlcliError(f"task.frequent = {frequent} is not above 0.", "1 hides all tokens alike.")
        learned = text.Tokenizer.learn(tokenizer, train.x, size=vocabulary, at_least=2 if tokenizer == "word" else 1)
        rows = [learned.encode(one) for one in train.x]
        counts = np.bincount(np.concatenate(rows), minlength=learned.size)[text.FIRST :]
        share = counts / max(1, counts.sum())
        weights = np.minimum(1.0, np.sqrt(frequent / np.maximum(share, 1e-12)))
        return cls(
            tokenizer=tokenizer,
            vocabulary=list(learned.vocabulary),
            length=length or text.usual_length(rows),
            hidden=hidden,
            weights=[float(f"{weight:.3g}") for weight in weights],
            count=len(train),
        )

    @cached_property
    def tokens(self) -> text.Tokenizer:
        """The tokenizer that was learned."""
        return text.Tokenizer(self.tokenizer, self.vocabulary)

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        ids = text.padded([self.tokens.encode(one) for one in examples.x], self.length)
        return Hidden(ids=ids, share=self.hidden, weights=np.array([0.0, 0.0, *self.weights]), anew=training)

    def inputs(self):
        return keras.Input((self.length,), dtype="int32", name="tokens")

    def stem(self, inputs, width: int | None):
        # mask: padding is neither attended to nor read by a recurrent layer
        self._embedding = layers.ReversibleEmbedding(
            self.tokens.size, width or 128, mask_zero=True, reverse_dtype="float32", name="stem_embedding"
        )
        return self._embedding(inputs)

    def head(self, features):
        """The words' own vectors tell them apart (Press & Wolf, 2017): what little text teaches, it teaches twice."""
        if features.shape[-1] != self._embedding.output_dim:
            features = layers.Dense(self._embedding.output_dim, name="head_dense")(features)
        return self._embedding(features, reverse=True)

    def loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=text.PADDING)

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        asked = y != text.PADDING
        return {
            "nll": np.where(asked, negative_log(y_pred, y), 0.0).sum(axis=1),
            "right": (asked & (np.argmax(y_pred, axis=-1) == y)).sum(axis=1),
            "tokens": asked.sum(axis=1),
        }

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        return metrics.cloze(measures["nll"], measures["right"], measures["tokens"])

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        # texts differ in length: so weighted, the mean is that of all hidden tokens
        return "nats_per_token", measures["nll"] / measures["tokens"].mean()

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> list[dict]:
        """One row per text: how well its hidden words were guessed."""
        rows = []
        for i, one in enumerate(examples.x):
            count = int(outputs["tokens"][i])
            rows.append(
                {
                    "name": str(i),
                    "text": one,
                    "hidden": count,
                    "right": int(outputs["right"][i]),
                    "nats_per_token": float(outputs["nll"][i] / max(1, count)),
                }
            )
        return rows

    def describe(self) -> str:
        known = f"{len(self.vocabulary):,}".replace(",", " ")
        count = f"{self.count:,}".replace(",", " ")
        return f"{count} texts of up to {self.length} tokens, {known} known, {self.hidden:.0%} of them hidden"


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """x (B, T): token ids, some of them made unknown.  y (B, T): those tokens, padding elsewhere.

    ids (n, T), right-padded.  share: of the known tokens of a text, one at least.  weights: how readily each id is
    hidden.  anew: which ones is drawn in every batch; else it is a function of the text's position.
    """

    ids: np.ndarray
    share: float
    weights: np.ndarray
    anew: bool

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        ids = self.ids[indices]
        if self.anew:
            drawn = rng.standard_exponential(ids.shape)
        else:
            drawn = np.stack([np.random.default_rng([13, int(i)]).standard_exponential(ids.shape[1]) for i in indices])
        known = ids >= text.FIRST
        # clocks that ring the sooner the greater the weight: the first of them are a draw without replacement
        rings = np.where(known, drawn / np.where(known, self.weights[ids], 1.0), np.inf)
        count = np.maximum(1, np.round(self.share * known.sum(axis=1)))
        hidden = known & (rings.argsort(axis=1).argsort(axis=1) < count[:, None])
        return np.where(hidden, np.int32(text.UNKNOWN), ids), np.where(hidden, ids, np.int32(text.PADDING))
