"""Training, validation and test examples: those the data brings, and by seed those it lacks.

The test split is never used to choose anything: a missing validation split comes out of training.
Exact duplicates go to the same side. Classes keep their shares; series are cut by time.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np

from dlcli import alike
from dlcli.cuts import by_position, by_time, shares_of
from dlcli.data import Data, Examples
from dlcli.errors import DataError, counted, some

LARGE = 10_000  # from so many examples on, a tenth suffices to tell scores apart to a percent
FEW_DOCUMENTS = 10  # fewer than this are each cut by position


def split(
    data: Data,
    *,
    seed: int = 0,
    parts: str | None = None,
    fold: str | None = None,
    duplicates: str = "together",
    least: int = 0,
) -> tuple[Data, dict[str, Any]]:
    """Data with "train", "val" and "test", and a record of how they were made.

    parts: sizes of train, val and test as counts ("8640,2880,2880") or fractions ("0.7,0.1,0.2");
    for series, counts are rows. Where the data brings a test split, only the first two are used.
    fold: "3/10" tests on the third tenth of the examples, drawn by seed, and validates on the fourth;
    each example is tested in one of the ten.  duplicates: "together" keeps equal examples in one split, "anywhere"
    draws each by itself, as published folds do; scores are then of examples that were learned, too.
    least: rows that val and test must have of a series, where it is long enough and `parts` does not say otherwise.
    """
    given = dict(data.splits)
    sizes = _parts(parts)
    warnings = list(data.warnings)
    how: dict[str, Any] = {"seed": seed, "parts": parts, "given": [name for name in given if name != "all"]}
    if duplicates not in ("together", "anywhere"):
        hint = "together keeps equal examples in one split, anywhere lets them fall into several."
        raise DataError(f"data.duplicates={duplicates!r} is neither 'together' nor 'anywhere'.", hint)
    if apart := duplicates == "anywhere":
        how["duplicates"] = duplicates
    if fold is not None:
        how["fold"] = fold
        if parts or how["given"] or data.kind in ("series", "corpus"):
            own = (
                f"the data brings its own {some(how['given'])}" if how["given"] else "the data is a series or one text"
            )
            reason = "data.parts is given too" if parts else own
            raise DataError(f"data.fold={fold!r}, but {reason}.", "folds are for examples in one heap.")
    if "all" not in given and "train" not in given:
        raise DataError(f"the data has the splits {some(given)} and nothing to train on.")
    if {"train", "val", "test"} <= set(given):
        how["method"] = "as given"
        if parts:
            raise DataError(f"data.parts={parts!r}, but the data brings its own train, val and test.", "leave it away.")
        done = given
    else:
        whole = given["all"] if "all" in given else given["train"]
        if len(whole) == 0:
            raise DataError("there are no examples to train on.")
        wanted = ("train", *(name for name in ("val", "test") if name not in given))
        rng = np.random.default_rng([seed, 20_260])  # not the stream that shuffles batches
        if fold is not None:
            made, how["method"] = _folded(data, whole, fold, rng, apart, warnings), "a fold, by seed"
        else:
            made, how["method"] = _make(data, whole, wanted, sizes, rng, given, least, apart, warnings)
        done = {**made, **{name: examples for name, examples in given.items() if name in ("val", "test")}}
    if apart and "seed" not in how["method"]:
        raise DataError(f"data.duplicates={duplicates!r}, but the data is split {how['method']}.", "leave it away.")
    done = {name: done[name] for name in ("train", "val", "test") if name in done and len(done[name])}
    if "train" not in done:
        raise DataError("nothing is left to train on once validation and test have their parts.", "give more data.")
    if data.kind != "series" and (how["given"] or apart):
        warnings += alike.shared(done, data)
    how["sizes"] = {name: len(examples) for name, examples in done.items()}
    if data.kind == "series":
        how["rows"] = {name: sum(span.stop - span.start for span in examples.x) for name, examples in done.items()}
    return replace(data, splits=done, warnings=warnings), how


def only_label(data: Data) -> str:
    """The only label of training where the test split has others too: those are what is unlike it. Else ""."""
    train, test = data.splits.get("train"), data.splits.get("test")
    if train is None or test is None or train.y is None or test.y is None or not len(train):
        return ""
    first = train.y[0]
    same = isinstance(first, str) and all(label == first for label in train.y)
    return str(first) if same and any(label != first for label in test.y) else ""


def check_labels(data: Data) -> None:
    """Raises: DataError when the labels cannot be learned as classes."""
    train = data.splits["train"]
    if train.y is None:
        raise DataError("the examples have no labels.", "name the column with --target, or make class folders.")
    known = {str(label) for label in train.y}
    if len(known) < 2:
        message = f"all {len(train)} training examples have the same label: {some(known)}."
        hint = "a classifier needs two."
        if data.kind != "texts":
            hint = "a classifier needs two; --task anomaly-detection learns what is like the one."
        raise DataError(message, hint)
    for name, examples in data.splits.items():
        strange = [str(label) for label in examples.y if str(label) not in known] if examples.y is not None else []
        if strange:
            raise DataError(
                f"{len(strange)} of {len(examples)} {name} examples have labels that no training example has: "
                f"{some(sorted(set(strange)))}.",
                "remove them, or add such examples to the training split.",
            )


def _parts(parts: str | None) -> tuple[float, ...] | None:
    if parts is None:
        return None
    pieces = [piece.strip() for piece in parts.split(",")]
    if len(pieces) != 3 or not all(re.fullmatch(r"\d+(\.\d*)?|\.\d+", piece) for piece in pieces):
        raise DataError(f"data.parts={parts!r} is not three numbers.", "for example 0.7,0.1,0.2 or 8640,2880,2880.")
    sizes = tuple(float(piece) for piece in pieces)
    if sizes[0] <= 0 or (sum(sizes) > 1 + 1e-9 and any(size % 1 for size in sizes)):
        hint = "fractions add up to at most 1; counts are whole numbers."
        raise DataError(f"data.parts={parts!r} adds up to {sum(sizes):g}.", hint)
    return sizes


def _make(data, whole, wanted, sizes, rng, given, least, apart, warnings) -> tuple[dict[str, Examples], str]:
    if data.kind == "series":
        return by_time(whole, wanted, sizes, given, warnings, least=least), "by time"
    if data.kind == "corpus" and len(whole) < FEW_DOCUMENTS:
        return by_position(whole, wanted, sizes), "by position"
    counts = _counts(len(whole), wanted, sizes)
    labels = _labels(whole)
    groups = alike.groups(data, whole, labels, counts, warnings, apart=apart)
    sides = _assign(groups, labels, counts, rng, warnings)
    method = "by seed" if labels is None else "by seed, stratified by class"
    return {name: whole.take(np.flatnonzero(sides == name)) for name in wanted}, method


def _folded(data, whole, fold: str, rng, apart: bool, warnings) -> dict[str, Examples]:
    """Number i of k equal shares of every class is the test split, the next one validates."""
    found = re.fullmatch(r"(\d+)/(\d+)", fold.strip())
    number, of = map(int, found.groups()) if found else (0, 0)
    if of < 3 or not 1 <= number <= of or of > len(whole):
        raise DataError(
            f"data.fold={fold!r} is not one of 1/k ... k/k with 3 <= k <= {len(whole)}.", "for example 1/10."
        )
    labels = _labels(whole)
    groups = alike.groups(data, whole, labels, {"test": len(whole) // of}, warnings, apart=apart)
    order = rng.permutation(groups.max() + 1)
    if labels is not None:
        first = np.unique(groups, return_index=True)[1]
        order = order[np.argsort(labels[first[order]], kind="stable")]
    share = np.empty(len(order), np.int64)
    share[order] = np.arange(len(order)) % of + 1
    here = share[groups]
    sides = np.where(here == number, "test", np.where(here == number % of + 1, "val", "train"))
    return {name: whole.take(np.flatnonzero(sides == name)) for name in ("train", "val", "test")}


def _labels(whole: Examples) -> np.ndarray | None:
    """Classes to be shared out evenly; None where there are none."""
    if whole.y is None or np.asarray(whole.y).dtype.kind == "f":
        return None
    return np.asarray(whole.y).astype(str)


def _counts(n: int, wanted, sizes) -> dict[str, int]:
    """How many of n examples each split gets; the rest, without `parts`, is for training."""
    shares = shares_of(sizes, wanted, "large" if n >= LARGE else "small")
    counted = sum(shares.values()) > 1 + 1e-9
    counts = {name: int(share) if counted else round(share * n) for name, share in shares.items()}
    others = sum(count for name, count in counts.items() if name != "train")
    if others + (counts["train"] if counted else 1) > n:
        raise DataError(
            f"{n} examples are too few for {', '.join(f'{count} for {name}' for name, count in counts.items())}.",
            "give more data, or other sizes: --set data.parts=0.8,0.1,0.1.",
        )
    if not counted and abs(sum(shares.values()) - 1) < 1e-6:
        counts["train"] = n - others
    return counts


# ---- by seed ---------------------------------------------------------------------------------


def _assign(groups, labels, counts, rng, warnings) -> np.ndarray:
    """The split of every example. Whole groups are drawn at even steps through the classes, so that
    each class has its share, up to one group, in every split."""
    n = len(groups)
    members = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[members], prepend=-1))
    weight = np.diff(np.append(starts, n))
    kinds = np.zeros(len(starts), int) if labels is None else np.unique(labels, return_inverse=True)[1][members[starts]]
    single = np.bincount(kinds)[kinds] == 1 if labels is not None else np.zeros(len(starts), bool)
    if single.any():
        alone = sorted(set(labels[members[starts[single]]]))
        warnings.append(f"{counted(len(alone), 'label')} with only one example, kept for training: {some(alone)}")
    order = rng.permutation(len(starts))
    order = order[np.argsort(kinds[order], kind="stable")]
    free = order[~single[order]]
    side = np.full(len(starts), "train", dtype="<U5")
    for name, count in (
        ("test", counts.get("test", 0)),
        ("val", counts.get("val", 0)),
        ("", n - sum(counts.values())),
    ):
        if count:  # "" are those that the counts asked for leave over
            chosen = _even(weight[free], count, rng)
            side[free[chosen]] = name
            free = free[~chosen]
    if labels is not None:
        _keep_one(side, groups, np.unique(labels, return_inverse=True)[1])
    sides = np.empty(n, dtype="<U5")
    sides[members] = np.repeat(side, weight)
    return sides


def _even(weight: np.ndarray, count: int, rng) -> np.ndarray:
    """Which groups to take at even steps, each as likely as any other, so that about `count` examples are in them."""
    if not len(weight):
        return np.zeros(0, bool)
    total = int(weight.sum())
    ends = np.arange(1, len(weight) + 1) * count / total + rng.uniform()
    return np.diff(np.floor(ends), prepend=np.floor(ends[0] - count / total)) >= 1


def _keep_one(side: np.ndarray, groups: np.ndarray, kinds: np.ndarray) -> None:
    """Every class has an example in training. side: of each group; groups, kinds: of each example."""
    for kind in np.setdiff1d(kinds, kinds[side[groups] == "train"]):
        own = np.unique(groups[kinds == kind])
        side[min(own, key=lambda group: ("train", "", "val", "test").index(side[group]))] = "train"
