"""Images without class folders, one file or many, also in train/val/test; their names may begin with classes."""

from pathlib import Path

from dlcli.data import Data
from dlcli.errors import DataError, some
from dlcli.formats import _class_names, _named_pictures
from dlcli.formats import _image_files as image_files
from dlcli.formats._image_files import Found


def matches(path: Path) -> bool:
    """Whether there are loose pictures and no class folders."""
    if path.is_file():
        return image_files.is_picture(path)
    if not path.is_dir() or not any(image_files.pictures(part) for part in _parts(path).values()):
        return False
    if _named_pictures.listed(path):
        return False
    below = [folder for part in _parts(path).values() for folder in image_files.folders(part)]
    return not any(image_files.holds_pictures(folder) for folder in below)


def open(path: Path, *, unreadable: float = 0.0) -> Data:
    """Images, with labels where all names of what is trained on begin with a class; unreadable: fraction that may
    be broken."""
    if path.is_file():
        found = [Found("all", None, str(path), image_files.readable(path.name))]
    else:
        found = [
            Found(split, None, str(file), image_files.readable(file.relative_to(path).as_posix()))
            for split, part in _parts(path).items()
            for file in image_files.pictures(part)
        ]
    if not found:
        raise DataError(f"no images in {path}.", f"images end in {' '.join(image_files.SUFFIXES)}.")
    found, warnings = _labelled(found)
    return image_files.load(found, unreadable=unreadable, warnings=warnings)


def _labelled(found: list[Found]) -> tuple[list[Found], list[str]]:
    """With the classes that are read from the names, without the splits whose names have none; and what is to be told."""
    classes = set(_class_names.classes([one.path for one in found if one.split in ("train", "all")]))
    if not classes:
        return found, []
    found = [one._replace(label=_class_names.named(one.path)) for one in found]
    unnamed = {one.split for one in found if one.label not in classes}
    warnings = [f"classes are read from the files' names: {some(sorted(classes))}."]
    if unnamed:
        warnings.append(
            f"the images of {some(sorted(unnamed))} are not used: not all of their names begin with a class."
        )
    return [one for one in found if one.split not in unnamed], warnings


def _parts(path: Path) -> dict[str, Path]:
    """The folder of each split; all is the folder itself."""
    parts = {} if image_files.pictures(path) else image_files.splits(path)
    return parts if len(parts) > 1 else {"all": parts.get("train", path)}
