"""A folder is a registry: each file in it is an entry, found by name and read without being imported.

Names, summaries, options and words come from the text of the file by `ast`, so that `dlcli list`,
unknown names and ill-typed options are answered before Keras is imported. The price: defaults and
words must be literals.
"""

import ast
import difflib
import importlib
import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from dlcli.errors import MODEL, DlcliError, some

ROOT = Path(__file__).parent

# The function whose keyword-only arguments are an entry's options.
MAKERS = {
    "architectures": "build",
    "baselines": "fit",
    "checks": "find",
    "formats": "open",
    "samples": "make",
    "stimuli": "levels",
    "strategies": "adapt",
    "tasks": "learn",
}


@dataclass(frozen=True)
class Option:
    """One keyword-only argument of an entry's maker."""

    name: str
    annotation: str
    default: object
    meaning: str = ""

    @property
    def choices(self) -> list[str]:
        """The words that it may be, where its annotation lists them."""
        return choices(self.annotation)


def choices(annotation: str) -> list[str]:
    """The words of Literal['one', 'two'] in an annotation."""
    found = re.search(r"Literal\[(.*?)\]", annotation)
    return re.split(r",\s*", found[1].replace("'", "").replace('"', "")) if found else []


@dataclass(frozen=True)
class Entry:
    """One file of a registry: `name` is its stem with hyphens, `group` its folder ("" when flat)."""

    name: str
    registry: str
    group: str
    path: Path
    module: str

    @cached_property
    def _tree(self) -> ast.Module:
        try:
            return ast.parse(self.path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError) as error:
            if ROOT in self.path.parents:
                raise
            raise DlcliError(f"{self.path} is not Python: {error}.", "python -m py_compile shows the place.") from None

    @property
    def short(self) -> str:
        """The name for people: the last part of a dotted one."""
        return self.name.rpartition(".")[2]

    @cached_property
    def summary(self) -> str:
        """First line of the module's docstring."""
        return (ast.get_docstring(self._tree) or "").split("\n")[0]

    def literal(self, constant: str, default=None):
        """Value of a module-level or class-level literal such as OFFERS, or `default`."""
        for node in ast.walk(self._tree):
            targets = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                targets = [node.target]
            if any(isinstance(t, ast.Name) and t.id == constant for t in targets):
                return ast.literal_eval(node.value)
        return default

    @cached_property
    def options(self) -> dict[str, Option]:
        """Keyword-only arguments of the entry's maker, by name."""
        return self.arguments(MAKERS[self.registry])

    def arguments(self, function: str) -> dict[str, Option]:
        """Keyword-only arguments of a function or method in the entry's file, by name; {} if it has none."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.FunctionDef) and node.name == function:
                pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                told = meanings(ast.get_docstring(node) or "", [arg.arg for arg in node.args.kwonlyargs])
                return {
                    arg.arg: Option(
                        name=arg.arg,
                        annotation=ast.unparse(arg.annotation) if arg.annotation else "str",
                        default=ast.literal_eval(default) if default else None,
                        meaning=told.get(arg.arg, ""),
                    )
                    for arg, default in pairs
                }
        return {}

    def load(self):
        """Import the entry's module."""
        return importlib.import_module(self.module)


def meanings(docstring: str, names: list[str]) -> dict[str, str]:
    """What a docstring says of arguments: after "width: " or "depth, width: ", up to the next one or an empty line."""
    one = "|".join(sorted(names, key=len, reverse=True))
    parts = re.split(rf"(?:^|(?<=\s))((?:{one})(?:, (?:{one}))*):\s", docstring) if names else []
    found: dict[str, str] = {}
    for said, text in zip(parts[1::2], parts[2::2], strict=True):
        meaning = " ".join(re.split(r"\n\s*\n|\s(?:Raises|Returns):", text)[0].split())
        found |= {name: meaning for name in said.split(", ") if name not in found}
    return found


@cache
def entries(registry: str) -> dict[str, Entry]:
    """All entries of a registry by name, sorted."""
    folder = ROOT / registry
    found = {}
    for path in sorted([*folder.glob("*.py"), *folder.glob("*/*.py")]):
        if path.stem.startswith("_"):
            continue
        group = "" if path.parent == folder else path.parent.name
        module = ".".join(["dlcli", *path.relative_to(ROOT).with_suffix("").parts])
        name = path.stem.replace("_", "-")
        found[name] = Entry(name, registry, group, path, module)
    return dict(sorted(found.items()))


def find(registry: str, name: str) -> Entry:
    """The entry of that name.

    A dotted name is a module of the user's own (`--arch my_package.my_net`), read in the same way.

    Raises: DlcliError that names the nearest entry, or lists all.
    """
    known = entries(registry)
    key = name.replace("_", "-")
    if key in known:
        return known[key]
    if "." in name:
        return _foreign(registry, name)
    noun = registry.removesuffix("s")
    raise DlcliError(f"there is no {noun} named {name!r}.", nearest(name, known))


def nearest(name: str, known, listed=None) -> str:
    """A hint: the nearest of the known names, then the list of them.  listed: what to list instead."""
    known = sorted(known)
    names = {own.lower(): own for own in known}
    close = difflib.get_close_matches(name.lower(), names, n=1)
    guess = f"did you mean {names[close[0]]!r}? " if close else ""
    return f"{guess}Known: {some(known if listed is None else listed, 40)}."


# Modules of the user's own that were named in this process.
_NAMED: set[str] = set()


def name_module(name: str | None) -> None:
    """The user has written this name themselves: a dotted one may be imported from now on."""
    if name and "." in name:
        _NAMED.add(name)


def named() -> set[str]:
    """Modules and packages of the user's own that they named: on the command line, or in $DLCLI_MODULES."""
    return _NAMED | {name.strip() for name in os.environ.get("DLCLI_MODULES", "").split(",") if name.strip()}


def _foreign(registry: str, name: str) -> Entry:
    """A module of the user's own, looked for where they stand, as `python -m` does.

    Raises: DlcliError (exit code 4) for one that only a file names: importing it would run whatever it holds.
    """
    if not {name, name.partition(".")[0]} & (named() | {"dlcli"}):
        raise DlcliError(
            f"a file names the module {name!r}, which is none of dlcli: importing it would run its code.",
            f"if it is yours, say so: DLCLI_MODULES={name} dlcli …",
            code=MODEL,
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise DlcliError(
            f"there is no module named {name!r}.",
            "a dotted name is a Python module of your own; run from the folder that holds it.",
        )
    return Entry(name, registry, name.rpartition(".")[0], Path(spec.origin), name)
