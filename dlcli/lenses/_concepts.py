"""Positions of a text inside and outside of brackets and quotes, early and late in lines and sentences."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONCEPTS = ("inside brackets", "inside quotes", "late in the line", "late in the sentence")
# Positions with a concept that are taken, and how few of them say nothing.
MOST, FEWEST = 150, 15
# Characters of text that are looked through, and the longest pair: a longer one is a bracket never closed.
_READ, _LONGEST = 300_000, 500
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_QUOTES = {"“": "”", "«": "»"}
_ENDS = {"late in the line": r"\n", "late in the sentence": r"[.!?]+\s"}


@dataclass(frozen=True, kw_only=True)
class Positions:
    """n windows of text, the character of each that is asked about (n,), and whether the concept holds there (n,)."""

    texts: list[str]
    at: np.ndarray
    y: np.ndarray


def positions(texts: Sequence[str], length: int, concept: str, rng: np.random.Generator) -> Positions | None:
    """At most MOST positions with a concept and as many without, each pair of one character.

    A window ends with its position and has at most `length` characters; what opened the bracket, or the
    line, is in it. None where the text has too few.
    """
    rows, read = [], 0
    for i, text in enumerate(texts):
        if read >= _READ:
            break
        text = text[: _READ - read]
        read += len(text)
        value, since = _scanned(text, concept)
        at = np.flatnonzero((value >= 0) & (np.arange(len(text)) - since < length))
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        rows.append(np.stack([np.full(len(at), i), at, value[at], codes[at]], axis=1))
    rows = np.concatenate(rows) if rows else np.empty((0, 4), np.int64)
    if concept in _ENDS:
        # Without an end in sight there are no lines.
        if sum(len(re.findall(_ENDS[concept], text)) for text in texts) < FEWEST or not len(rows):
            return None
        rows[:, 2] = rows[:, 2] > np.median(rows[:, 2])
    pairs = _paired(rows, rng)
    if len(pairs) < FEWEST:
        return None
    chosen = rows[rng.permutation(pairs)[:MOST].reshape(-1)]
    return Positions(
        texts=[texts[i][max(0, at + 1 - length) : at + 1] for i, at in chosen[:, :2]],
        at=np.minimum(chosen[:, 1], length - 1),
        y=chosen[:, 2].astype(np.int64),
    )


def _paired(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices (pairs, 2) of rows with and without the concept that have the same character."""
    pairs = [np.empty((0, 2), np.int64)]
    for code in np.unique(rows[:, 3]):
        yes, no = (rng.permutation(np.flatnonzero((rows[:, 3] == code) & (rows[:, 2] == y))) for y in (1, 0))
        few = min(len(yes), len(no))
        pairs.append(np.stack([yes[:few], no[:few]], axis=1))
    return np.concatenate(pairs)


def _scanned(text: str, concept: str) -> tuple[np.ndarray, np.ndarray]:
    """For each character 1 or 0 (or how far it is behind the last end), -1 for signs themselves; and where that began."""
    place = np.arange(len(text))
    if concept in _ENDS:
        since = np.zeros(len(text), np.int64)
        for end in re.finditer(_ENDS[concept], text):
            since[end.end() :] = end.end()
        return place - since, since
    value, since = np.zeros(len(text), np.int64), place.copy()
    for opened, closed in _brackets(text) if concept == "inside brackets" else _quotes(text):
        since[opened + 1 : closed] = np.where(value[opened + 1 : closed] == 1, since[opened + 1 : closed], opened)
        value[opened + 1 : closed] = 1
    signs = "()[]{}" if concept == "inside brackets" else '"“”«»'
    value[[i for i, character in enumerate(text) if character in signs]] = -1
    return value, since


def _brackets(text: str, pairs: dict[str, str] = _PAIRS) -> list[tuple[int, int]]:
    """(open, close) of all that are closed, the outer ones first."""
    waiting, found = [], []
    for i, character in enumerate(text):
        if character in pairs:
            waiting.append(i)
        elif character in pairs.values():
            while waiting and pairs[text[waiting[-1]]] != character:
                waiting.pop()
            if waiting:
                found.append((waiting.pop(), i))
    return sorted(pair for pair in found if pair[1] - pair[0] <= _LONGEST)


def _quotes(text: str) -> list[tuple[int, int]]:
    """Curly and angled ones as brackets; straight ones by turns, anew in each paragraph."""
    found = _brackets(text, _QUOTES)
    start = 0
    for paragraph in re.split(r"(\n\s*\n)", text):
        marks = [start + i for i, character in enumerate(paragraph) if character == '"']
        found += list(zip(marks[::2], marks[1::2], strict=False))
        start += len(paragraph)
    return sorted(pair for pair in found if pair[1] - pair[0] <= _LONGEST)
