"""One honest model written by hand, without Keras, for the others to be spoilt copies of."""

import copy
import io
import json
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np

METADATA = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}


def layer(kind: str, /, *, module: str | None = "keras.layers", registered=None, **config) -> dict:
    """A layer of a configuration; its name is the class's in small letters."""
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": kind.lower(), "trainable": True, "dtype": "float32"} | config,
        "registered_name": registered,
    }


def dense(**config) -> dict:
    """Three numbers in, two out."""
    return layer("Dense", units=2) | {"build_config": {"input_shape": [None, 3]}} if not config else layer("Dense", **{"units": 2} | config)  # fmt: skip


def model(*layers: dict, size: int = 3) -> dict:
    """A Sequential model of these layers; of one dense layer when none is named."""
    start = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, size], "dtype": "float32", "name": "input"}, "registered_name": None}  # fmt: skip
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "net", "trainable": True, "dtype": "float32", "layers": [start, *(layers or [dense()])]},
        "registered_name": None,
        "build_config": {"input_shape": [None, size]},
    }


def weights(arrays: dict | None = None, spoil=None) -> bytes:
    """The HDF5 file of its weights. spoil: a function of the open file."""
    held = io.BytesIO()
    arrays = {"0": np.ones((3, 2), "f4"), "1": np.zeros(2, "f4")} if arrays is None else arrays
    with h5py.File(held, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = "dense"
        for name, values in arrays.items():
            group[name] = values
        if spoil is not None:
            spoil(file)
    return held.getvalue()


def keras_file(path: Path, config=None, h5: bytes | None = None, *, metadata=None, spoil=None) -> Path:
    """A .keras archive. config: a value for JSON, or bytes. spoil: a function of the open archive."""
    config = model() if config is None else config
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps(metadata or METADATA))
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        archive.writestr("model.weights.h5", weights() if h5 is None else h5)
        if spoil is not None:
            spoil(archive)
    return path


def h5_file(path: Path, config=None, spoil=None) -> Path:
    """The same model in the older layout."""
    config = copy.deepcopy(model() if config is None else config)
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "3.15.1"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense"]
        group.attrs["backend"] = b"tensorflow"
        group.attrs["keras_version"] = b"3.15.1"
        inner = group.create_group("dense")
        inner.attrs["weight_names"] = [b"dense/kernel", b"dense/bias"]
        inner["dense/kernel"], inner["dense/bias"] = np.ones((3, 2), "f4"), np.zeros(2, "f4")
        if spoil is not None:
            spoil(file)
    return path


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """The same file with some bytes changed for as many others, wherever they stand."""
    data = path.read_bytes()
    assert old in data
    assert len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


def header_says(path: Path, name: str, offset: int, value: int) -> Path:
    """A field of four bytes in the table of contents, changed for one member."""
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(name)] != name.encode():
        at = data.find(b"PK\x01\x02", at + 4)
    struct.pack_into("<I", data, at + offset, value)
    path.write_bytes(data)
    return path


class Address:
    """What stands for a case where there is no file."""

    number, name, words, late = "C20", "address", "lies elsewhere", False
