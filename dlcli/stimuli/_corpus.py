"""A text as words in a row: where each begins and ends, what it is, and what it follows."""

import re
from collections import Counter

import numpy as np

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
STOP = re.compile(r"[.!?…。！？؟।]|\n\s*\n")
LIMIT = 4_000_000  # characters that are looked at; more would only cost time
PIECE = 50_000  # characters
AFTER = 8  # characters of a window after the one that is read


class Corpus:
    """Words (W,) of all documents in a row.

    Attributes: `text` of all documents; `starts`, `ends` of the words in it (W,); `ids` (W,), 0 the
    most frequent word; `words` by id; `counts` by id; `document` (W,); `previous` (W,) id of the word
    before if only blanks are between, else -1; `since` (W,) words since the sentence began, 1 for
    the first.
    """

    def __init__(self, texts: list[str], length: int):
        self.length, self.after = length, min(AFTER, length // 8)
        pieces = [(i, piece) for i, text in enumerate(texts) for piece in _pieces(text)]
        total = sum(len(piece) for _, piece in pieces)
        if total > LIMIT:
            kept = np.linspace(0, len(pieces) - 1, max(1, int(len(pieces) * LIMIT / total))).astype(int)
            pieces = [pieces[i] for i in kept]
        self.text = "\n\n".join(piece for _, piece in pieces)
        sizes = np.array([len(piece) + 2 for _, piece in pieces] or [2])
        self._borders = np.concatenate([[0], np.cumsum(sizes)])  # (pieces + 1,)
        spans = np.array([match.span() for match in WORD.finditer(self.text)], dtype=int).reshape(-1, 2)
        self.starts, self.ends = spans.T
        self.document = np.array([i for i, _ in pieces] or [0])[self._piece(self.starts)]
        found = [self.text[start:end].casefold() for start, end in spans]
        ranked = Counter(found).most_common()
        self.words = [word for word, _ in ranked]
        self.counts = np.array([count for _, count in ranked], dtype=int)
        order = {word: i for i, word in enumerate(self.words)}
        self.ids = np.array([order[word] for word in found], dtype=int)
        self._link()

    def _link(self):
        """Previous words and places in the sentence, from what lies between two words."""
        self.previous, self.since = np.full(len(self.ids), -1), np.ones(len(self.ids), dtype=int)
        piece = self._piece(self.starts)
        for i in range(1, len(self.ids)):
            between = self.text[self.ends[i - 1] : self.starts[i]]
            if piece[i] != piece[i - 1]:
                continue
            if between.isspace():
                self.previous[i] = self.ids[i - 1]
            if between == " " or not STOP.search(between):
                self.since[i] = self.since[i - 1] + 1

    def codes(self) -> np.ndarray:
        """The text as code points (characters,)."""
        return np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)

    def readable(self) -> np.ndarray:
        """Words (W,) that can be read at their last character: windows are full where there are enough.

        Where all windows are equally long, the place in the window says nothing about the label.
        """
        before = self.ends - self._borders[self._piece(self.starts)]
        fits = self.ends - self.starts <= self.length - self.after
        full = fits & (before >= self.length - self.after)
        return full if full.sum() >= len(full) / 4 else fits

    def window(self, at: int) -> tuple[str, int]:
        """At most `length` characters of one document around the character `at`, and its place in them.

        They begin with a word and end a few characters after the one that is read.
        """
        piece = self._piece(at)
        end = min(at + 1 + self.after, self._borders[piece + 1] - 2)
        begin = max(self._borders[piece], end - self.length)
        first = np.searchsorted(self.starts, begin)
        if first < len(self.starts) and self.starts[first] <= at:
            begin = self.starts[first]
        return self.text[begin:end], int(at - begin)

    def _piece(self, at):
        return np.searchsorted(self._borders, at, side="right") - 1


def _pieces(text):
    return [text[i : i + PIECE] for i in range(0, len(text), PIECE)] if len(text) > LIMIT else [text]


def clusters(corpus: Corpus, count: int, rng: np.random.Generator, *, words: int = 200, rare: int = 20) -> np.ndarray:
    """Class of each of the most frequent words by the company it keeps; empty for too small a text.

    Positive pointwise mutual information with the neighbours on both sides, its singular vectors
    (Bullinaria and Levy, 2012), and spherical k-means.
    """
    words = min(words, int((corpus.counts >= rare).sum()))
    if words < 10 * count:
        return np.empty(0, dtype=int)
    table = np.zeros((words, 2 * words))
    right, left = corpus.ids[1:], corpus.previous[1:]
    near = (right < words) & (left >= 0) & (left < words)
    np.add.at(table, (right[near], left[near]), 1)
    np.add.at(table, (left[near], words + right[near]), 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / max(table.sum(), 1)
    positive = np.log(np.maximum(table, 1e-12) / np.maximum(expected, 1e-12)).clip(min=0)
    u, s, _ = np.linalg.svd(positive, full_matrices=False)
    points = (u * np.sqrt(s))[:, :20]
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return max((_k_means(points, count, rng) for _ in range(20)), key=lambda found: found[0])[1]


def _k_means(points, count, rng):
    """Total likeness and classes (n,) from a random start."""
    centres = points[rng.choice(len(points), count, replace=False)]
    for _ in range(50):
        likeness = points @ centres.T
        classes = likeness.argmax(axis=1)
        sums = np.stack([points[classes == k].sum(axis=0) for k in range(count)])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return likeness.max(axis=1).sum(), classes
