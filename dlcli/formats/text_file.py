"""Plain text to be modelled: a .txt file or one without an ending, or a folder of them."""

from pathlib import Path

from dlcli.data import Data, Examples
from dlcli.formats import _encoding, _files, _plain_numbers, class_files, labelled_lines, ucr

SUFFIXES = {".txt", ".md", ".text", ".tokens"}
# Endings that also other things have: what the file begins with says it.
UNSURE = {"", ".raw"}


def matches(path: Path) -> bool:
    files = [file for files in _splits(path).values() for file in files]
    if all(_plain_numbers.is_table(file) for file in files):  # or none
        return False
    return not any(other.matches(path) for other in (labelled_lines, class_files, ucr))


def open(path: Path, *, encoding: str | None = None) -> Data:
    """One document per file.  encoding: of the characters (default: what they look like)."""
    splits, warnings = {}, []
    for split, files in _files.required(_splits(path), path, "plain text").items():
        texts = []
        for file in files:
            text, notes = _encoding.decode(file, encoding)
            texts.append(text)
            warnings += notes
        splits[split] = Examples(x=texts, names=[file.name for file in files])
    if path.is_file() and len(splits) > 1:
        warnings.append("used as one data set: " + ", ".join(files[0].name for files in _splits(path).values()))
    return Data(kind="corpus", splits=splits, about={"target_kind": "none"}, warnings=warnings)


def _splits(path: Path) -> dict[str, list[Path]]:
    """Files by split: by their names (train.txt), by folders (train/), or all together."""
    if path.is_file() and _files.is_note(path.name):
        return {"all": [path]} if _reads_as_text(path) else {}
    if path.is_file():
        return {part: [file] for part, file in _files.split_files(path, _is_text).items()}
    if not path.is_dir():
        return {}
    files, folders = _inside(path)
    if files and not folders:
        parts = _files.split_files(path, _is_text)
        return {part: [file] for part, file in parts.items()} or {"all": files}
    parts = {_files.PARTS.get(folder.name.lower(), ""): folder for folder in folders}
    if files or "train" not in parts or "" in parts:
        return {}
    inside = {part: _inside(parts[part]) for part in _files.ORDER if part in parts}
    if any(folders or not files for files, folders in inside.values()):
        return {}
    return {part: files for part, (files, _) in inside.items()}


def _inside(path: Path) -> tuple[list[Path], list[Path]]:
    """Text files and folders; no text file where any other kind of file lies among them."""
    items = [item for item in sorted(path.iterdir()) if item.name[0] not in "._"]
    files = [item for item in items if item.is_file() and not _files.is_note(item.name)]
    folders = [item for item in items if item.is_dir()]
    return (files if all(_is_text(file) for file in files) else []), folders


def _is_text(file: Path) -> bool:
    return not _files.is_note(file.name) and _reads_as_text(file)


def _reads_as_text(file: Path) -> bool:
    ending = file.suffix.lower()
    return ending in SUFFIXES or (ending in UNSURE and _encoding.is_prose(file))
