"""Parquet as a table. Damaged files end the process that reads them, which is another one: slow to search."""

import tempfile
from contextlib import suppress
from pathlib import Path

from dlcli.errors import DlcliError
from dlcli.formats import _parquet


def one(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file, suppress(DlcliError):
        file.write(data)
        file.flush()
        _parquet.read(Path(file.name))
