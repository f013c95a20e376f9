"""Text files whose lines hold a label and a text: `1 a fine film`, `__label__spam buy now`, `sport<tab>they won`."""

import re
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import DataError, counted, some
from dlcli.formats import _encoding, _files, class_files, ucr

SUFFIXES = {"", ".txt", ".all", ".train", ".test", ".dev", ".val", ".valid", ".ft", ".lines", ".label"}
# Ways to write a line, and how many lines there are at least for each label. A word in front is a label where all
# lines begin with one of few.
WAYS = (
    (re.compile(r"(?P<label>-?\d{1,3}|__label__\S+)[ \t]+(?P<text>\S.*)$"), 4),
    (re.compile(r"(?P<label>[^\t]{1,60})\t(?P<text>[^\t]*\S[^\t]*)$"), 8),
    (re.compile(r"(?P<text>[^\t]*\S[^\t]*)\t(?P<label>[^\t]{1,60})$"), 8),
    (re.compile(r"(?P<text>.*\S);(?P<label>[^;]{1,60})$"), 8),
    (re.compile(r"(?P<label>[^\W\d]\S{0,59})[ \t]+(?P<text>\S.*)$"), 8),
)
LABELLED = 0.95  # share of lines that must have a label
MOST = 100  # labels
WORD = re.compile(r"[^\W\d_]{2}")  # what texts hold, and rows of numbers do not


def matches(path: Path) -> bool:
    return bool(_files.split_files(path, _is_labelled)) and not (class_files.matches(path) or ucr.matches(path))


def open(path: Path, *, encoding: str | None = None) -> Data:
    """Texts with their labels, as the file has them.  encoding: of the characters (default: what they look like)."""
    files = _files.required(_files.split_files(path, _is_labelled), path, "file of labelled lines")
    splits, warnings, way = {}, [], _way(next(iter(files.values())))
    if way is WAYS[-1][0]:
        warnings.append("the first word of each line is taken as its label (as running text: --format text-file)")
    for name, file in files.items():
        text, notes = _encoding.decode(file, encoding)
        warnings += notes
        splits[name] = _examples(file, text, way, warnings)
    if path.is_file() and len(files) > 1:
        warnings.append(f"used as one data set: {', '.join(file.name for file in files.values())}")
    return Data(kind="texts", splits=splits, about={"target_kind": "classes"}, warnings=warnings)


def _is_labelled(file: Path) -> bool:
    return _way(file) is not None


def _way(file: Path) -> re.Pattern | None:
    """How nearly all lines have one of few labels; numbered headings have many."""
    if file.suffix.lower() not in SUFFIXES or file.name.startswith("."):
        return None
    try:
        with file.open("rb") as stream:
            lines = stream.read(20_000_000).decode("latin-1").split("\n")
    except OSError:
        return None
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) < 4 or sum(WORD.search(line) is not None for line in lines) < len(lines) / 2:
        return None
    return next((way for way, each in WAYS if len(lines) >= 2 * each - 4 and _fits(way, each, lines)), None)


def _fits(way: re.Pattern, each: int, lines: list[str]) -> bool:
    """Whether nearly all lines are written so. Prose is given up early: it is read by every command."""
    most = min(MOST, max(2, len(lines) // each))
    labels, texts, missed = set(), set(), 0
    for line in lines:
        match = way.match(line)
        if match is None:
            missed += 1
        else:
            labels.add(match["label"])
            if len(texts) <= most:  # so many are enough
                texts.add(match["text"])
        if len(labels) > most or len(lines) - missed < LABELLED * len(lines):
            return False
    # numbers in front are labels whatever follows
    return len(labels) >= 2 and (way is WAYS[0][0] or len(texts) > len(labels))


def _examples(file: Path, text: str, way: re.Pattern, warnings: list[str]) -> Examples:
    texts, labels, names, empty = [], [], [], []
    # Only "\n" ends a line: splitlines() would also cut at byte 0x85, which Latin-1 texts hold.
    for number, line in enumerate(text.split("\n"), 1):
        match = way.match(line.strip())
        if match is None:
            if line.strip():
                empty.append(number)
            continue
        label, words = match["label"], match["text"]
        if label.startswith("__label__") and words.startswith("__label__"):
            raise DataError(f"{file}, line {number} has several labels.", "one label per text can be learned.")
        labels.append(label.removeprefix("__label__").strip())
        texts.append(words.strip())
        names.append(f"{file.name}:{number}")
    if empty:
        warnings.append(
            f"{counted(len(empty), 'line')} of {file.name} without a label or a text, left out: {some(empty)}"
        )
    return Examples(x=texts, y=np.array(labels, dtype=str), names=names)
