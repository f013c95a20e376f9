"""Model files as the limited process judges them: a whole archive, its configuration alone, or an older HDF5 file's.

The first byte says which: what stands behind a checksum is not found by changing bytes of the whole.
"""

import io
import os
import zipfile
from contextlib import suppress

from dlcli.errors import DlcliError
from dlcli.safety import child
from tests.hostile import base

WEIGHTS = base.weights()


def archive(config: bytes) -> bytes:
    """A good archive around a configuration."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as opened:
        opened.writestr("metadata.json", "{}")
        opened.writestr("config.json", config)
        opened.writestr("model.weights.h5", WEIGHTS)
    return held.getvalue()


def judge(data: bytes, suffix: str) -> None:
    """Raises: what is no DlcliError."""
    descriptor = os.memfd_create("model")
    try:
        os.write(descriptor, data)
        with suppress(DlcliError):
            child.judged(descriptor, "model", suffix, frozenset())
    finally:
        os.close(descriptor)


def one(data: bytes) -> None:
    if data[:1] == b"c":
        judge(archive(data[1:]), ".keras")
    else:
        judge(data, ".keras")
