"""Classes at the beginning of picture files' names, as in cat.0.jpg and dog.0.jpg (Dogs vs. Cats) or Abyssinian_12.jpg."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

# A word, or several, and a number set off from it; or letters with a number right behind them.
_NUMBERED = re.compile(r"(?P<name>\w.*?)(?:[ ._-]+\(?\d+\)?|(?<=[^\W\d_])\d+)")
# What cameras and programs put before a number.
_NO_CLASS = re.compile(
    "img|images?|dscn?|dscf|pxl|pic|pictures?|photos?|frame|scan|page|screenshot|untitled|new|copy|crop|tile|patch|sample|"
    "example|test|train|val|valid|validation|noisy|clean|"
)
EACH = 5  # pictures of a class, at least
MOST = 1_000


def named(name: str) -> str | None:
    """What stands before the number of a file's name."""
    found = _NUMBERED.fullmatch(PurePath(name).stem)
    return found["name"] if found else None


def classes(names: Sequence[str]) -> list[str]:
    """The classes that files are of; none where one is not called by a class and a number, or a class has few."""
    counts = Counter(map(named, names))
    if None in counts or not 2 <= len(counts) <= MOST or min(counts.values()) < EACH:
        return []
    words = [re.sub(r"[\W\d_]+", " ", name).strip().casefold() for name in counts]
    return [] if any(map(_NO_CLASS.fullmatch, words)) else sorted(counts)
