"""What a person hands to `predict`: files, folders or the text itself, as examples without answers."""

import errno
from pathlib import Path
from typing import Any

from dlcli import config as configuration
from dlcli import console, described, locating, plan, registry
from dlcli.config import RunConfig
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError, some


def read(spec: dict[str, Any], config: RunConfig, inputs: list[str], *, named: list[str] = ()) -> Examples:
    """The inputs as examples of the kind that the run was trained on.

    Each path is read by the run's own format and data options where that recognises it, else by
    the only format that does; known answers in it are not used. For a run on texts, an input that
    is no path is a text. named: assignments of data options that the user gave now, which a format must have.

    Raises: DataError or DlcliError for an input that cannot be read, or is of another kind.
    """
    parts: list[Examples] = []
    literal = [text for text in inputs if not _exists(text)]
    if literal and spec["kind"] not in ("texts", "corpus"):
        raise DlcliError(f"there is no file or folder {literal[0]!r}.", "INPUT is a path.")
    for text in inputs:
        if text in literal:
            parts.append(Examples(x=[text], names=[text]))
            continue
        found = _open(Path(text), spec, config, named)
        for warning in found.warnings:
            console.warn(warning)
        if found.kind != spec["kind"] and {found.kind, spec["kind"]} != {"texts", "corpus"}:
            raise DataError(f"{text} holds {found.kind}; the run was trained on {spec['kind']}.")
        part = part_named(Path(text), found)
        parts += [found.splits[part]] if part else found.splits.values()
        if spec["kind"] == "table":
            _warn_of_words(parts[-1].x, spec.get("learned", {}).get("columns") or [])
    return _joined(parts)


def _warn_of_words(frame, columns: list[dict]) -> None:
    """Numbers that can be read as none are missing values to the model, whose predictions go by the others."""
    from dlcli.cells import MISSING, numbers

    for name in [
        column["name"] for column in columns if column["kind"] == "numeric" and column["name"] in frame.columns
    ]:
        cells = frame[name].drop_nulls().cast(str)
        filled = cells.filter(~cells.is_in(list(MISSING)))
        odd = filled.filter(numbers(filled).is_null())
        if odd.len():
            console.warn(
                f"{odd.len()} of {filled.len()} values of column {name!r} are no numbers, which it held in training, and"
                f" count as missing: {some(odd.unique().sort().head(3).to_list())}"
            )


def _exists(text: str) -> bool:
    """Whether it is the path of something; what is longer than any path is not."""
    try:
        return Path(text).exists()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def part_named(path: Path, found: Data) -> str:
    """The split that a file is which brought its siblings along (X_TEST.ts and X_TRAIN.ts); "" where it is no part."""
    from dlcli.formats._files import part_of

    part = part_of(path.name)[0]
    return part if path.is_file() and part in found.splits else ""


def _open(path: Path, spec: dict[str, Any], config: RunConfig, named: list[str]) -> Data:
    own = registry.find("formats", spec["format"])
    entry = own if locating.holds(own, path) else locating.format_of(str(path))
    asked = {text.partition("=")[0].strip().removeprefix("data.") for text in named}
    own_options = plan.data_options(config)
    options = {name: value for name, value in own_options.items() if name in entry.options or name in asked}
    options = configuration.coerce(entry, options, "data")
    if "unlabelled" in entry.options:
        options["unlabelled"] = True
    if "kind" in entry.options:
        options.setdefault("kind", spec["kind"])
    options = described.columns_known(spec, entry) | options
    return entry.load().open(locating.place(entry, path), **options)


def _joined(parts: list[Examples]) -> Examples:
    """One list of examples; a single one as it is."""
    if len(parts) == 1:
        return Examples(x=parts[0].x, names=parts[0].names)
    x = _concatenated([part.x for part in parts])
    return Examples(x=x, names=[name for part in parts for name in part.names or map(str, range(len(part)))])


def _concatenated(values: list):
    first = values[0]
    if hasattr(first, "vstack"):  # polars frames
        import polars

        return polars.concat(values, how="diagonal_relaxed")
    if hasattr(first, "source"):  # pictures: read from files, or from arrays of one size
        from dlcli.images import together

        return together(values)
    return [x for part in values for x in part]
