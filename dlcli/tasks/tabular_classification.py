"""Classes of the rows of a table: numbers, categories, times and short texts together."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dlcli import columns as prepared
from dlcli import task
from dlcli.classification import Classification, in_order
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.tasks import _columns


@dataclass(kw_only=True)
class Task(Classification):
    KINDS = {"table"}
    LABELS = "classes"
    NEEDS = {"columns"}
    EACH = "accuracy"
    PREFERS = ("tabm", "mlp")

    target: str
    columns: list[dict]
    category_width: int
    count: int

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        numeric: str = "quantile",
        bins: int | None = None,
        words: int = 2000,
        category_width: int = 8,
    ) -> "Task":
        """numeric: quantile (ranks made normal) or standard.  bins: numbers also as so many filled
        bins; 0 for none, by default as many as the rows allow.  words: kept of each text column.
        category_width: of a category's embedding."""
        y = _columns.answers(train, data.about.get("target"))
        if y is None:
            raise DataError("the table has no target.", "name its column with --target.")
        classes = in_order(y.astype(str).tolist())
        if len(classes) < 2:
            message = f"all {len(y)} training rows have the same target: {classes[0]}."
            raise DataError(message, "at least two classes are needed.")
        if len(classes) > max(20, len(y) // 2):
            raise DataError(
                f"the target has {len(classes)} different values in {len(y)} rows, too many for classes.",
                "for numbers: --task tabular-regression.",
            )
        return cls(
            target=data.about.get("target") or "target",
            classes=classes,
            columns=_columns.learn(train, data, numeric=numeric, bins=bins, words=words),
            category_width=category_width,
            count=len(train),
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        known = self.answers(examples) is not None
        y = np.eye(len(self.classes), dtype=np.float32)[self.targets(examples)] if known else None
        return task.Arrays(prepared.encode(examples.x, self.columns), y)

    def answers(self, examples: Examples) -> np.ndarray | None:
        return _columns.answers(examples, self.target)

    def inputs(self):
        return _columns.inputs(self.columns)

    def stem(self, inputs, width: int | None):
        return _columns.stem(inputs, self.columns, category_width=self.category_width, width=width)

    def describe(self) -> str:
        rows = f"{self.count:,} rows".replace(",", " ")
        return f"{len(self.classes)} classes of {self.target}, {rows}, {_columns.summary(self.columns)}"

    # ---- for the baselines -------------------------------------------------------------------

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        named = Examples(x=examples.x, names=_columns.names(examples))
        for row, p in zip(super().rows(named, outputs), outputs["p"], strict=True):
            if len(self.classes) <= 10:
                row |= {f"p({label})": float(value) for label, value in zip(self.classes, p, strict=True)}
            yield row

    def labels(self, examples: Examples) -> list[str]:
        found = [str(label) for label in self.answers(examples)]
        # The test file of the Adult data ends its labels in a dot.
        return [label.removesuffix(".") if label not in self.classes else label for label in found]

    def flat(self, examples: Examples) -> np.ndarray:
        """Numbers, one-hot categories and words (n, d)."""
        return prepared.flat(prepared.encode(examples.x, self.columns), self.columns)
