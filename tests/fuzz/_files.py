"""Bytes as a file of some name, opened by a format and split, as `train` does before Keras starts."""

import tempfile
from contextlib import suppress
from pathlib import Path

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
