"""The list: a case of the scorecard, what it is called, and the words that its refusal must have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """build: (folder, canary) -> the file; canary is a path that nothing may open.  late: refused by Keras' reading."""

    number: str
    name: str
    words: str
    build: Callable[[Path, Path], Path]
    late: bool = False


CASES: list[Case] = []


def hostile(number: str, words: str, *, late: bool = False):
    """Put a builder on the list."""

    def add(build):
        CASES.append(Case(number, build.__name__, words, build, late))
        return build

    return add


def many(number: str, words: str, names, *, late: bool = False):
    """The same for a builder that takes one more argument, once for each."""

    def add(build):
        for name, value in names.items():
            CASES.append(Case(number, f"{build.__name__}[{name}]", words, lambda f, c, v=value: build(f, c, v), late))
        return build

    return add
