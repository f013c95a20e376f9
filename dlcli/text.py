"""Text into numbers and back: 0 is padding, 1 is unknown, a vocabulary's tokens follow from 2 on.

A tokenizer is its kind and its vocabulary, a plain list of strings that is learned from the
training split alone.
"""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from dlcli import pieces
from dlcli.errors import DlcliError

PADDING, UNKNOWN, FIRST = 0, 1, 2
# The token before every text's first and between two texts: longer than any character, and begun by a
# control character that texts do not hold.
END = "\x00<end>"
# What can be learned; "sentencepiece" comes with the weights of others.
KINDS = ("char", "word", "byte-pair")

# Treebank's way with English: don't -> do n't, it's -> it 's. Chinese and Japanese have no spaces:
# there each character is a word.
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"n't\b|'(?:s|re|ve|d|ll|m)\b|\d+(?:[.,]\d+)+|[{_CJK}]|[^\W{_CJK}]+(?=n't\b)|[^\W{_CJK}]+|[^\w\s]")
# What byte pairs are never merged across: a word with the space before it, a run of signs, of spaces.
_PIECE = re.compile(r" ?\w+| ?[^\w\s]+|\s+(?!\S)|\s+")


@dataclass(frozen=True)
class Tokenizer:
    """kind "char": characters as they are. "word": lower-case words and signs; spaces are lost.
    "byte-pair" (Sennrich et al., 2016): bytes and frequent runs of them; nothing is unknown.
    "sentencepiece": see pieces.py."""

    kind: str
    vocabulary: Sequence[str]

    @classmethod
    def learn(cls, kind: str, texts: Iterable[str], *, size: int = 20_000, at_least: int = 1) -> "Tokenizer":
        """The `size` most frequent tokens that occur `at_least` so often."""
        if kind not in KINDS:
            raise DlcliError(f"there is no tokenizer named {kind!r}.", f"known: {', '.join(KINDS)}.")
        if kind == "byte-pair":
            return cls(kind, _learn_pairs(texts, size))
        counts = Counter()
        for text in texts:
            counts.update(text if kind == "char" else words(text))
        # by frequency, then by name: the same on every machine
        common = sorted((-count, token) for token, count in counts.items() if count >= at_least)
        return cls(kind, [token for _, token in common[:size]])

    @property
    def size(self) -> int:
        """Number of ids, padding and unknown among them."""
        return FIRST + len(self.vocabulary)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: FIRST + i for i, token in enumerate(self.vocabulary)}

    @cached_property
    def _known_pieces(self) -> dict[str, list[int]]:
        return {}

    def encode(self, text: str) -> np.ndarray:
        """Ids (n,) int32, nothing added."""
        if self.kind == "byte-pair":
            return np.array([i for piece in _PIECE.findall(text) for i in self._piece(piece)], np.int32)
        if self.kind == "sentencepiece":
            return np.array(pieces.encode(text, self._ids, self._known_pieces), np.int32)
        ids = self._ids
        tokens = text if self.kind == "char" else words(text)
        return np.fromiter((ids.get(token, UNKNOWN) for token in tokens), np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """Text again; padding is nothing, unknown is \ufffd."""
        ids = [int(i) for i in ids if i != PADDING]
        if self.kind == "byte-pair":
            # An unknown byte cannot be part of UTF-8.
            joined = "".join("\xff" if i == UNKNOWN else self.vocabulary[i - FIRST] for i in ids)
            return joined.encode("latin-1").decode("utf-8", errors="replace")
        if self.kind == "sentencepiece":
            return pieces.decode("\ufffd" if i == UNKNOWN else self.vocabulary[i - FIRST] for i in ids)
        tokens = ["\ufffd" if i == UNKNOWN else self.vocabulary[i - FIRST] for i in ids]
        return ("" if self.kind == "char" else " ").join(tokens)

    def characters(self) -> np.ndarray:
        """How many characters each id stands for (size,). Bytes that go on with a character count 0."""
        counts = np.ones(self.size, np.int64)
        counts[PADDING] = 0
        for i, token in enumerate(self.vocabulary):
            if self.kind == "byte-pair":
                counts[FIRST + i] = sum(not 0x80 <= ord(byte) < 0xC0 for byte in token)
            elif self.kind == "sentencepiece" and (byte := pieces.byte_of(token)) is not None:
                counts[FIRST + i] = not 0x80 <= byte < 0xC0
            else:
                counts[FIRST + i] = len(token)
        return counts

    def _piece(self, piece: str) -> list[int]:
        """Merge the pair that was learned first, until no pair is in the vocabulary."""
        known = self._known_pieces
        if piece not in known:
            parts = list(piece.encode("utf-8").decode("latin-1"))
            while len(parts) > 1:
                last = self.size
                rank, at = min(
                    (self._ids.get(left + right, last), i) for i, (left, right) in enumerate(pairwise(parts))
                )
                if rank == last:
                    break
                parts[at : at + 2] = [parts[at] + parts[at + 1]]
            known[piece] = [self._ids[part] for part in parts]
        return known[piece]


def words(text: str) -> list[str]:
    """Lower-case words, numbers and signs."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def padded(rows: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Right-padded with 0 and cut off at `length`: (n, length) int32. A row of nothing is one unknown."""
    x = np.zeros((len(rows), length), np.int32)
    for i, ids in enumerate(rows):
        x[i, : len(ids)] = ids[:length]
        if len(ids) == 0:
            x[i, 0] = UNKNOWN
    return x


def usual_length(rows: Sequence[np.ndarray]) -> int:
    """What 99 % of the texts need, in tokens, from 8 to 512."""
    return int(np.clip(np.ceil(np.percentile([len(ids) for ids in rows], 99)), 8, 512))


def _learn_pairs(texts: Iterable[str], size: int) -> list[str]:
    """256 bytes, then in each round the most frequent pair of neighbours in the text becomes a token.

    Tokens are bytes written as latin-1 text, so that they go into JSON. The counts of pairs are
    kept up to date and not counted anew; a heap holds them, stale entries included.
    """
    vocabulary = [chr(byte) for byte in range(256)]
    pieces = Counter(piece for text in texts for piece in _PIECE.findall(text))
    rows = [list(piece.encode("utf-8").decode("latin-1")) for piece in pieces]
    weight = list(pieces.values())
    counts, where = Counter(), defaultdict(set)
    for i, row in enumerate(rows):
        for pair in pairwise(row):
            counts[pair] += weight[i]
            where[pair].add(i)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    known = set(vocabulary)
    while heap and len(vocabulary) < size:
        count, pair = heapq.heappop(heap)
        if counts[pair] != -count:
            continue
        if count > -2:
            break
        joined = pair[0] + pair[1]
        if joined not in known:
            known.add(joined)
            vocabulary.append(joined)
        changed = set()
        for i in where.pop(pair):
            for old in pairwise(rows[i]):
                counts[old] -= weight[i]
                changed.add(old)
            rows[i] = _merged(rows[i], pair)
            for new in pairwise(rows[i]):
                counts[new] += weight[i]
                where[new].add(i)
                changed.add(new)
        for other in changed:
            if counts[other] > 0:
                heapq.heappush(heap, (-counts[other], other))
    return vocabulary


def _merged(row: list[str], pair: tuple[str, str]) -> list[str]:
    merged, i = [], 0
    while i < len(row):
        if i + 1 < len(row) and (row[i], row[i + 1]) == pair:
            merged.append(row[i] + row[i + 1])
            i += 2
        else:
            merged.append(row[i])
            i += 1
    return merged
