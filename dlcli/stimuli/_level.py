"""A level: stimuli, the label to be read from them, and what else varies."""

from dataclasses import dataclass

import numpy as np

# The level of the user's own classes, beside those of stimuli: nobody has made sure that lower levels do not tell them.
CATEGORY = "category"


@dataclass(frozen=True, kw_only=True)
class Level:
    """n stimuli of one level.

    Args:
        x: an array (n, ...) or a list of n texts.
        y: labels (n,), integers into `names`, each as frequent as the others to within one.
        control: type of each stimulus (n,), integers that repeat and that say nothing about y. Labels
            drawn at random per type tell how much a probe learns by heart (Hewitt and Liang, 2019).
        position: index (n,) of the step or character whose state carries the label; None: all of it.
        group: integers (n,); stimuli of one group must not be both learned from and tested on.
    """

    name: str
    x: np.ndarray | list[str]
    y: np.ndarray
    names: tuple[str, ...]
    control: np.ndarray
    position: np.ndarray | None = None
    group: np.ndarray | None = None
