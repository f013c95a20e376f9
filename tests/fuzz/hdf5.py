"""HDF5 files of weights or of older models. A crash in the library itself is what the limited process is for."""

from tests.fuzz.keras_file import judge


def one(data: bytes) -> None:
    judge(data, ".h5")
