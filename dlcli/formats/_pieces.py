"""Tables in numbered pieces, as large ones are shared: train-00000-of-00002.parquet and train-00001-of-00002.parquet."""

import re
from pathlib import Path

from dlcli.errors import DataError, some

# Some have a digest of sixteen digits behind it.
_NUMBER = re.compile(r"[-_.](?P<number>\d+)-of-(?P<count>\d+)(?:-[0-9a-f]{16})?(?=\.|$)")


def whole(name: str) -> str:
    """The name without the piece's number: of all pieces the same."""
    return _NUMBER.sub("", name, count=1)


def is_later(path: Path) -> bool:
    """Whether the file is read together with the first piece, which lies beside it."""
    found = _NUMBER.search(path.name)
    return bool(found and int(found["number"])) and any(
        whole(other.name) == whole(path.name) and not int(number["number"])
        for other in path.parent.iterdir()
        if (number := _NUMBER.search(other.name))
    )


def of(path: Path) -> list[Path]:
    """All pieces of what the file is the first of, in order; of any other file itself.

    Raises: DataError where one is missing.
    """
    found = _NUMBER.search(path.name)
    if not found or int(found["number"]):
        return [path]
    pieces = {}
    for other in path.parent.iterdir():
        number = _NUMBER.search(other.name)
        if number and number["count"] == found["count"] and whole(other.name) == whole(path.name):
            pieces[int(number["number"])] = other
    missing = sorted(set(range(int(found["count"]))) - set(pieces))
    if missing:
        raise DataError(
            f"{path} is the first of {int(found['count'])} pieces; not there: number {some(missing)}.",
            "bring them all together, or give this one another name.",
        )
    return [pieces[i] for i in range(int(found["count"]))]


def joined(frames: list, path: Path):
    """The rows of all pieces, one after another. Raises: DataError where their columns differ."""
    import polars as pl

    for number, frame in enumerate(frames):
        if frame.columns != frames[0].columns:
            raise DataError(
                f"piece {number} of {path} has other columns ({some(frame.columns, 8)}) than the first "
                f"({some(frames[0].columns, 8)}).",
                "keep pieces of one table together.",
            )
    return pl.concat(frames) if len(frames) > 1 else frames[0]
