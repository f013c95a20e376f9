"""Built-in sets by name: digits, and the procedural sets of any size, such as shapes:100000."""

import re
from pathlib import Path

from dlcli import registry
from dlcli.data import Data, Examples
from dlcli.errors import DataError

NAME = re.compile(r"([a-z][a-z-]*)(?::([0-9]+))?")


def matches(path: Path) -> bool:
    """Whether it is such a name, and no file or folder has it."""
    name, _ = _parsed(path)
    return name is not None and not path.exists()


def open(path: Path, *, n: int | None = None, seed: int = 0, target: str | None = None) -> Data:
    """n: how many examples. seed: other examples of the same kind. target: of a table."""
    name, size = _parsed(path)
    if name is None:
        known = ["digits", *registry.entries("samples")]
        raise DataError(f"there is no built-in set {str(path)!r}.", registry.nearest(str(path), known))
    size = size if n is None else n
    if size is not None and size < 1:
        raise DataError(f"{size} examples of {name} were asked for.", "ask for at least one.")
    if name == "digits":
        return _digits(size)
    entry = registry.find("samples", name)
    options = {"target": target} if target is not None else {}
    unknown = set(options) - set(entry.options)
    if unknown:
        raise DataError(f"{name} has no columns to choose a target from (received {target!r}).", "leave --target away.")
    return entry.load().make(size or entry.literal("SIZE"), seed=seed, **options)


def _parsed(path: Path) -> tuple[str | None, int | None]:
    """shapes:500 -> ("shapes", 500); None for a name that is not built in."""
    found = NAME.fullmatch(str(path))
    if not found or found[1] not in ("digits", *registry.entries("samples")):
        return None, None
    return found[1], int(found[2]) if found[2] else None


def _digits(n: int | None) -> Data:
    """1 797 handwritten digits, 8x8 (Alpaydin and Kaynak, 1998), as scikit-learn brings them."""
    from sklearn.datasets import load_digits

    from dlcli.images import ArrayImages

    pixels, labels = load_digits(return_X_y=True)
    if n is not None and n > len(labels):
        raise DataError(f"{n} digits were asked for, but there are {len(labels)}.", "ask for fewer, or for shapes:N.")
    pixels, labels = pixels[:n].reshape(-1, 8, 8), labels[:n]
    images = ArrayImages((pixels * (255 / 16)).round().astype("uint8"))
    names = [f"digit {i}" for i in range(len(labels))]
    return Data(kind="images", splits={"all": Examples(x=images, y=labels.astype(str), names=names)})
