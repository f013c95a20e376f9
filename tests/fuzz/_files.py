"""Bytes as a file of some name, opened by a format and split, as `train` does before Keras starts."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # files are small, and several searches run at once

import polars  # noqa: F401  not to be counted as the time of the first file

from dlcli import splits
from dlcli.errors import DlcliError


def opened(entry, name: str, data: bytes, **options) -> None:
    """Raises: what is no DlcliError."""
    with tempfile.TemporaryDirectory(prefix="dlcli-fuzz-", dir=_MEMORY) as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        with suppress(DlcliError):
            entry.matches(path)
            found = entry.open(path, **options)
            split, _ = splits.split(found)
            splits.check_labels(split)


_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
