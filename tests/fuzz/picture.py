"""One picture: its header, all of it, and a part of it in another size."""

from contextlib import suppress

from dlcli import decode
from dlcli.file_bytes import Unreadable

SIZE = (6, 5)


def one(data: bytes) -> None:
    with suppress(Unreadable):
        header = decode.check(data)
        if header.height * header.width < 1_000_000:  # a search should not wait for large ones
            assert decode.decode(data).shape[:2] == (header.height, header.width)
            assert decode.decode(data, size=SIZE, channels=3).shape == (*SIZE, 3)
