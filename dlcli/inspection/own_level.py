"""The user's own classes as a level beside those of stimuli: what is in the picture, what kind of series it is."""

from dataclasses import replace

import numpy as np

from dlcli.inspection.probes import control_types
from dlcli.inspection.rows import KEPT, raw_of
from dlcli.inspection.subject import Stimuli, Subject
from dlcli.stimuli._level import CATEGORY, Level

# Fewer examples of all, or of a class, would tell nothing.
LEAST, LEAST_OF_A_CLASS = 100, 5
# Texts have one already: the topic, read where no word gives it away.
_ENTRIES = ("pictures", "series")


def with_own(subject: Subject, *, most: int = KEPT) -> Stimuli | None:
    """The subject's stimuli, with its classes as one more level where there are enough among the first `most` examples.

    Pixels may tell classes, and so may an untrained twin: only what the layers know beyond these counts, as for
    any level. Lower levels may tell them too (a fox by its colour), so classes have no place in the order.
    """
    stimuli, labels = subject.stimuli, subject.labels
    if not _fit(subject) or subject.learned:
        return stimuli
    classes, counts = np.unique(labels[:most], return_counts=True)
    chosen = np.flatnonzero(np.isin(labels[:most], classes[counts >= LEAST_OF_A_CLASS]))
    if len(chosen) < LEAST or len(np.unique(labels[chosen])) < 2:
        return stimuli
    classes, codes = np.unique(labels[chosen], return_inverse=True)
    names = tuple(subject.classes[number] if subject.classes else str(number) for number in classes)
    control = control_types(raw_of(subject.read, chosen))
    own = Level(name=CATEGORY, x=chosen, y=codes, names=names, control=control)

    def feed(level: Level):
        if level.name == CATEGORY:
            return lambda rows: subject.read(level.x[rows]), None
        return stimuli.feed(level)

    return replace(stimuli, feed=feed, own=own)


def left_out(subject: Subject) -> list[str]:
    """A sentence where classes are no level because the network was trained on these very examples."""
    if not _fit(subject) or not subject.learned:
        return []
    return ["the classes are not read as a level: the network was trained on these examples and may know them by heart"]


def _fit(subject: Subject) -> bool:
    stimuli = subject.stimuli
    return stimuli is not None and stimuli.entry in _ENTRIES and subject.labels is not None and subject.read is not None
