"""Series of the archives: UCR, aeon or M4, as the first byte says."""

from dlcli.formats import aeon_ts, m4, ucr
from tests.fuzz._files import opened

FORMATS = ((ucr, "A_TRAIN.tsv"), (aeon_ts, "A_TRAIN.ts"), (m4, "Hourly-train.csv"))


def one(data: bytes) -> None:
    entry, name = FORMATS[data[0] % 3] if data else FORMATS[0]
    opened(entry, name, data[1:])
