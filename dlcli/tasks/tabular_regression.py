"""Numbers for the rows of a table: a price, a duration, an amount."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dlcli import columns as prepared
from dlcli import task
from dlcli.data import Data, Examples
from dlcli.errors import DataError, some
from dlcli.regression import Regression
from dlcli.tasks import _columns


@dataclass(kw_only=True)
class Task(Regression):
    KINDS = {"table"}
    LABELS = "numbers"
    NEEDS = {"columns"}
    EACH = "mse"
    PREFERS = ("tabm", "mlp")

    target: str
    mean: float
    deviation: float
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
        target = data.about.get("target") or "target"
        y = _numbers(_columns.answers(train, target), target)
        if y.std() == 0:
            raise DataError(f"all {len(y)} training rows have the same target: {y[0]:g}.", "there is nothing to learn.")
        return cls(
            target=target,
            mean=float(y.mean()),
            deviation=float(y.std()),
            columns=_columns.learn(train, data, numeric=numeric, bins=bins, words=words),
            category_width=category_width,
            count=len(train),
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        known = self.answers(examples) is not None
        y = self.targets(examples)[:, None] if known else None
        return task.Arrays(prepared.encode(examples.x, self.columns), y)

    def answers(self, examples: Examples) -> np.ndarray | None:
        return _columns.answers(examples, self.target)

    def inputs(self):
        return _columns.inputs(self.columns)

    def stem(self, inputs, width: int | None):
        return _columns.stem(inputs, self.columns, category_width=self.category_width, width=width)

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        for name, value in zip(_columns.names(examples), outputs["y_pred"], strict=True):
            yield {"name": name, "prediction": float(value)}

    def describe(self) -> str:
        rows = f"{self.count:,} rows".replace(",", " ")
        return f"{self.target} {self.mean:.4g} ± {self.deviation:.4g}, {rows}, {_columns.summary(self.columns)}"

    def _restored(self, y) -> np.ndarray:
        return np.asarray(y, np.float64).reshape(-1) * self.deviation + self.mean

    # ---- for the baselines -------------------------------------------------------------------

    def targets(self, examples: Examples) -> np.ndarray:
        """Standardised targets (n,) float32: the units of the model's output."""
        y = _numbers(self.answers(examples), self.target)
        return ((y - self.mean) / self.deviation).astype(np.float32)

    def flat(self, examples: Examples) -> np.ndarray:
        """Numbers, one-hot categories and words (n, d)."""
        return prepared.flat(prepared.encode(examples.x, self.columns), self.columns)


def _numbers(y, target: str) -> np.ndarray:
    """Targets as float64. Raises: DataError when they are no finite numbers."""
    if y is None:
        raise DataError("the table has no target.", "name its column with --target.")
    try:
        values = y.astype(np.float64)
    except ValueError:
        odd = [label for label in sorted(set(y.tolist())) if not label.replace(".", "").lstrip("-").isdigit()]
        raise DataError(
            f"the target {target!r} has values that are no numbers: {some(odd)}.",
            "for classes: --task tabular-classification.",
        ) from None
    if not np.isfinite(values).all():
        raise DataError(
            f"{int((~np.isfinite(values)).sum())} of {len(values)} values of the target {target!r} are not finite.",
            "remove or mend these rows: inf is no number to learn.",
        )
    return values
