"""Tables: CSV, TSV, Parquet or JSON lines, one file or train/validation/test files."""

import re
from collections import Counter
from pathlib import Path

from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError, some
from dlcli.formats import _files, _named_pictures, _pieces, _sheet, image_folder, labelled_lines, m4, ucr
from dlcli.registry import nearest

USELESS = {
    "id": "a different value in every row",
    "constant": "the same value in every row",
    "empty": "no value in any row",
    "rest": "no name, and hardly a value",
}


RARE = 0.1  # share of rows below which a column without a name is left out


def matches(path: Path) -> bool:
    found = _sheet.files_of(path)
    # A table beside class folders of pictures (their factors, their sources) is not the data.
    others = [m4, ucr, image_folder]
    if any(file.suffix.lower() == ".txt" for file in found.values()):
        others.append(labelled_lines)
    return bool(found) and not any(other.matches(path) for other in others)


def open(
    path: Path,
    *,
    target: str | None = None,
    header: str = "auto",
    delimiter: str | None = None,
    encoding: str | None = None,
    kind: str | None = None,
    drop: str = "",
    series: str = "",
    text: str = "",
    missing_target: str = "error",
    unlabelled: bool = False,
    few: bool = False,
    unreadable: float = 0.0,
) -> Data:
    """Table, series, texts or images, as the columns say.

    target: the column to predict.  header: auto, yes or no.  delimiter: between cells.  encoding: of characters.
    kind: table, series, texts, images or corpus, instead of what is found.  drop: columns to leave out, with commas
    between.  series: the columns that say which of many series a row belongs to.
    text: columns that are read, one after another, as texts.  missing_target: error, or drop (those rows).  unlabelled:
    the target may be missing.  few: the rows are for a model that is there.  unreadable: fraction that may be broken.
    """
    from dlcli.formats import _series

    if missing_target not in ("error", "drop"):
        raise DataError(f"data.missing_target={missing_target!r} is not known.", "it is error or drop.")
    files = _files.required(_sheet.files_of(path), path, "table")
    sheets, own_names, mark, warnings, packed = _read_all(files, header, delimiter, encoding, unreadable)
    if path.is_file() and len(files) > 1:
        warnings.append(f"used as one data set: {', '.join(file.name for file in files.values())}")
    sheets = {name: _without(sheet, drop, path) for name, sheet in sheets.items()}
    sheets = _named_pictures.completed(path, sheets, files)
    main = next(iter(sheets))
    kinds = _kinds(sheets, mark, warnings, few=few or unlabelled)
    kinds |= dict.fromkeys(packed.keys() & kinds.keys(), "image")
    if own_names:
        kinds |= _rests(sheets[main])
    if target is not None and target not in kinds and not unlabelled:
        raise _no_column(path, target, kinds, sheets[main])
    kind = kind or ("series" if series else None)
    if kind not in (None, "table", "series", "texts", "images", "corpus"):
        raise DlcliError(f"data.kind={kind!r} is not known.", "it is table, series, texts, images or corpus.")

    if kind is None and target is None and _one_of_numbers(sheets[main], kinds):
        kind = "series"
    if kind == "series" or (kind is None and _may_be_series(sheets[main], kinds, target)):
        column = target if target in kinds else None
        names = {name: file.stem for name, file in files.items()}
        forced = kind == "series"
        data = _series.read(sheets, kinds, names, target=column, forced=forced, warnings=warnings, series=series)
        if data is not None:
            return data
        if kind == "series":
            raise DataError(f"{path} has no numeric column to forecast.", f"its columns: {_listed(kinds)}.")
    return _labelled(
        path,
        files,
        sheets,
        kinds,
        warnings,
        header=own_names,
        target=target,
        kind=kind,
        text=text,
        missing=missing_target,
        unlabelled=unlabelled,
        few=few or unlabelled,
        unreadable=unreadable,
        packed=packed,
    )


def _read_all(files, header, delimiter, encoding, unreadable):
    sheets, warnings, packed = {}, [], {}
    for name, file in files.items():
        parts = []
        for piece in _pieces.of(file):
            sheet = _sheet.read(piece, header=header, delimiter=delimiter, encoding=encoding, unreadable=unreadable)
            mark = sheet.mark
            warnings += sheet.warnings
            parts.append(sheet.frame)
            for column, pictures in sheet.packed.items():
                packed.setdefault(column, {}).update(pictures)
            header = "yes" if sheet.header else "no"  # the other files are like the first
        sheets[name] = _pieces.joined(parts, file)
    return sheets, header == "yes", mark, warnings, packed


def _without(frame, drop: str, path: Path):
    names = [name.strip() for name in drop.split(",") if name.strip()]
    for name in names:
        if name not in frame.columns:
            raise _no_column(path, name, frame.columns)
    return frame[[name for name in frame.columns if name not in names]]


def _kinds(sheets: dict, mark: str, warnings: list[str], *, few: bool) -> dict[str, str]:
    """Kinds of the first sheet's columns; numbers lose their units, and commas but for a point, in all sheets.

    few: of rows for a model that is there: one value says as much there as many, and half may be none.
    """
    from dlcli.formats import _commas, _units
    from dlcli.formats._kinds import STRAY, kind_of

    main = next(iter(sheets))
    kinds = {}

    def rewrite(column, rewritten):
        for name, frame in sheets.items():
            if column in frame.columns:
                sheets[name] = frame.with_columns(rewritten(frame[column]).alias(column))

    strays = 0.5 if few else STRAY
    for column in sheets[main].columns:
        unit = _units.unit_of(sheets[main][column], strays=strays)
        if unit is not None:
            warnings.append(f"column {column!r} has numbers with {unit}: read without")
            rewrite(column, _units.bare)
        style = _commas.style_of(sheets[main][column], mark, strays=strays)
        if style is not None:
            warnings.append(f"column {column!r} has {style}: read as numbers")
            rewrite(column, lambda cells, style=style: _commas.plain(cells, style))
        kinds[column], note = kind_of(column, sheets[main][column], few=few)
        if note:
            warnings.append(note)
    return kinds


def _rests(frame) -> dict[str, str]:
    """Columns that the header does not name and few rows have: what stands behind a mark too many."""
    from dlcli.cells import MISSING

    nameless = [name for i, name in enumerate(frame.columns, 1) if name == f"column{i}"]
    filled = {name: frame.height - frame[name].is_in(list(MISSING)).sum() for name in nameless}
    return {name: "rest" for name, count in filled.items() if 0 < count < RARE * frame.height}


def _may_be_series(frame, kinds: dict[str, str], target: str | None) -> bool:
    """Whether no column asks to be a class: the target, or those named like one, hold numbers that
    are more than two classes."""
    from dlcli.formats._labels import TARGETS

    named = [target] if target else [name for name in kinds if name.lower() in TARGETS]
    return all(kinds.get(name) == "numeric" and frame[name].n_unique() > 2 for name in named)


def _one_of_numbers(frame, kinds: dict[str, str]) -> bool:
    """Whether the only column holds numbers that are no classes: there is nothing that they could be predicted from."""
    from dlcli.formats._labels import MANY

    return list(kinds.values()) == ["numeric"] and frame[:, 0].n_unique() > MANY


def _labelled(
    path, files, sheets, kinds, warnings, *, header, target, kind, text, missing, unlabelled, few, unreadable, packed
) -> Data:
    from dlcli.formats import _labels

    main = next(iter(sheets))
    if target is None and not unlabelled and kind != "corpus":
        target = _labels.guess_target(path, sheets, kinds, warnings, header=header)
    sheets = _labels.with_target(sheets, target, warnings, header=header, unlabelled=unlabelled)
    main = next(iter(sheets))
    features = {name: found for name, found in kinds.items() if name != target}
    target = target if target in sheets[main].columns and not unlabelled else None
    unused = {name: USELESS[found] for name, found in features.items() if found in USELESS}
    if target is not None:
        unused |= dict.fromkeys(_labels.twins(sheets[main], target, features), f"{target!r} in other words")
    features = {name: found for name, found in features.items() if name not in unused}
    target_kind = "none"
    if target is not None:
        beside = set(features.values())
        called = _labels.is_called_class(target)
        if not (called or header):
            useful = {name: found for name, found in kinds.items() if found not in USELESS}
            called = _labels.among_alike(sheets[main], useful) == target
        target_kind = _labels.target_kind(sheets[main][target], path, target, warnings, called=called, beside=beside)

    marked = {name: (frame, None) for name, frame in sheets.items()}
    if target is not None:
        for name, frame in sheets.items():
            where = f"{path} ({name})" if len(sheets) > 1 else str(path)
            marked[name] = _labels.targets(frame, target, target_kind, where, missing, warnings)
    if target_kind == "classes":
        marked = _labels.reconcile(marked, warnings)
    kind = kind or _kind_by_columns(features, target, target_kind)
    about = {"target": target, "target_kind": target_kind, "columns": features, "unused": unused}
    if kind == "table":
        if not features and not few:
            others = some([f"{name} ({why})" for name, why in unused.items()], 8) or "none"
            raise DataError(f"{path} has no column to learn from besides {target!r}; its others: {others}.")
        if unused and not few:
            warnings.append("columns not used: " + "; ".join(f"{name} ({why})" for name, why in unused.items()))
        if target_kind == "classes":
            _labels.leaks(marked[main][0], target, features, warnings)
        splits = {name: Examples(x=frame, y=y, names=_row_names(frame)) for name, (frame, y) in marked.items()}
    elif kind in ("texts", "corpus"):
        texts = [name.strip() for name in text.split(",") if name.strip()]
        absent = [name for name in texts if name not in kinds]
        if absent and not (unlabelled and len(texts) == 1):  # the only column may be called otherwise
            raise _no_column(path, absent[0], kinds)
        texts = (not absent and texts) or [name for name, found in features.items() if found == "text"]
        if len(texts) < 2 and (absent or not text):
            texts = [_only(path, features | dict.fromkeys(unused, "id"), "text", sheets[main])]
        elif len(texts) > 1:
            warnings.append(f"the text is columns {some(texts)}, one after another")
        splits = {
            name: Examples(x=_joined(frame, texts), y=None if kind == "corpus" else y, names=_row_names(frame))
            for name, (frame, y) in marked.items()
        }
        about |= {"column": texts[0], "texts": texts}
        if not few and not text and (left := [name for name in features if name not in texts]):
            warnings.append(f"only texts are read, not {some(left)}: --set data.kind=table reads all columns")
    else:
        column = _only(path, features, "image", sheets[main])
        splits = {}
        for name, (frame, y) in marked.items():
            file = files[name] if name in files else files["train"]  # all that is left of train and test
            root = _named_pictures.root_of(path, frame[column].to_list(), name, file)
            splits[name] = _labels.images(root, frame, column, y, unreadable, warnings, packed.get(column, {}))
        about["column"] = column
    return Data(kind=kind, splits=splits, about=about, warnings=warnings)


def _kind_by_columns(features: dict[str, str], target, target_kind: str) -> str:
    kinds = list(features.values())
    if kinds.count("image") == 1:
        return "images"
    if kinds == ["text"] and target is None:
        return "corpus"
    if set(kinds) - {"time"} == {"text"} and target_kind == "classes":  # a review's date says little of it
        return "texts"
    return "table"


def _only(path: Path, features: dict[str, str], kind: str, frame) -> str:
    """The column of that kind; where no column is for certain, the one of the longest texts."""
    found = [name for name, other in features.items() if other == kind]
    if len(found) == 1:
        return found[0]
    if not found and features and kind == "text":
        return max(features, key=lambda name: frame[name].str.len_chars().mean())
    raise DataError(
        f"{path} has {len(found)} {kind} columns where one was expected.",
        f"leave the others out: --set data.drop=NAME,NAME. Columns: {_listed(features)}.",
    )


def _joined(frame, columns: list[str]) -> list[str]:
    """A title and what stands under it are one text."""
    return [" ".join(cell for cell in cells if cell) for cells in zip(*(frame[name] for name in columns), strict=True)]


def _row_names(frame) -> list[str]:
    return [f"row {i}" for i in range(1, frame.height + 1)]


def _no_column(path: Path, name: str, columns, frame=None) -> DlcliError:
    if frame is not None and frame.width == 1:
        between = Counter(re.findall(r"[^\w\s.'\"+-]", frame[:, 0][0])).most_common(1)
        hint = f"was it cut at the right mark? Another: --set data.delimiter={between[0][0] if between else ';'!r}."
        return DataError(f"{path} has one column, {frame.columns[0]!r}, and none called {name!r}.", hint)
    return DataError(f"{path} has no column {name!r}.", nearest(name, columns))


def _listed(kinds: dict[str, str]) -> str:
    return some([f"{name} ({kind})" for name, kind in kinds.items()], 30)
