"""NumPy archives. The first byte chooses what x is said to hold."""

from dlcli.formats import npz
from tests.fuzz._files import opened

KINDS = ("auto", "images", "sequences", "table")


def one(data: bytes) -> None:
    opened(npz, "a.npz", data[1:], kind=KINDS[data[0] % 4] if data else "auto")
