"""What a lens is given, and what it gives back."""

from dataclasses import dataclass, field
from typing import Any

from dlcli.inspection.rows import DataPass
from dlcli.inspection.strip import Strip
from dlcli.inspection.subject import Subject
from dlcli.inspection.tap import Visit
from dlcli.inspection.taps import Place
from dlcli.inspection.watch import Watch


@dataclass(frozen=True, kw_only=True)
class View:
    """A model opened up: `visits` are of a trace (shapes, no values), `places` what is measured."""

    subject: Subject
    visits: list[Visit]
    places: list[Place]
    watch: Watch
    data: DataPass | None
    strip: Strip | None
    batch_size: int
    seed: int

    def examples(self, n: int):
        """The first examples as the model takes them, at most n; of the data, else of the stimuli.

        None when there are neither.
        """
        import numpy as np

        if self.subject.read is not None:
            return self.subject.read(np.arange(min(n, self.subject.count)))
        if self.strip is not None and self.strip.levels:
            read, _ = self.subject.stimuli.feed(self.strip.levels[-1])
            return read(np.arange(min(n, len(self.strip.levels[-1].y))))
        return None


@dataclass(kw_only=True)
class Finding:
    """own: by place name, column title -> number or short text.  pictures: by place name ("" for the whole
    model), each {"title", "caption", "png" (base64), "alt"}.  tables: {"title", "columns", "rows", "note"}.
    methods: {"name", "formula", "source"}.  generator: what `coarse_to_fine.hierarchy` says of it."""

    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)
    methods: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    generator: dict[str, Any] | None = None
