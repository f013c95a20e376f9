"""What comes next in a text, character by character; generates text."""

from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from keras import layers

from dlcli import metrics, sampling, task, text
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError


@dataclass(kw_only=True)
class Task(task.Task):
    """A text as ids, cut into windows: x (B, T) -> logits (B, T, V) for the token after each.

    Documents follow one another with an end token before each. A position sees the tokens before
    it in its window: none at a window's first but one, T - 1 at its last, unless `stride` is less.
    """

    KINDS = {"corpus", "texts"}
    LABELS = "none"
    NEEDS = {"tokens", "causal"}
    EACH = "nats_per_character"
    PREFERS = ("gpt", "lstm")
    INPUT = {"tokenizer": "tokenizer", "vocabulary": "vocabulary", "length": "context"}
    headline = "nats_per_character"

    tokenizer: str
    vocabulary: list[str]
    context: int
    stride: int
    windows: int
    length: int

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        tokenizer: str = "char",
        vocabulary: int = 2000,
        context: int = 128,
        stride: int | None = None,
        windows: int | None = None,
    ) -> "Task":
        """tokenizer: char or byte-pair.  vocabulary: most tokens.  context: tokens in a window.
        stride: tokens that each window of an evaluation predicts (default: all in it; fewer give each
        more text before it, and cost more).  windows: drawn per epoch (default: as many as cover the text)."""
        if tokenizer == "word":
            raise DlcliError(
                "a language model over words cannot say how likely a character is.",
                "use task.tokenizer=char or byte-pair.",
            )
        if not (1 <= (stride or context) <= context):
            raise DlcliError(f"task.stride = {stride} is not in 1..{context} (task.context).")
        learned = text.Tokenizer.learn(tokenizer, train.x, size=vocabulary - 1)
        made = cls(
            tokenizer=tokenizer,
            vocabulary=[*learned.vocabulary, text.END],
            context=context,
            stride=stride or context,
            windows=windows or 1,
            length=0,
        )
        made.length = len(made.stream(train)) - 1
        if made.length < 2:
            raise DataError("the training text is empty.", "check the path and the split.")
        made.windows = windows or -(-made.length // context)
        if made.length < context:
            data.warnings.append(f"the training text has {made.length} tokens, less than one window of {context}")
        return made

    def adopting(self, source: task.Task, train: Examples) -> "Task":
        if text.END not in source.vocabulary:
            raise DlcliError(
                "the source has no token for the end of a text, which a language model needs.",
                "start from a language model.",
            )
        made = super().adopting(source, train)
        made.stride = min(made.stride, made.context)
        made.length = len(made.stream(train)) - 1
        made.windows = -(-made.length // made.context)
        return made

    @cached_property
    def tokens(self) -> text.Tokenizer:
        """The tokenizer that was learned, the end token in its vocabulary."""
        return text.Tokenizer(self.tokenizer, self.vocabulary)

    @property
    def end(self) -> int:
        """Id of the end token."""
        return text.FIRST + self.vocabulary.index(text.END)

    def stream(self, examples: Examples) -> np.ndarray:
        """Every document after an end token, as one row of ids."""
        parts = [part for one in examples.x for part in ([self.end], self.tokens.encode(one))]
        return np.concatenate([np.empty(0, np.int32), *parts]).astype(np.int32)

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        ids = self.stream(examples)
        if training:
            return Anywhere(ids=ids, context=self.context, windows=self.windows)
        return Consecutive(ids=ids, context=self.context, stride=self.stride)

    def inputs(self):
        return keras.Input((self.context,), dtype="int32", name="tokens")

    def stem(self, inputs, width: int | None):
        # no mask: padding is on the right, where no position looks
        return layers.Embedding(self.tokens.size, width or 128, name="stem_embedding")(inputs)

    def head(self, features):
        # float32: a sum of exponentials over the vocabulary.  0.02: the first loss is ln V
        first = keras.initializers.RandomNormal(stddev=0.02)
        return layers.Dense(self.tokens.size, kernel_initializer=first, dtype="float32", name="head_logits")(features)

    def loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=text.PADDING)

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        counted = y != text.PADDING
        counts = self._characters[y]  # the end token and padding are no characters
        return {
            "nll": np.where(counted, negative_log(y_pred, y), 0.0).sum(axis=1),
            "tokens": counted.sum(axis=1),
            "characters": np.where(counted, counts, 0).sum(axis=1),
        }

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        return metrics.language(measures["nll"], measures["tokens"], measures["characters"])

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        # windows differ in length: so weighted, the mean is that of all characters
        return "nats_per_character", measures["nll"] / measures["characters"].mean()

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> list[dict]:
        """One row per window: how surprising its text is."""
        source = self.source(examples, training=False)
        rows = []
        for i, nll in enumerate(outputs["nll"]):
            _, y = source.batch(np.array([i]), np.random.default_rng(0))
            shown = self.tokens.decode(y[0][y[0] != self.end])
            per_character = float(nll / max(1, outputs["characters"][i]))
            rows.append({"name": str(i), "text": shown, "nats_per_character": per_character})
        return rows

    def describe(self) -> str:
        length = f"{self.length:,}".replace(",", " ")
        kind = "characters" if self.tokenizer == "char" else "tokens"
        return f"{length} {kind}, {len(self.vocabulary)} different ones, in windows of {self.context}"

    def generate(
        self,
        model,
        *,
        n: int = 1,
        length: int = 500,
        prompt: str = "",
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[str]:
        """n texts that go on from the prompt, of at most `length` new tokens each.

        temperature: below 1 more careful, above 1 wilder, 0 always the most probable token.  top_k:
        draw from so many most probable tokens.  top_p: draw from the most probable that hold this share.
        """
        start = np.concatenate([[self.end], self.tokens.encode(prompt)]).astype(np.int32)
        drawn = sampling.sample(
            model,
            start,
            n=n,
            length=length,
            context=self.context,
            forbidden=[text.PADDING, text.UNKNOWN],
            end=self.end,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
        )
        return [prompt + self.tokens.decode(ids[ids != self.end]) for ids in drawn]

    @cached_property
    def _characters(self) -> np.ndarray:
        counts = self.tokens.characters()
        counts[self.end] = 0
        return counts


@dataclass(frozen=True, kw_only=True)
class Anywhere:
    """Training windows. Number i begins somewhere, drawn anew in every epoch, in the i-th of equal
    stretches of the text: an epoch goes through all of it, and never twice in the same windows."""

    ids: np.ndarray
    context: int
    windows: int

    def __len__(self) -> int:
        return self.windows

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        last = max(0, len(self.ids) - 1 - self.context)  # where the last whole window begins
        starts = (np.asarray(indices) + rng.random(len(indices))) * (last + 1) / self.windows
        return _windows(self.ids, starts.astype(np.int64), self.context)


@dataclass(frozen=True, kw_only=True)
class Consecutive:
    """Windows that predict every token but the first end token exactly once, in order.

    Window i predicts tokens i * stride + 1 ... (i + 1) * stride, the others in it are context only.
    """

    ids: np.ndarray
    context: int
    stride: int

    def __len__(self) -> int:
        return -(-(len(self.ids) - 1) // self.stride)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        first = np.asarray(indices) * self.stride
        starts = np.maximum(0, first + self.stride - self.context)
        x, y = _windows(self.ids, starts, self.context)
        position = starts[:, None] + np.arange(self.context)
        mine = (position >= first[:, None]) & (position < first[:, None] + self.stride)
        return x, np.where(mine, y, text.PADDING)


def _windows(ids: np.ndarray, starts: np.ndarray, context: int) -> tuple[np.ndarray, np.ndarray]:
    """x (B, T) and the tokens after each, y (B, T). Behind the end of the text is padding."""
    position = starts[:, None] + np.arange(context + 1)
    window = np.where(position < len(ids), ids[np.minimum(position, len(ids) - 1)], text.PADDING)
    x = np.where(position[:, 1:] < len(ids), window[:, :-1], text.PADDING)
    return x.astype(np.int32), window[:, 1:].astype(np.int32)


def negative_log(logits, y: np.ndarray) -> np.ndarray:
    """-ln softmax(logits)[y] in nats: logits (B, T, V), y (B, T) -> (B, T)."""
    logits = np.asarray(logits, np.float32)
    top = logits.max(axis=-1)
    total = top + np.log(np.exp(logits - top[..., None]).sum(axis=-1))
    return total - np.take_along_axis(logits, y[..., None], axis=-1)[..., 0]
