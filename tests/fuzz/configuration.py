"""A configuration file in TOML, YAML or JSON, as the first byte says; and the same text as --set."""

import tempfile
from contextlib import suppress
from pathlib import Path

from dlcli import config, plan
from dlcli.errors import DlcliError


def one(data: bytes) -> None:
    suffix = (".toml", ".yaml", ".json")[data[0] % 3] if data else ".toml"
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data[1:])
        file.flush()
        with suppress(DlcliError):
            plan.check(config.merge(file=Path(file.name), assignments=[], flags={"data": "digits"}))
    with suppress(DlcliError):
        plan.check(config.merge(file=None, assignments=data.decode("latin-1").split("\n"), flags={"data": "digits"}))
    with suppress(DlcliError):
        config.seconds(data.decode("latin-1"))
