"""Finding picture files in folders, and making Data of them: what the image formats share."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import NAMED, DataError, allowing, some
from dlcli.formats._files import part_of

# The same literal stands in decode.py; it is not imported, for matches() must stay cheap.
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".tiff", ".tif", ".ppm", ".pgm", ".pbm")

# Control characters, line ends, and marks that turn the direction of writing.
_STEERING = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]")

_JUNK = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found"}


class Found(NamedTuple):
    """One picture file: its split, its class (or None), where it is, what messages call it."""

    split: str
    label: str | None
    path: str
    name: str


def natural(name: str) -> list:
    """Sorting key by which img2 stands before img10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]


def readable(text: str) -> str:
    """A file name as text that can be printed and saved; bytes that are no UTF-8, and characters that
    would steer a terminal, as \\xNN."""
    name = os.fsencode(text).decode("utf-8", "backslashreplace")
    return _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", name)


def is_picture(path: str | Path) -> bool:
    """A regular file (a named pipe would hang) whose ending is that of a picture."""
    return str(path).lower().endswith(SUFFIXES) and os.path.isfile(path)


def is_named_picture(path: str | Path) -> bool:
    """Whether its ending is that of a picture, whatever it is."""
    return str(path).lower().endswith(SUFFIXES)


def folders(folder: Path) -> list[Path]:
    """Subfolders, without hidden ones and what operating systems leave behind."""
    return [path for path in _listed(folder) if path.is_dir()]


def pictures(folder: Path) -> list[Path]:
    """What is called a picture and lies directly in a folder."""
    return [path for path in _listed(folder) if is_named_picture(path) and not path.is_dir()]


def files(folder: Path, seen: set | None = None, links: list[Path] | None = None) -> Iterator[Path]:
    """All files below a folder. Subfolders in `seen` are not entered: links can go in circles.
    Links to what is used are added to `links`."""
    seen = {identity(folder)} if seen is None else seen
    links = [] if links is None else links
    for path in _listed(folder):
        is_folder = path.is_dir()
        if is_folder and identity(path) in seen:
            continue
        if path.is_symlink():
            links.append(path)
        if is_folder:
            seen.add(identity(path))
            yield from files(path, seen, links)
        else:
            yield path


def identity(folder: Path) -> tuple[int, int]:
    """What a folder is known by, through whichever link it was reached."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def outside(root: Path, seen: list[Path]) -> list[str]:
    """A warning of links among these paths that lead out of the folder."""
    inside = os.path.realpath(root)
    away = [path for path in seen if os.path.commonpath([inside, os.path.realpath(path)]) != inside]
    if not away:
        return []
    names = some([readable(path.relative_to(root).as_posix()) for path in away], NAMED)
    return [f"{grouped(len(away))} links lead out of {root}, and what lies there is used: {names}."]


def holds_pictures(folder: Path) -> bool:
    """Whether any picture lies below this folder."""
    return any(is_picture(path) for path in files(folder))


def splits(folder: Path) -> dict[str, Path]:
    """Subfolders that are called train, val, test (or validation, test_set, seg_test...) when train is among them."""
    below = [(part_of(path.name), path) for path in folders(folder)]
    found: dict[str, Path] = {}
    for (split, rest), path in below:
        if split in found and rest == "*":
            raise DataError(
                f"both {found[split].name!r} and {path.name!r} in {folder} are a {split} split.",
                "keep one of the two folders.",
            )
        if split and rest == "*":
            found[split] = path
    if not found:
        # Words in longer names: steam-train beside car is a class, and two for one split say nothing.
        named = [(split, path) for (split, _), path in below if split]
        once = len(dict(named)) == len(named)
        if once and (len(named) == len(below) or all(folders(path) for _, path in named)):
            found = dict(named)
    return found if "train" in found else {}


def load(found: list[Found], *, unreadable: float, warnings: list[str]) -> Data:
    """Look at every file, leave out and name those that cannot be read, and make the splits.

    Raises: DataError when more than this fraction is unreadable, or a class has no picture left.
    """
    from dlcli.images import scan

    images, good, bad, animated = scan([one.path for one in found], [one.name for one in found])
    warnings = [*warnings, *_complaints(found, bad, animated, unreadable)]
    left = [found[i] for i in good]
    _check_classes(found, left, bad)

    order = [split for split in ("train", "val", "test", "all") if any(f.split == split for f in left)]
    parts = {split: good[[one.split == split for one in left]] for split in order}
    labels = np.array([one.label for one in found]) if found[0].label is not None else None
    examples = {
        split: Examples(
            x=images.take(positions),
            y=None if labels is None else labels[positions],
            names=[found[i].name for i in positions],
        )
        for split, positions in parts.items()
    }
    counts = Counter(one.label for one in left)
    classes = None if labels is None else sorted(counts, key=natural)
    about = {
        "classes": classes,
        "size": examples[order[0]].x.size(),
        "counts": None if classes is None else {name: counts[name] for name in classes},
    }
    return Data(kind="images", splits=examples, about=about, warnings=warnings)


def _complaints(found, bad, animated, unreadable) -> list[str]:
    complaints = []
    if bad:
        names = some([f"{found[i].name} ({reason})" for i, reason in bad.items()], NAMED)
        what = f"{grouped(len(bad))} of {grouped(len(found))} images could not be read: {names}"
        if len(bad) > unreadable * len(found):
            raise DataError(
                f"{what}.",
                f"repair or delete them; or leave them out: {allowing(len(bad) / len(found))}.",
            )
        complaints.append(f"{what}; they were left out.")
    if animated:
        names = some(found[i].name for i in animated)
        complaints.append(f"{grouped(len(animated))} animated images: only the first frame: {names}.")
    return complaints


def _check_classes(found, left, bad) -> None:
    kept = {(one.split, one.label) for one in left}
    lost = sorted({(one.split, str(one.label)) for one in found if (one.split, one.label) not in kept})
    if lost:
        _, label = lost[0]
        reasons = {reason for i, reason in bad.items() if str(found[i].label) == label}
        which = "" if found[0].label is None else f" of class {label!r}"
        raise DataError(
            f"no image{which} could be read ({some(sorted(reasons))}).",
            "repair the images, or delete the class folder.",
        )


def grouped(number: int) -> str:
    """12345 as '12 345'."""
    return f"{number:,}".replace(",", " ")


def _listed(folder: Path) -> list[Path]:
    try:
        paths = [path for path in folder.iterdir() if not _is_junk(path.name)]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}.") from error
    return sorted(paths, key=lambda path: natural(path.name))


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK
