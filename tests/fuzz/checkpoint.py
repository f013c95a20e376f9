"""Weights of others: PyTorch's zip and older files, safetensors, llama2.c, told apart by their content."""

import tempfile
from contextlib import suppress
from pathlib import Path

from dlcli import checkpoints
from dlcli.errors import DlcliError

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def one(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=_MEMORY) as file:
        file.write(data)
        file.flush()
        with suppress(DlcliError):
            checkpoints.recognised(checkpoints.read(Path(file.name)))
