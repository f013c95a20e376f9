"""Archives and HDF5 files that point elsewhere, lie about their size, or are not what they are called (C06 to C18)."""

import io
import os
import pickle
import stat
import warnings
import zipfile
import zlib

import h5py
import numpy as np

from tests.hostile.base import dense, h5_file, header_says, keras_file, layer, model, patched, weights
from tests.hostile.cases import hostile, many


def external(file, canary):
    file["layers/dense/vars/x"] = h5py.ExternalLink(str(canary), "/secret")


def soft(file, canary):
    file["layers/dense/vars/x"] = h5py.SoftLink("/layers/dense/vars/0")


def storage(file, canary):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_external(str(canary).encode(), 0, 24)
    space = h5py.h5s.create_simple((3, 2))
    h5py.h5d.create(file["layers/dense/vars"].id, b"x", h5py.h5t.IEEE_F32LE, space, dcpl=plan)


def virtual(file, canary):
    layout = h5py.VirtualLayout(shape=(3,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(canary), "secret", shape=(3,))
    file["layers/dense/vars"].create_virtual_dataset("x", layout)


def pipe(file, canary):
    fifo = canary.parent / "fifo"
    if not fifo.exists():
        os.mkfifo(fifo)
    file["layers/dense/vars/x"] = h5py.ExternalLink(str(fifo), "/secret")


ELSEWHERE = {"external": external, "soft": soft, "storage": storage, "virtual": virtual, "fifo": pipe}


@many("C06", " in ", ELSEWHERE)
def link(folder, canary, spoil):
    return keras_file(folder / "m.keras", h5=weights(spoil=lambda file: spoil(file, canary)))


@many("C06", " in ", ELSEWHERE)
def link_in_h5(folder, canary, spoil):
    def spoilt(file):
        file.create_group("layers/dense/vars")
        spoil(file, canary)

    return h5_file(folder / "m.h5", spoil=spoilt)


def claims(shape, chunks, **more):
    def spoil(file):
        file["layers/dense/vars"].create_dataset("x", shape, "f4", chunks=chunks, **more)

    return spoil


BOMBS = {
    "petabyte": claims((1 << 24, 1 << 24), (1024, 1024), compression="gzip"),
    "gigabytes": claims((1 << 20, 1000), (1024, 1000), compression="gzip", fillvalue=1.0),
    "unwritten": claims((1 << 20, 1000), None),
    "hundreds": claims((1 << 16, 2000), (1024, 2000), compression="gzip"),
    "chunk": claims((1 << 26,), (1 << 26,), compression="gzip"),
}


@many("C07", "it holds ", {name: spoil for name, spoil in BOMBS.items() if name != "chunk"})
def declared(folder, canary, spoil):
    return keras_file(folder / "m.keras", h5=weights(spoil=spoil))


@hostile("C07", "in pieces of more than")
def declared_in_one_piece(folder, canary):
    return keras_file(folder / "m.keras", h5=weights(spoil=BOMBS["chunk"]))


@many("C07", "it holds ", {name: spoil for name, spoil in BOMBS.items() if name != "chunk"})
def declared_in_h5(folder, canary, spoil):
    return h5_file(folder / "m.h5", spoil=lambda file: (file.create_group("layers/dense/vars"), spoil(file)))


LARGE = {
    "1e9": dense(units=10**9),
    "1e13": dense(units=10**13),
    "embedding": layer("Embedding", input_dim=10**8, output_dim=10**4),
    "filters": layer("Conv1D", filters=10**9, kernel_size=[3]),
    "kernel": layer("Conv2D", filters=2, kernel_size=[10**5, 10**5]),
    "lstm": layer("LSTM", units=10**6),
    "heads": layer("MultiHeadAttention", num_heads=10**5, key_dim=10**5),
}


@many("C08", "its layers need at least", LARGE)
def units(folder, canary, one):
    return keras_file(folder / "m.keras", model(one))


@hostile("C08", "its layers need at least")
def units_in_h5(folder, canary):
    return h5_file(folder / "m.h5", model(dense(units=10**9)))


@hostile("C08", "weights with those before it", late=True)
def units_that_multiply(folder, canary):
    """Each is no wider than the file holds numbers, and together they would take 3.6 GB."""
    config = model(dense(units=30_000), layer("Dense", units=30_000, name="second"))
    return keras_file(folder / "m.keras", config, weights({"0": np.zeros((60_000,), "f4")}))


@hostile("C08", "numbers of one example", late=True)
def activations(folder, canary):
    config = model(layer("Reshape", target_shape=[1, 1, 3]), layer("UpSampling2D", size=[50_000, 50_000]))
    return keras_file(folder / "m.keras", config, weights({}))


@hostile("C08", "examples at once")
def batch(folder, canary):
    start = layer("InputLayer", batch_shape=[10**9, 5, 3])
    config = model(layer("LSTM", units=100, stateful=True))
    config["config"]["layers"][0] = start
    return keras_file(folder / "m.keras", config)


@hostile("C08", "examples at once")
def batch_of_another_layer(folder, canary):
    """The layer that keeps the state does not name the batch itself."""
    config = model(layer("SimpleRNN", units=64, stateful=True))
    config["config"]["layers"][0] = layer("InputLayer", batch_shape=[6 * 10**7, 1, 1])
    return keras_file(folder / "m.keras", config)


@hostile("C08", "more than 268,435,456 numbers")
def numbers_of_an_input(folder, canary):
    """Two numbers that are given are spread over all of it when the layer is built."""
    config = model(layer("Normalization", mean=0.0, variance=1.0))
    config["config"]["layers"][0] = layer("InputLayer", batch_shape=[None, 4 * 10**9])
    return keras_file(folder / "m.keras", config)


@hostile("C08", "is computed from numbers that stand there")
def computed_while_it_is_built(folder, canary):
    """A step without a tensor of the graph is run at once: here one that makes 40 GB."""
    start = layer("InputLayer", batch_shape=[None, 1]) | {"name": "input", "inbound_nodes": []}
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 1], "dtype": "float32", "keras_history": ["input", 0, 0]}}  # fmt: skip
    tile = layer("Tile", module="keras.src.ops.numpy", repeats=[10**10])
    nodes = [{"args": [tensor], "kwargs": {}}, {"args": [[1.0]], "kwargs": {}}]
    config = {
        "module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional",
        "config": {"name": "net", "layers": [start, tile | {"name": "tile", "inbound_nodes": nodes}],
                   "input_layers": ["input", 0, 0], "output_layers": ["tile", 0, 0]},
    }  # fmt: skip
    return keras_file(folder / "m.keras", config)


@hostile("C08", "ngrams of a TextVectorization")
def ngrams(folder, canary):
    """Found by a search: all numbers up to it are written down, for minutes and gigabytes."""
    return keras_file(folder / "m.keras", model(layer("TextVectorization", ngrams=2**63)))


def packed_zeros(count: int) -> bytes:
    """So many zeros (a multiple of 16 MiB) as deflate packs them: blocks that stand alone, one after another."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (count >> 24) + b"\x03\x00"


def blown(path, names, size: int):
    """Members that were written as they are become packed ones, of `size` bytes each."""
    for name in names:
        header_says(path, name, 10, zipfile.ZIP_DEFLATED)
        header_says(path, name, 24, size)
    return path


@hostile("C09", "would unpack to")
def config_of_a_gigabyte(folder, canary):
    return blown(keras_file(folder / "m.keras", packed_zeros(1 << 30)), ["config.json"], 1 << 30)


@hostile("C09", "bytes, more than")
def config_too_long(folder, canary):
    return keras_file(folder / "m.keras", b'{"a": "' + os.urandom(9 << 20).hex().encode() + b'"}')


@many("C09", "nested more than", {"deep": 200_000, "deeper than we": 900, "a little": 300})
def nested(folder, canary, depth):
    return keras_file(folder / "m.keras", b'{"a":' * depth + b"1" + b"}" * depth)


@hostile("C09", "nested more than")
def nested_in_h5(folder, canary):
    return h5_file(folder / "m.h5", spoil=lambda file: file.attrs.modify("model_config", b"[" * 50_000 + b"]" * 50_000))


@hostile("C09", "layers, and")
def thirty_thousand_layers(folder, canary):
    return keras_file(folder / "m.keras", model(*[layer("ReLU", name=f"r{i}") for i in range(30_000)]))


@hostile("C09", "values")
def a_million_values(folder, canary):
    return keras_file(folder / "m.keras", b"[" + b"[]," * 2_000_000 + b"[]]")


@hostile("C09", "building it calls")
def models_in_models(folder, canary):
    """Each holds the next and calls it twice: 2 to the 20th calls in a few kilobytes."""
    inner = dense() | {"name": "d", "inbound_nodes": [{}, {}]}
    for depth in range(20):
        inner = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional", "name": f"m{depth}",
                 "config": {"name": f"m{depth}", "layers": [inner], "input_layers": [], "output_layers": []}, "inbound_nodes": [{}, {}]}  # fmt: skip
    return keras_file(folder / "m.keras", inner)


@hostile("C10", "would unpack to")
def assets(folder, canary):
    names, packed = [f"assets/{i}.txt" for i in range(5)], packed_zeros(208 << 20)
    path = keras_file(folder / "m.keras", spoil=lambda a: [a.writestr(name, packed) for name in names])
    return blown(path, names, 208 << 20)


@hostile("C10", "members, and")
def members(folder, canary):
    return keras_file(folder / "m.keras", spoil=lambda a: [a.writestr(f"assets/{i}", b"x") for i in range(10_000)])


@hostile("C10", "stands in it twice")
def twice(folder, canary):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return keras_file(folder / "m.keras", spoil=lambda a: a.writestr("config.json", b"{}"))


@hostile("C10", "nothing that Keras writes")
def other_members(folder, canary):
    return keras_file(folder / "m.keras", spoil=lambda a: a.writestr("setup.py", b"import os"))


@hostile("C10", "lies within another member")
def overlapping(folder, canary):
    """Two entries for the same bytes: how archives unpack to far more than they take."""
    path = keras_file(folder / "m.keras", spoil=lambda a: a.writestr("assets/a", b"x" * 64))
    return header_says(path, "assets/a", 42, 0)


@hostile("C10", "encrypted")
def encrypted(folder, canary):
    return header_says(keras_file(folder / "m.keras"), "config.json", 8, 1)


@many("C11", "is of type", {"numpy": "__numpy__", "tensor": "__tensor__"})
def numbers(folder, canary, name):
    bad = {"class_name": name, "config": {"value": 1.0, "dtype": "(500000000,)f8"}}
    return keras_file(folder / "m.keras", model(layer("Normalization", mean=bad, variance=1.0)))


@hostile("C11", "something else than numbers")
def numbers_that_are_text(folder, canary):
    bad = {"class_name": "__numpy__", "config": {"value": ["x" * 100], "dtype": "float32"}}
    return keras_file(folder / "m.keras", model(layer("Normalization", mean=bad, variance=1.0)))


@many("C12", "to another place", {"up": "../../x", "abs": "/tmp/x", "assets": "assets/../../x", "drive": "C:/x"})
def name(folder, canary, name):
    return keras_file(folder / "m.keras", spoil=lambda a: a.writestr(name, b"x"))


@hostile("C12", "to another place")
def name_with_backslashes(folder, canary):
    path = keras_file(folder / "m.keras", spoil=lambda a: a.writestr("assets/..!..!x", b"x"))
    return patched(path, b"assets/..!..!x", b"assets/..\\..\\x")


@hostile("C12", "a link or a device")
def symlink(folder, canary):
    def spoil(archive):
        info = zipfile.ZipInfo("assets/x")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, str(canary))

    return keras_file(folder / "m.keras", spoil=spoil)


@many(
    "C14",
    "no model",
    {
        "layer": dense(),
        "list": [model()],
        "dict": {"a": 1},
        "empty": {},
        "text": "model",
        "none": b"null",
        "number": b"7",
    },
)
def no_model(folder, canary, config):
    return keras_file(folder / "m.keras", config)


@hostile("C14", "is no JSON")
def empty_config(folder, canary):
    return keras_file(folder / "m.keras", b"")


@hostile("C14", "which is not one of Keras", late=True)
def registered_but_no_model(folder, canary):
    return keras_file(folder / "m.keras", layer("Normalized", module="dlcli.layers", registered="dlcli>Nothing"))


FALSE = {
    "truncated": ("m.keras", "no zip archive", lambda path: path.write_bytes(keras_file(path).read_bytes()[:600])),
    "empty": ("m.keras", "but empty", lambda path: path.write_bytes(b"")),
    "text": ("m.keras", "but a text", lambda path: path.write_bytes(b"hello\n")),
    "png": ("m.keras", "but a PNG", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))),
    "pickle": ("m.h5", "but a pickle", lambda path: path.write_bytes(pickle.dumps({"a": 1}))),
    "torch": ("m.keras", "PyTorch", lambda path: _zipped(path, {"archive/data.pkl": b"x"})),
    "npz": ("m.keras", "NumPy archive", lambda path: _zipped(path, {"x.npy": b"x"})),
    "zip": ("m.keras", "no model of Keras", lambda path: _zipped(path, {"x.txt": b"x"})),
    "h5 as keras": ("m.keras", "is an HDF5 file", h5_file),
    "keras as h5": ("m.h5", "a model of Keras in a zip archive", keras_file),
    "half h5": ("m.h5", "could not be read", lambda path: path.write_bytes(h5_file(path).read_bytes()[:700])),
    "page": ("m.h5", "but a web page", lambda path: path.write_bytes(b"<html><body>404</body></html>")),
    "lfs": ("m.keras", "Git LFS", lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")),
}


def _zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


for _name, (_file, _words, _write) in FALSE.items():

    def _false(folder, canary, file=_file, write=_write):
        write(folder / file)
        return folder / file

    _false.__name__ = f"called_so[{_name}]"
    hostile("C15", _words)(_false)


@hostile("C15", "a checksum in it does not fit")
def flipped(folder, canary):
    path = keras_file(folder / "m.keras")
    return patched(path, np.ones(6, "f4").tobytes(), np.array([1, 1, 1, 1, 1, 1.5], "f4").tobytes())


@hostile("C16", "shape", late=True)
def other_shape(folder, canary):
    return keras_file(folder / "m.keras", h5=weights({"0": np.ones((3, 4), "f4"), "1": np.zeros(2, "f4")}))


@hostile("C16", "'dense' has 2 weights, and the file holds 1", late=True)
def missing(folder, canary):
    return keras_file(folder / "m.keras", h5=weights({"0": np.ones((3, 2), "f4")}))


@hostile("C16", "'dense' has 2 weights, and the file holds 3", late=True)
def one_more(folder, canary):
    return keras_file(folder / "m.keras", h5=weights({str(i): np.ones((3, 2), "f4") for i in range(3)}))


@hostile("C16", "have room for", late=True)
def other_layers(folder, canary):
    return keras_file(
        folder / "m.keras", h5=weights(spoil=lambda f: f.create_dataset("layers/other/vars/0", data=np.ones(50_000)))
    )


@hostile("C16", "could not be read", late=True)
def shape_in_h5(folder, canary):
    return h5_file(folder / "m.h5", model(dense(units=5)))


@hostile("C18", "it has no model.weights.h5")
def pickled_weights(folder, canary):
    held = io.BytesIO()
    np.savez(held, a=np.array({"x": 1}, dtype=object))
    path = folder / "m.keras"
    keras_file(path)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist() if name != "model.weights.h5"}
    _zipped(path, parts | {"model.weights.npz": held.getvalue()})
    return path


ODD = {
    "text": lambda file: file["layers/dense/vars"].create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype()),
    "reference": lambda file: file["layers/dense/vars"].create_dataset("x", data=file.ref, dtype=h5py.ref_dtype),
    "ragged": lambda file: file["layers/dense/vars"].create_dataset("x", (3,), dtype=h5py.vlen_dtype("f4")),
    "twice": lambda file: file["layers"].__setitem__("again", file["layers/dense"]),
    "loop": lambda file: file["layers"].__setitem__("self", file["layers"]),
    "deep": lambda file: file.create_group("/".join("g" for _ in range(200))),
    "filter": lambda file: file["layers/dense/vars"].create_dataset("x", data=np.ones(100), compression="lzf"),
    "type": lambda file: file.__setitem__("t", np.dtype("f4")),
    "attribute": lambda file: file["layers"].attrs.__setitem__("x", file.ref),
    "long attribute": lambda file: file["layers"].attrs.__setitem__("x", "a" * (17 << 20)),
}


@many("C06", "is not read", ODD)
def odd(folder, canary, spoil):
    return keras_file(folder / "m.keras", h5=weights(spoil=spoil))
