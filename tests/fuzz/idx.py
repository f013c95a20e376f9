"""IDX files of images, plain or packed as the first byte says."""

from dlcli.formats import idx
from tests.fuzz._files import opened


def one(data: bytes) -> None:
    opened(idx, "train-images-idx3-ubyte" + (".gz" if data[:1] > b"\x7f" else ""), data[1:])
