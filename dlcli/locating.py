"""Which format DATA is in, and where below it: a folder too many, as archives unpack to, is looked into."""

from collections.abc import Iterator
from pathlib import Path

from dlcli import registry
from dlcli.errors import DataError, DlcliError, some
from dlcli.registry import Entry

DEPTH = 4  # folders too many
ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"}
_ARRAYS = "save its arrays as x and y with numpy.savez, and name that .npz file"
_SHEET = "save the sheet as CSV"
_PICKLE = "save what is in it as CSV or .npz: a pickle could run code when loaded"
# What to do with files that are not read here, by their endings.
WAYS = {
    ".mat": _ARRAYS,
    ".h5": _ARRAYS,
    ".hdf5": _ARRAYS,
    ".xls": _SHEET,
    ".xlsx": _SHEET,
    ".ods": _SHEET,
    ".arff": "save it as CSV: a line of the attributes' names, then what stands below @data",
    ".json": "save it as .jsonl, which has one object a line",
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".p": _PICKLE,
    **dict.fromkeys(ARCHIVES, "unpack what is packed"),
}


def format_of(data: str) -> Entry:
    """The only format that recognises DATA, or else what lies in it. Raises: DlcliError."""
    path = Path(data)
    formats = registry.entries("formats")
    for inner in _inward(path):
        found = [entry for entry in formats.values() if entry.load().matches(inner)]
        if len(found) == 1:
            return found[0]
        if found:
            raise DlcliError(
                f"{inner} could be read as {' or '.join(entry.name for entry in found)}.",
                f"name one: --format {found[0].name}.",
            )
    if not path.exists():
        raise DlcliError(
            f"there is no file, folder or built-in set {data!r}.",
            registry.nearest(data, ["digits", *registry.entries("samples")]),
        )
    if not path.is_file() and not path.is_dir():
        raise DataError(
            f"{path} is neither a file nor a folder.", "a pipe or a device cannot be read twice: save it first."
        )
    if path.suffix.lower() in ARCHIVES:
        raise DataError(f"{path} is an archive.", "unpack it into a folder of its own, and name that.")
    if len(tables := _tables(inner)) > 1:
        names = some([table.name for table in tables])
        raise DataError(f"{inner} holds several tables: {names}.", f"name one of them, such as {tables[0]}.")
    raise DataError(
        f"{path} is in no format that dlcli knows ({_contents(path)}).",
        f"{_way(inner)}known are {', '.join(formats)}: `dlcli list formats` describes them.",
    )


def holds(entry: Entry, path: Path) -> bool:
    """Whether the format recognises the path, or what lies in it."""
    return any(entry.load().matches(place) for place in _inward(path))


def place(entry: Entry, path: Path) -> Path:
    """Where the data of that format lies; the path itself where nothing says otherwise."""
    places = list(_inward(path))
    return next((place for place in places if entry.load().matches(place)), path) if len(places) > 1 else path


def _inward(path: Path) -> Iterator[Path]:
    """The path and, of a folder with nothing in it but one folder and notes, that one, and so on."""
    for _ in range(DEPTH + 1):
        yield path
        inner = _only_folder(path)
        if inner is None:
            return
        path = inner


def _only_folder(path: Path) -> Path | None:
    from dlcli.formats._files import is_note

    only = None
    for item in path.iterdir() if path.is_dir() else ():
        if item.name[0] in "._" or (item.is_file() and is_note(item.name)):
            continue
        if only or not item.is_dir():  # the first of many files ends it
            return None
        only = item
    return only


def _tables(folder: Path) -> list[Path]:
    from dlcli.formats._sheet import is_table

    return [file for file in _listed(folder) if file.is_file() and is_table(file)]


def _way(path: Path) -> str:
    """What to do with the file, or with the first of a folder that something can be done with."""
    endings = [file.suffix.lower() for file in ([path] if path.is_file() else _listed(path))]
    return next((f"{WAYS[ending]}; " for ending in endings if ending in WAYS), "")


def _listed(folder: Path) -> list[Path]:
    return [item for item in sorted(folder.iterdir()) if item.name[0] not in "._"] if folder.is_dir() else []


def _contents(path: Path) -> str:
    if path.is_file():
        return f"a {path.suffix or 'nameless'} file of {path.stat().st_size} bytes"
    names = sorted(item.name for item in path.iterdir())
    return f"a folder with {', '.join(names[:3])}{'…' if len(names) > 3 else ''}" if names else "an empty folder"
