"""What a format gives to a task: examples in splits, and what is known about them.

Formats import numpy but never Keras. What `x` holds depends on `Data.kind`:

| kind      | one x                                        | y                                    |
|-----------|----------------------------------------------|--------------------------------------|
| images    | Images.read(indices, ...) -> uint8 (B,H,W,C) | class names, numbers, or None        |
| table     | a row of a polars frame                      | class names or numbers (the target)  |
| series    | Span: rows of a (T, C) array to be forecast  | None                                 |
| sequences | float32 (T, C), T may differ                 | class names, numbers, or None        |
| texts     | str, one document                            | class names, or None                 |
| corpus    | str, one document to model                   | None                                 |
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np


class Images(Protocol):
    """Pictures in memory or on disk, read by position."""

    def __len__(self) -> int: ...

    def take(self, indices: np.ndarray) -> "Images":
        """The pictures at these positions, nothing read yet."""

    def size(self) -> tuple[int, int, int]:
        """Typical (height, width, channels) in pixels, found from a sample; channels is 1 or 3."""

    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of every picture, in pixels."""

    def whole(self, index: int, channels: int) -> np.ndarray:
        """One picture in its own size, uint8 (H, W, channels)."""

    def prepare(self, height: int, width: int, channels: int) -> "Images":
        """The same pictures at this size, decoded once and kept (in memory, or on disk when large)."""

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Pictures as uint8 (B, H, W, C) in 0..255; needs prepare() first."""


@dataclass(frozen=True)
class Span:
    """Rows start..stop of a series are to be forecast; rows before start are known history.

    values (T, C) float32, gaps are NaN.  times: T ISO strings or None.  name: of the series.
    """

    values: np.ndarray
    start: int
    stop: int
    name: str = ""
    times: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Examples:
    """One split: x and y as the table above says; names tell the user which example is meant."""

    x: Any
    y: Any = None
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices) -> "Examples":
        """The examples at these positions."""
        indices = np.asarray(indices)
        return Examples(x=_take(self.x, indices), y=_take(self.y, indices), names=_take(self.names, indices))


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a format found. `splits` has "train", "val", "test" (any of them but train may be
    missing), or only "all"."""

    kind: str
    splits: dict[str, Examples]
    about: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def _take(values, indices):
    if values is None:
        return None
    if hasattr(values, "take") and not isinstance(values, np.ndarray):
        return values.take(indices)
    if isinstance(values, np.ndarray):
        return values[indices]
    if hasattr(values, "gather_every"):  # a polars frame
        return values[indices]
    return [values[i] for i in indices]
