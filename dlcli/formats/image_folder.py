"""Folders of images, one per class, with or without train/val/test folders above them.

    data/cat/1.jpg        or   data/train/cat/1.jpg
    data/dog/1.jpg             data/test/cat/9.jpg

A folder that holds nothing but one folder of this kind (as archives unpack) is looked into.
"""

import unicodedata
from pathlib import Path

from dlcli.data import Data
from dlcli.errors import DataError, some
from dlcli.formats import _image_files as image_files
from dlcli.formats import _named_pictures, _views
from dlcli.formats._image_files import Found


def matches(path: Path) -> bool:
    """Whether there is a picture in a class folder."""
    if not path.is_dir():
        return False
    layout = _layout(path)
    if len({label for _, label, _ in layout}) < 2 and _named_pictures.listed(path):
        return False
    return any(image_files.holds_pictures(folder) for _, _, folder in layout)


def open(path: Path, *, unreadable: float = 0.0) -> Data:
    """Images with their folder's name as class; unreadable: fraction that may be broken."""
    found, empty, full, foreign, links = [], [], [], [], []
    layout = _layout(path)
    seen = {image_files.identity(p) for _, _, folder in layout for p in (folder, folder.parent)}
    for split, label, folder in layout:
        here = []
        links += [folder] if folder.is_symlink() else []
        for file in image_files.files(folder, seen, links):
            name = image_files.readable(file.relative_to(path).as_posix())
            if image_files.is_named_picture(file):
                here.append(Found(split, label, str(file), name))
            else:
                foreign.append(name)
        found += here
        if here:
            full.append(folder)
        else:
            empty.append((split, image_files.readable(folder.relative_to(path).as_posix())))
    if not found:
        raise DataError(
            f"no class folders with images in {path}{_received(path)}.",
            "put the images of each class in a folder of their own, named after the class.",
        )
    warnings = [*_empty(empty, full), *_loose(path, foreign), *_alike(found), *image_files.outside(path, links)]
    _check_splits(found)
    found, more = _labelled(found)
    warnings += more
    data = image_files.load(found, unreadable=unreadable, warnings=warnings)
    data.warnings.extend(_views.warnings(next(iter(data.splits.values()))))
    return data


def _layout(path: Path) -> list[tuple[str, str, Path]]:
    """(split, class, folder) of every class folder; split is "all" where there are none."""
    root = _unwrapped(path)
    parts = image_files.splits(root)
    if len(parts) < 2:  # what is called train, alone and without folders, are pictures of trains
        parts = {"all": parts["train"] if parts and image_files.folders(parts["train"]) else root}
    return [
        (split, image_files.readable(folder.name), folder)
        for split, part in parts.items()
        for folder in image_files.folders(_unwrapped(part))
    ]


def _unwrapped(path: Path, depth: int = 4) -> Path:
    inner = image_files.folders(path)
    if depth and len(inner) == 1 and not image_files.pictures(path):
        below = image_files.folders(inner[0])
        if below and not image_files.pictures(inner[0]):
            return _unwrapped(inner[0], depth - 1)
    return path


def _received(path: Path) -> str:
    loose = len(image_files.pictures(path)) if path.is_dir() else 0
    return f" (received {image_files.grouped(loose)} loose images)" if loose else ""


def _empty(empty: list[tuple[str, str]], full: list[Path]) -> list[str]:
    fatal = [name for split, name in empty if split in ("train", "all")]
    if fatal:
        # caltech101/101_ObjectCategories beside Annotations: the one folder with pictures holds the classes
        inner = [folder for folder in image_files.folders(full[0]) if image_files.holds_pictures(folder)]
        raise DataError(
            f"{len(fatal)} class folder{'s' * (len(fatal) > 1)} without an image: {some(fatal)}.",
            f"name the folder with the classes in it: {image_files.readable(str(full[0]))}."
            if len(full) == 1 and len(inner) > 1
            else f"delete what is no class, or let its name begin with a dot; images end in "
            f"{' '.join(image_files.SUFFIXES)}.",
        )
    return [f"{len(empty)} empty class folders: {some(name for _, name in empty)}."] if empty else []


def _loose(path: Path, foreign: list[str]) -> list[str]:
    root = _unwrapped(path)
    parts = image_files.splits(root)
    outside = [file for folder in [root, *parts.values()] for file in image_files.pictures(folder)]
    beside = [folder for folder in image_files.folders(root) if parts and folder not in parts.values()]
    warnings = []
    if foreign:
        warnings.append(f"{image_files.grouped(len(foreign))} files are not images: {some(foreign)}.")
    if outside:
        names = some(image_files.readable(file.name) for file in outside)
        count = image_files.grouped(len(outside))
        warnings.append(f"{count} images outside of class folders were not used: {names}.")
    if beside:
        names = some(image_files.readable(folder.name) for folder in beside)
        warnings.append(f"folders beside train that were not used: {names}.")
    return warnings


def _alike(found: list[Found]) -> list[str]:
    """Classes whose names differ only in what the eye does not see: composed accents, case."""
    groups = {}
    for label in sorted({one.label for one in found}):
        key = unicodedata.normalize("NFC", label).casefold().strip()
        groups.setdefault(key, []).append(label)
    return [
        f"classes {' and '.join(map(repr, labels))} have almost the same name; they are kept apart."
        for labels in groups.values()
        if len(labels) > 1
    ]


def _check_splits(found: list[Found]) -> None:
    known = {one.label for one in found if one.split in ("train", "all")}
    if not known:
        raise DataError("the train folder holds no class folders with images.")


def _labelled(found: list[Found]) -> tuple[list[Found], list[str]]:
    """Without the validation and test splits whose one folder, such as val/images, is no class; and a warning of them."""
    known = {one.label for one in found if one.split in ("train", "all")}
    if len(known) < 2:
        return found, []  # of one class, the others are anomalies
    others = {split: [one for one in found if one.split == split] for split in ("val", "test")}
    warnings = []
    for split, its in others.items():
        labels = {one.label for one in its}
        if len(labels) == 1 and not labels & known:
            found = [one for one in found if one.split != split]
            warnings.append(
                f"the {image_files.grouped(len(its))} images of {split} are not used: their one folder, "
                f"{some(labels)}, is no class of training."
            )
    return found, warnings
