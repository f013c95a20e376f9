"""JSON lines as a table."""

from dlcli.formats import table
from tests.fuzz._files import opened


def one(data: bytes) -> None:
    opened(table, "a.jsonl", data)
