"""Parquet as a table: the reading itself, which the package does in another process first."""

import tempfile
from contextlib import suppress
from pathlib import Path

from dlcli.errors import DlcliError
from dlcli.formats import _parquet


def one(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file, suppress(DlcliError):
        file.write(data)
        file.flush()
        _parquet.frame(Path(file.name))
