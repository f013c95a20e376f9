"""Class folders of texts, .txt or without an ending: CLASS/*.txt, with or without train/ and test/ above."""

from itertools import islice
from pathlib import Path

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import NAMED, DataError, DlcliError, allowing, some
from dlcli.formats import _encoding, _files
from dlcli.formats import _image_files as image_files

LOOKED_AT = 20  # files without an ending in a folder: what they begin with says whether they are texts
UNLABELLED = {"unsup", "unlabeled", "unlabelled", "unsupervised"}


def matches(path: Path) -> bool:
    """Whether there are classes of texts, and not as many pictures (which have notes beside them) as texts."""
    splits = _splits(path)
    if not any(len(classes) > 1 for classes in splits.values()):
        return False
    texts = sum(len(files) for classes in splits.values() for files in classes.values())
    pictures = islice((file for file in image_files.files(path) if image_files.is_named_picture(file)), texts)
    return len(list(pictures)) < texts


def open(path: Path, *, encoding: str | None = None, unreadable: float = 0.0) -> Data:
    """Texts with the names of their folders as labels; unreadable: fraction that may be broken.  encoding: of the
    characters (default: what they look like).
    """
    splits, warnings = {}, []
    for split, classes in _files.required(_splits(path), path, "class folders of texts").items():
        for name in [name for name in classes if name.lower() in UNLABELLED and len(classes) > 2]:
            warnings.append(f"{len(classes.pop(name))} texts in {split}/{name} have no label and are not used")
        splits[split] = _examples(path, classes, encoding, unreadable, warnings)
    return Data(kind="texts", splits=splits, about={"target_kind": "classes"}, warnings=list(dict.fromkeys(warnings)))


def _splits(path: Path) -> dict[str, dict[str, list[Path]]]:
    """Files by class by split."""
    if not path.is_dir():
        return {}
    parts = image_files.splits(path)
    if any(_folders(part) for part in parts.values()):
        found = {split: _classes(parts[split]) for split in _files.ORDER if split in parts}
        return {split: classes for split, classes in found.items() if classes}
    classes = _classes(path)
    return {"all": classes} if classes else {}


def _classes(path: Path) -> dict[str, list[Path]]:
    """Folders that hold text files above all, by name; notes beside pictures are no classes."""
    classes = {}
    for folder in _folders(path):
        files = [item for item in sorted(folder.iterdir()) if item.is_file() and item.name[0] not in "._"]
        texts = [file for file in files if file.suffix.lower() == ".txt"]
        bare = [file for file in files if not file.suffix and not _files.is_note(file.name)]
        if all(_encoding.is_prose(file) for file in bare[:LOOKED_AT]):
            texts += bare
        if len(texts) > len(files) / 2:
            classes[folder.name] = texts
    return classes


def _folders(path: Path) -> list[Path]:
    return sorted(item for item in path.iterdir() if item.is_dir() and item.name[0] not in "._")


def _examples(path: Path, classes: dict[str, list[Path]], encoding, unreadable: float, warnings: list[str]) -> Examples:
    texts, labels, names, bad, guessed = [], [], [], {}, {}
    for label, files in classes.items():
        for file in files:
            try:
                found, notes = _encoding.find(file, encoding)
                text = _encoding.whole(file, found)
            except DlcliError as error:
                bad[file.relative_to(path)] = error.message
                continue
            if notes:
                guessed.setdefault(found, []).append(file.name)
            texts.append(text)
            labels.append(label)
            names.append(str(file.relative_to(path)))
    total = len(texts) + len(bad)
    if bad:
        message = f"{len(bad)} of {total} texts could not be read: {some(bad, NAMED)}"
        if len(bad) > unreadable * total:
            raise DataError(
                f"{message}; the first: {next(iter(bad.values()))}",
                f"mend or remove them; or leave them out: {allowing(len(bad) / total)}.",
            )
        warnings.append(message)
    for found, others in guessed.items():
        told = f"{len(others)} of {total} texts are not UTF-8 and were read as {found}: {some(others)}"
        warnings.append(f"{told} (another: --set data.encoding=NAME)")
    return Examples(x=texts, y=np.array(labels, dtype=str), names=names)
