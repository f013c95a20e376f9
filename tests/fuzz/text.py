"""Texts: labelled lines or plain, as the first byte says, in an encoding to be found."""

from dlcli.formats import labelled_lines, text_file
from tests.fuzz._files import opened


def one(data: bytes) -> None:
    opened(labelled_lines if data[:1] > b"\x7f" else text_file, "a.txt", data[1:])
