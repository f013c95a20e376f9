"""Delimited text. The first byte chooses the ending and what is said of the header."""

from dlcli.formats import table
from tests.fuzz._files import opened

CHOICES = (("a.csv", {}), ("a.tsv", {}), ("a.csv", {"header": "yes", "unreadable": 0.2}), ("a.csv", {"kind": "series"}))


def one(data: bytes) -> None:
    name, options = CHOICES[data[0] % len(CHOICES)] if data else CHOICES[0]
    opened(table, name, data[1:], **options)
