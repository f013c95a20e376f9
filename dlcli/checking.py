"""What is wrong with data before a network sees it: the checks of checks/, and what they share.

Every check measures something and says how much of it is too much; what it says comes with the command or
the step that mends it. No Keras here.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from dlcli import plan, registry
from dlcli.data import Data

# Longest side of the thumbnails that pictures are compared by, steps of the sketches of sequences.
SIDE, STEPS = 16, 32
# Training examples that neighbours are looked for among, and examples that look for theirs.
REFERENCES, ASKING = 30_000, 60_000
NEIGHBOURS = 10
MODELLED = 10_000  # training examples that a model is cross-validated on
WORDS = 200  # of each text column, for neighbours and ranges


@dataclass(frozen=True, kw_only=True)
class Finding:
    """value: what was measured; fault: whether that is too much.  shown: in words.  mend: what to do.
    examples: names of those meant, the most certain first."""

    value: float
    shown: str
    fault: bool
    mend: str = ""
    examples: list[str] = field(default_factory=list)
    check: str = ""

    def row(self) -> dict[str, Any]:
        """For `--json`."""
        return vars(self)


@dataclass(kw_only=True)
class Subject:
    """Data in splits, and what several checks need of it, each made once. seed: of samples."""

    data: Data
    seed: int = 0

    @property
    def parts(self) -> dict[str, Any]:
        return self.data.splits

    @cached_property
    def labels(self) -> str:
        """Whether examples carry "classes", "numbers" or "none"."""
        return plan.labels_of(self.data)

    @cached_property
    def columns(self) -> dict[str, str]:
        """Kinds of a table's columns by name, without the target; the columns of a series."""
        known = self.data.about.get("columns") or {}
        return dict(known) if isinstance(known, dict) else dict.fromkeys(known, "numeric")

    def names(self, part: str, indices) -> list[str]:
        """What the user calls examples of a part."""
        names = self.parts[part].names
        return [f"{part}: {names[i] if names is not None else f'number {i + 1}'}" for i in np.asarray(indices).tolist()]

    def classes(self, part: str) -> np.ndarray:
        """Class numbers (n,) of a part; all parts count alike."""
        found = np.asarray(self.parts[part].y).astype(str)
        return np.searchsorted(self.class_names, found)

    @cached_property
    def class_names(self) -> np.ndarray:
        return np.unique(np.concatenate([np.asarray(part.y).astype(str) for part in self.parts.values()]))

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """A part's examples as numbers (n, d) float32: thumbnails, sketches of sequences, encoded columns.
        Not for texts."""
        if self.data.kind == "images":
            height, width, channels = self.parts["train"].x.size()
            scale = min(1.0, SIDE / max(height, width))
            shape = (max(1, round(height * scale)), max(1, round(width * scale)), channels)
            return {name: _thumbnails(part.x, shape) for name, part in self.parts.items()}
        if self.data.kind == "sequences":
            return {name: np.stack([_sketch(x) for x in part.x]) for name, part in self.parts.items()}
        from dlcli import columns

        learned = columns.learn(self.parts["train"].x, self.columns, numeric="standard", bins=0, words=WORDS)
        return {
            name: columns.flat(columns.encode(part.x, learned), learned) if learned else np.zeros((len(part), 0))
            for name, part in self.parts.items()
        }

    @cached_property
    def alike(self) -> dict[str, np.ndarray]:
        """Rows without mean and of length 1 each, so that a product is a correlation; pictures and sequences."""
        return {name: _standard(rows) for name, rows in self.rows.items()}

    @cached_property
    def tfidf(self) -> dict[str, Any]:
        """Sparse rows of words and pairs of words, of length 1."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        made = TfidfVectorizer(
            token_pattern=r"(?u)\w+|[^\w\s]", ngram_range=(1, 2), max_features=50_000, sublinear_tf=True
        )
        rows = {"train": made.fit_transform(self.parts["train"].x).astype(np.float32)}
        return rows | {
            name: made.transform(part.x).astype(np.float32) for name, part in self.parts.items() if name != "train"
        }

    @cached_property
    def neighbours(self) -> "Neighbours":
        """The nearest other training examples of training examples."""
        rows = self.rows["train"]
        rng = np.random.default_rng(self.seed)
        n = len(rows)
        asking = np.sort(rng.permutation(n)[:ASKING])
        reference = np.sort(rng.permutation(n)[:REFERENCES])
        found, distance = _nearest(rows[asking], rows[reference], NEIGHBOURS, own=(asking, reference))
        pairs = rng.integers(0, n, (2, 2_000))
        usual = float(np.sqrt(np.square(rows[pairs[0]] - rows[pairs[1]]).sum(axis=1)).mean())
        return Neighbours(asking=asking, found=reference[found], distance=distance, usual=usual)

    @cached_property
    def guess(self) -> "Guess":
        """What a simple model that has not seen them makes of training examples: class probabilities."""
        labels = self.classes("train")
        if self.data.kind in ("images", "sequences"):
            found = self.neighbours
            votes = np.zeros((len(found.asking), len(self.class_names)), np.float32)
            for column in found.found.T:
                votes[np.arange(len(votes)), labels[column]] += 1
            return Guess(found.asking, votes / found.found.shape[1])
        asking = np.sort(np.random.default_rng(self.seed).permutation(len(labels))[:MODELLED])
        rows = self.tfidf["train"] if self.data.kind == "texts" else self.rows["train"]
        return Guess(asking, _cross_validated(rows[asking], labels[asking], len(self.class_names), self.data.kind))

    def nearest_distance(self, part: str) -> np.ndarray:
        """From each example of a part (at most 2 000) to the nearest training example."""
        train, own = self.rows["train"], self.rows[part]
        chosen = np.random.default_rng(self.seed).permutation(len(own))[:2_000]
        reference = np.random.default_rng(self.seed).permutation(len(train))[:REFERENCES]
        skip = (chosen, reference) if part == "train" else None
        return _nearest(own[chosen], train[reference], 1, own=skip)[1][:, 0]


@dataclass(frozen=True)
class Neighbours:
    """asking (n,), found (n, k): positions in training; distance (n, k), the nearest first. usual: distance of
    two examples drawn at random."""

    asking: np.ndarray
    found: np.ndarray
    distance: np.ndarray
    usual: float


@dataclass(frozen=True)
class Guess:
    """asking (n,): positions in training; p (n, K)."""

    asking: np.ndarray
    p: np.ndarray


def checked(
    data: Data, *, seed: int = 0, cheap: bool = False, labels: bool = True
) -> Iterator[tuple[str, list[Finding], float]]:
    """Yields (check, findings, seconds) for every check that this kind of data can have. cheap: only those
    that cost next to nothing.  labels: whether the labels are of use."""
    subject = Subject(data=data, seed=seed)
    for entry in registry.entries("checks").values():
        if data.kind not in entry.literal("KINDS", ()) or (cheap and not entry.literal("CHEAP", False)):
            continue
        if (subject.labels if labels else "none") not in entry.literal("LABELS", ("classes", "numbers", "none")):
            continue
        begun = time.monotonic()
        findings = [replace(finding, check=entry.name) for finding in entry.load().find(subject)]
        yield entry.name, findings, time.monotonic() - begun


def told(data: Data, *, seed: int = 0, labels: bool = True) -> list[str]:
    """What the cheap checks find, as `train` says it. labels: whether it is going to learn them."""
    return [
        f"{finding.shown}: {finding.mend}" if finding.mend else finding.shown
        for _, findings, _ in checked(data, seed=seed, cheap=True, labels=labels)
        for finding in findings
        if finding.fault
    ]


def part_of(count: float, whole: int) -> str:
    """ "20 of 2,000"."""
    return f"{count:,.0f} of {whole:,}"


def _cross_validated(rows, labels: np.ndarray, classes: int, kind: str, folds: int = 5) -> np.ndarray:
    """Probabilities (n, K) of every row by a model fitted on the other folds: TF-IDF in a logistic regression,
    columns in boosted trees."""
    import warnings

    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    p = np.zeros((len(labels), classes), np.float32)
    # the classes in turn, so that each fold has its share
    fold = np.empty(len(labels), int)
    fold[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % folds
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # stopping early regularises: no news to the user
        warnings.simplefilter("ignore", ConvergenceWarning)
        for i in range(folds):
            known = fold != i
            if known.all() or len(np.unique(labels[known])) < 2:
                continue
            if kind == "texts":
                model = LogisticRegression(C=10.0, max_iter=100)
            else:
                model = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=0)
            model.fit(rows[known], labels[known])
            p[np.ix_(~known, model.classes_)] = model.predict_proba(rows[~known])
    return p


def _thumbnails(images, shape: tuple[int, int, int]) -> np.ndarray:
    prepared, out = images.prepare(*shape), np.empty((len(images), int(np.prod(shape))), np.float32)
    for start in range(0, len(out), 4_096):
        chosen = np.arange(start, min(start + 4_096, len(out)))
        out[chosen] = prepared.read(chosen).reshape(len(chosen), -1)
    return out / 255


def _sketch(series) -> np.ndarray:
    """Each channel at STEPS even places, gaps as they lie between their neighbours.  (T, C) -> (STEPS * C,)"""
    series = np.asarray(series, np.float64)
    at = np.linspace(0, len(series) - 1, STEPS)
    out = []
    for channel in series.T:
        known = np.flatnonzero(np.isfinite(channel))
        out.append(np.interp(at, known, channel[known]) if len(known) else np.zeros(STEPS))
    return np.concatenate(out).astype(np.float32)


def _standard(rows: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 1e-4, length, np.inf)  # what is all one colour is like nothing


def _nearest(asking, reference, k: int, *, own=None) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `reference` of the k nearest rows, and their distances, (n, k). own: numbers of the rows on
    either side, where none is its own neighbour."""
    k = min(k, max(1, len(reference) - 1))
    found = np.empty((len(asking), k), np.int64)
    distance = np.empty((len(asking), k), np.float32)
    squares = np.square(reference).sum(axis=1)
    place = None
    if own is not None:
        place = np.full(max(own[0].max(), own[1].max()) + 1, -1)
        place[own[1]] = np.arange(len(own[1]))
    for start in range(0, len(asking), 512):
        block = slice(start, start + 512)
        far = squares - 2 * (asking[block] @ reference.T)
        if place is not None:
            self_at = place[own[0][block]]
            rows = np.flatnonzero(self_at >= 0)
            far[rows, self_at[rows]] = np.inf
        some = np.argpartition(far, k - 1, axis=1)[:, :k] if k < far.shape[1] else np.argsort(far, axis=1)[:, :k]
        near = np.take_along_axis(far, some, axis=1)
        order = np.argsort(near, axis=1)
        found[block] = np.take_along_axis(some, order, axis=1)
        own_squares = np.square(asking[block]).sum(axis=1, keepdims=True)
        distance[block] = np.sqrt(np.maximum(np.take_along_axis(near, order, axis=1) + own_squares, 0))
    return found, distance
