"""The column to be predicted: finding it, and making classes or numbers of it."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from dlcli.cells import MISSING, numbers
from dlcli.data import Examples
from dlcli.errors import NAMED, DataError, allowing, some
from dlcli.file_bytes import Packed

TARGETS = (
    "target",
    "label",
    "labels",
    "class",
    "y",
    "species",
    "category",
    "sentiment",
    "diagnosis",
    "outcome",
)
# Names of well-known targets, which in other tables are features: a table with one of the above is asked for that.
KNOWN = ("survived", "income", "churn", "quality", "saleprice", "cover_type")
CLASS_NAME = re.compile(r"(label|class|category|target)(_?id)?$", re.IGNORECASE)
FEW_PIXELS = 16  # columns of one range: fewer may be answers from 1 to 5
MANY = 20  # whole numbers with more different values than this are no classes


def guess_target(path: Path, sheets: dict, kinds: dict[str, str], warnings: list[str], *, header: bool) -> str | None:
    """The target where only one column can be meant, with a warning that says which.

    header: whether the names are the file's own.
    Raises: DataError that lists the columns.
    """
    main = next(iter(sheets))
    useful = {name: kind for name, kind in kinds.items() if kind not in ("constant", "empty", "id", "rest")}
    if list(useful.values()) == ["text"]:
        alone = [name for name, kind in kinds.items() if kind == "constant" and name.lower() in TARGETS]
        if alone:
            warnings.append(
                f"{some(alone)} has one value only, and classes take two: the texts are read without labels"
            )
        return None
    absent = [name for name in kinds if any(name not in frame.columns for frame in sheets.values())]
    lower = {name.lower() for name in kinds}
    # beside an x, y is a place
    named = [name for name in kinds if name.lower() in TARGETS and not (name.lower() == "y" and "x" in lower)]
    named = named or [name for name in kinds if name.lower() in KNOWN]
    choice = absent if len(absent) == 1 else named
    beside = [name for name, kind in useful.items() if kind not in ("text", "image")]
    if len(choice) != 1 and len(beside) == 1 < len(useful) and _few(sheets[main][beside[0]], beside[0], useful):
        choice = beside
    if len(choice) != 1 and not header:
        choice = _at_an_end(sheets[main], useful)
    if len(choice) == 1:
        warnings.append(f"target taken to be column {choice[0]!r} (say otherwise with --target)")
        return choice[0]
    likely = min(reversed(useful or kinds), key=lambda name: sheets[main][name].n_unique())
    raise DataError(
        f"{path}: which column is to be predicted? It has {some([f'{n} ({k})' for n, k in kinds.items()], 30)}.",
        f"name it, for example --target {likely!r}; for a time series: --set data.kind=series.",
    )


def _few(cells: pl.Series, name: str, useful: dict[str, str]) -> bool:
    """Whether a column beside texts or pictures can be their classes: no numbers of many values."""
    if useful[name] == "category" or cells.n_unique() <= min(MANY, cells.len() // 2):
        return True
    others = {kind for other, kind in useful.items() if other != name}
    return counts_classes(numbers(cells).drop_nulls(), called=is_called_class(name), beside=others)


def is_called_class(name: str) -> bool:
    return CLASS_NAME.search(name) is not None


def counts_classes(values: pl.Series, *, called: bool, beside: set[str]) -> bool:
    """Whether numbers of many values are the numbers of classes: whole ones, each of which stands twice on average.

    Besides, they run from 0 or 1 with hardly a gap, under a name for classes or beside nothing but texts: 77 intents,
    26 letters, but no prices. Beside texts or pictures such a name is enough.  called: whether it has such a name.
    beside: kinds of the other columns.
    """
    distinct = values.n_unique()
    if not values.len() or 2 * distinct > values.len() or not (values == values.round()).all():
        return False
    texts = beside == {"text"}
    # the letters of sign language lack one, J, that is a movement
    gapless = values.min() in (0, 1) and values.max() - values.min() + 1 <= 1.1 * distinct
    return (called and (texts or "image" in beside)) or (gapless and (called or texts))


def _at_an_end(frame: pl.DataFrame, useful: dict[str, str]) -> list[str]:
    """The first column or the last useful one of a table without names, where one of them can be meant and not the other."""
    if outstanding := among_alike(frame, useful):
        return [outstanding]
    first, last = frame.columns[0], list(useful)[-1]
    fit = [name for name in (first, last) if frame[name].n_unique() <= min(MANY, frame.height // 2) and name in useful]
    if [name for name, kind in useful.items() if kind == "category"] == [first]:
        return [first]  # words before numbers
    if fit == [first, last] and frame[first].n_unique() == 2 < frame[last].n_unique():
        return []
    return [last] if last in fit else []


def among_alike(frame: pl.DataFrame, useful: dict[str, str]) -> str | None:
    """The one of the two ends that numbers classes beside columns that are nearly all of one range, as pixels are."""
    columns = {name: numbers(frame[name]).drop_nulls() for name, kind in useful.items() if kind == "numeric"}
    if len(columns) < FEW_PIXELS or len(columns) < len(useful):
        return None
    ranges = {name: (values.min(), values.max()) for name, values in columns.items()}
    least, most = (float(np.median(ends)) for ends in zip(*ranges.values(), strict=True))
    quarter = (most - least) / 4  # at the edges pixels are seldom bright
    alike = {name for name, (low, high) in ranges.items() if low <= least + quarter and high >= least + 2 * quarter}
    ends = [name for name in (next(iter(useful)), list(useful)[-1]) if name not in alike]
    found = [name for name in ends if counts_classes(columns[name], called=True, beside={"numeric"})]
    return found[0] if len(found) == 1 and 2 * len(alike) > len(columns) else None


def with_target(sheets: dict, target: str | None, warnings: list[str], *, header: bool, unlabelled: bool) -> dict:
    """Sheets with the same columns in the same order; one without the target is no split."""
    main = next(iter(sheets))
    columns = sheets[main].columns
    kept = {}
    for name, frame in sheets.items():
        absent = [column for column in columns if column not in frame.columns]
        if absent and name == "test" and not unlabelled and not header:
            warnings.append(f"the {name} file has {frame.width} columns, not {len(columns)}: it is not used")
            continue
        if target in absent and name != main and not unlabelled:
            others = [column for column in absent if column != target]
            more = f", nor {some(others)}" if others else ""
            warnings.append(f"the {name} file has no column {target!r}{more}: it cannot be scored and is not used")
            continue
        if absent:
            raise DataError(f"the {name} file lacks the columns {some(absent)} of the {main} file.")
        extra = [column for column in frame.columns if column not in columns]
        if extra:
            warnings.append(f"columns only in the {name} file are not used: {some(extra)}")
        kept[name] = frame[columns]  # `select` would take names like * for patterns
    return {"all": kept[main]} if len(kept) == 1 and main == "train" else kept


def target_kind(
    cells: pl.Series, path: Path, target: str, warnings: list[str], *, called: bool, beside: set[str]
) -> str:
    """ "classes" or "numbers": whole numbers of few values count as classes, and those that number classes.

    called: whether it has a name for classes, or a place.  beside: kinds of the columns to learn from.
    """
    filled = cells.filter(~cells.is_in(list(MISSING)))
    values = numbers(filled)
    distinct = filled.n_unique()
    if filled.len() and values.null_count() == 0:
        whole = bool((values == values.round()).all())
        few = distinct <= min(MANY, max(2, filled.len() // 5))
        if not whole or not (few or counts_classes(values, called=called, beside=beside)):
            return "numbers"
        if distinct > 2:
            warnings.append(
                f"target {target!r} holds {distinct} different whole numbers, taken as classes"
                " (as numbers: --task tabular-regression)"
            )
        return "classes"
    if distinct > max(MANY, cells.len() // 3):
        raise DataError(
            f"{path}: column {target!r} has {distinct} different values in {cells.len()} rows, too many for classes.",
            "name another column with --target.",
        )
    return "classes"


def targets(frame: pl.DataFrame, target: str, kind: str, where: str, missing: str, warnings: list[str]):
    """Rows with a target, and the targets: str or float64 array. Raises: DataError where one is missing."""
    cells = frame[target]
    values = numbers(cells)
    if kind == "numbers":
        gone = values.is_null()
    else:  # a class may well be called NA or None, but not among numbers
        numeric = values.null_count() == cells.is_in(list(MISSING)).sum()
        gone = cells.is_in(list(MISSING)) if numeric else cells == ""
    count = int(gone.sum())
    if count == frame.height:
        raise DataError(f"{where}: column {target!r} has no value that can be a target.")
    if count and missing == "error":
        rows = (gone.arg_true() + 1).to_list()
        raise DataError(
            f"{where}: {count} of {frame.height} values of the target {target!r} are missing or no numbers"
            f" (rows {some(rows)}).",
            "mend them, or leave those rows out: --set data.missing_target=drop.",
        )
    if count:
        warnings.append(f"{where}: {count} of {frame.height} rows have no target and are left out")
        frame, values = frame.filter(~gone), values.filter(~gone)
    if kind == "numbers":
        return frame, values.to_numpy().copy()
    return frame, np.array(frame[target].to_list(), dtype=str)


def reconcile(marked: dict, warnings: list[str]) -> dict:
    """Labels of other files that differ from the first file's by a final dot are the same labels."""
    main = next(iter(marked))
    known = set(marked[main][1].tolist()) if marked[main][1] is not None else set()
    changed = {}
    for name, (frame, y) in marked.items():
        if y is not None and name != main:
            odd = sorted(label for label in set(y.tolist()) - known if label.endswith(".") and label[:-1] in known)
            if odd:
                warnings.append(f"{name}: labels {some(odd)} were read without their final dot, as {main} has them")
                y = np.array([label[:-1] if label in odd else label for label in y.tolist()], dtype=str)
        changed[name] = (frame, y)
    alike = {}
    for label in sorted(known):
        alike.setdefault(" ".join(unicodedata.normalize("NFC", label).casefold().split()), []).append(label)
    close = [" and ".join(map(repr, group)) for group in alike.values() if len(group) > 1]
    if close:
        warnings.append(f"classes that differ only in case, spaces or Unicode form: {some(close)}")
    return changed


def leaks(frame: pl.DataFrame, target: str, features: dict[str, str], warnings: list[str]) -> None:
    """Warn of columns that say the target in other words."""
    telling = [repr(name) for name in _telling(frame, target, features)] if frame.height >= 20 else []
    if telling:
        which = f"column {telling[0]} tells" if len(telling) == 1 else f"{len(telling)} columns tell"
        more = f": {some(telling)}" if len(telling) > 1 else ""
        warnings.append(f"{which} the target {target!r} in every row{more}: is it known beforehand?")


def twins(frame: pl.DataFrame, target: str, features: dict[str, str]) -> list[str]:
    """Columns called as the target and more, or the other way round, that tell it: label and label_text."""
    pairs = {
        name: sorted([name, target], key=len) for name, kind in features.items() if kind in ("numeric", "category")
    }
    longer = {name: long for name, (short, long) in pairs.items() if re.match(rf"{re.escape(short)}[_\s.-]", long)}
    return _telling(frame, target, longer)


def _telling(frame: pl.DataFrame, target: str, names: Iterable[str]) -> list[str]:
    """Of these columns those with one value for each of the target's, which stand twice on average."""
    count = frame[target].n_unique()
    alike = [name for name in names if 1 < count <= frame.height // 2 and frame[name].n_unique() == count]
    return [name for name in alike if frame[[name, target]].n_unique() == count]


def images(
    root: Path, frame: pl.DataFrame, column: str, y, unreadable: float, warnings: list[str], packed: dict[str, Packed]
) -> Examples:
    """Pictures whose paths, relative to root, stand in a column, or the names of those that lie in the table itself.

    Raises: DataError when more than this fraction does not exist or cannot be read.
    """
    from dlcli.images import scan

    names = frame[column].to_list()
    place = f"if they are no pictures: --set data.drop={column}." if packed else f"paths are looked up from {root}."
    looked = scan([packed.get(name) or root / name for name in names], names)
    if looked.bad:
        named = some([f"{names[i]} ({reason})" for i, reason in looked.bad.items()], NAMED)
        message = f"{len(looked.bad)} of {len(names)} images in column {column!r} could not be read: {named}"
        if len(looked.bad) > unreadable * len(names):
            raise DataError(
                f"{message}.",
                f"{place} To leave them out: {allowing(len(looked.bad) / len(names))}.",
            )
        warnings.append(f"{message}; they were left out.")
    if not len(looked.good):
        raise DataError(f"none of the images in column {column!r} could be read.", place)
    kept = [names[i] for i in looked.good]
    return Examples(x=looked.images.take(looked.good), y=None if y is None else y[looked.good], names=kept)
