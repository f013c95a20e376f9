"""Weights of other programs: read right, refused where they lie or ask for code, and equal in what they say."""

import hashlib
import io
import json
import pickle
import struct
import time
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from dlcli import checkpoints, reference, text
from dlcli.checkpoints import _pickled, llama2c, safetensors, torch_zip
from dlcli.errors import MODEL, DlcliError
from dlcli.safety import report
from tests.conftest import shared

# ---- files as PyTorch writes them, without PyTorch ------------------------------------------------


class Tensor:
    """A tensor in a pickle: which storage, and which part of it."""

    def __init__(self, storage, shape, strides=None, offset=0, rebuild="_rebuild_tensor_v2"):
        self.storage, self.shape, self.offset, self.rebuild = storage, shape, offset, rebuild
        self.strides = strides if strides is not None else contiguous(shape)

    def __reduce__(self):
        more = () if self.rebuild == "_rebuild_tensor" else (False, OrderedDict())
        return fake("torch._utils", self.rebuild), (self.storage, self.offset, self.shape, self.strides, *more)


class Storage:
    """Values under a key. size: what the pickle says of their number; kind: of their type."""

    def __init__(self, key, data, kind, size):
        self.key, self.data, self.kind, self.size = key, data, kind, size


def contiguous(shape):
    return tuple(int(np.prod(shape[i + 1 :], initial=1)) for i in range(len(shape)))


def fake(module, name):
    """A function that pickle writes as the global module.name."""

    def function(*_):
        raise AssertionError("nobody calls this")

    function.__module__, function.__qualname__, function.__name__ = module, name, name
    return function


def pickled(value, monkeypatch, legacy=False) -> bytes:
    """Protocol 2, storages as persistent ids, globals found in a torch that is not there."""
    for name in ("torch", "torch._utils"):
        monkeypatch.setitem(__import__("sys").modules, name, ModuleType(name))
    modules = __import__("sys").modules

    class Pickler(pickle.Pickler):
        def persistent_id(self, one):
            if not isinstance(one, Storage):
                return None
            kind = fake("torch", one.kind)
            setattr(modules["torch"], one.kind, kinds.setdefault(one.kind, kind))
            return ("storage", kinds[one.kind], one.key, "cpu", one.size, *((None,) if legacy else ()))

        def reducer_override(self, one):
            if isinstance(one, Tensor):
                function, arguments = one.__reduce__()
                setattr(modules["torch._utils"], one.rebuild, kinds.setdefault(one.rebuild, function))
                return kinds[one.rebuild], arguments
            return NotImplemented

    kinds = {}
    stream = io.BytesIO()
    Pickler(stream, 2).dump(value)
    return stream.getvalue()


def zipped(path, pickle_bytes, storages, compression=zipfile.ZIP_STORED, extra=()):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle_bytes)
        for storage in storages:
            archive.writestr(f"archive/data/{storage.key}", storage.data)
        for name, data in extra:
            archive.writestr(name, data)
    return path


def storage(values, kind="FloatStorage", key="0", size=None):
    return Storage(key, values.tobytes(), kind, values.size if size is None else size)


NUMBERS = np.arange(24, dtype=np.float32)


def test_a_zip_checkpoint_gives_its_tensors(tmp_path, monkeypatch):
    """Shapes, a transposed view, an offset, shared storage, and every type that weights have."""
    floats = storage(NUMBERS)
    halves = storage(np.float16([0.5, -2.0]), "HalfStorage", "1")
    brains = storage((np.float32([1.0, -3.5]).view(np.uint32) >> 16).astype(np.uint16), "BFloat16Storage", "2")
    longs = storage(np.array([7], np.int64), "LongStorage", "3")
    state = OrderedDict(
        plain=Tensor(floats, (4, 6)),
        turned=Tensor(floats, (6, 4), (1, 6)),
        part=Tensor(floats, (2, 3), (6, 1), 7),
        half=Tensor(halves, (2,)),
        brain=Tensor(brains, (2,)),
        steps=Tensor(longs, (), ()),
        nothing=Tensor(floats, (0, 3)),
    )
    path = zipped(tmp_path / "model.pt", pickled(state, monkeypatch), [floats, halves, brains, longs])
    found = torch_zip.read(path)
    np.testing.assert_array_equal(found["plain"], NUMBERS.reshape(4, 6))
    np.testing.assert_array_equal(found["turned"], NUMBERS.reshape(4, 6).T)
    np.testing.assert_array_equal(found["part"], NUMBERS.reshape(4, 6)[1:3, 1:4])
    assert found["half"].dtype == np.float16
    assert found["half"].tolist() == [0.5, -2.0]
    assert found["brain"].dtype == np.float32
    assert found["brain"].tolist() == [1.0, -3.5]
    assert found["nothing"].shape == (0, 3)
    assert found["steps"].shape == ()
    assert int(found["steps"]) == 7


@pytest.mark.parametrize(
    "again", [b"2\x86", b"q\x01h\x01\x86", b"q\x01h\x01h\x01\x87"], ids=["copied", "named", "three"]
)
def test_a_value_that_takes_a_day_to_be_hashed_is_refused(tmp_path, again):
    """A pair of the same pair twice, forty times over, as the key of a dictionary."""
    doubled = b"\x80\x02}K\x01" + again * 40 + b"K\x01s."
    begun = time.monotonic()
    with pytest.raises(DlcliError) as caught:
        _pickled.unpickled(doubled, tmp_path / "m.pt")
    assert time.monotonic() - begun < 5
    assert "has more than" in caught.value.message


def test_weights_of_a_big_endian_machine_are_turned(tmp_path, monkeypatch):
    """The archive's `byteorder` says how its values lie."""
    floats = Storage("0", NUMBERS.astype(">f4").tobytes(), "FloatStorage", 24)
    pickle_bytes = pickled({"w": Tensor(floats, (24,))}, monkeypatch)
    path = zipped(tmp_path / "model.pt", pickle_bytes, [floats], extra=[("archive/byteorder", b"big")])
    np.testing.assert_array_equal(torch_zip.read(path)["w"], NUMBERS)


def test_nested_weights_are_found_and_prefixes_taken_off(tmp_path, monkeypatch):
    """What a training script saved: epoch, score, the state dict of a wrapped model, its options."""
    floats = storage(NUMBERS)
    inner = OrderedDict({"module.a.weight": Tensor(floats, (24,)), "module.b": Tensor(floats, (4, 6))})
    saved = {"epoch": 3, "best": Tensor(floats, (1,)), "state_dict": inner, "model_args": {"n_heads": 2, "dim": 4}}
    path = zipped(tmp_path / "model.pth", pickled(saved, monkeypatch), [floats])
    read = checkpoints.read(path)
    assert list(read.tensors) == ["a.weight", "b"]
    assert read.format == "torch"
    assert read.settings == {"heads": 2, "key_value_heads": 2, "dim": 4}


def legacy(path, state, storages, monkeypatch, size=None):
    """The stream of pickles that PyTorch wrote before 1.6."""
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)]
    parts.append(pickle.dumps({"little_endian": True, "protocol_version": 1001}, 2))
    parts += [pickled(state, monkeypatch, legacy=True), pickle.dumps([one.key for one in storages], 2)]
    for one in storages:
        parts.append(struct.pack("<q", one.size if size is None else size) + one.data)
    path.write_bytes(b"".join(parts))
    return path


def test_a_checkpoint_from_before_1_6_gives_its_tensors(tmp_path, monkeypatch):
    """Magic number, pickles, then the storages one after another."""
    floats, longs = storage(NUMBERS, key="940"), storage(np.array([5, 6]), "LongStorage", "941")
    state = OrderedDict(a=Tensor(floats, (6, 4), (1, 6), rebuild="_rebuild_tensor"), b=Tensor(longs, (2,)))
    found = checkpoints.read(legacy(tmp_path / "model.th", state, [longs, floats], monkeypatch)).tensors
    np.testing.assert_array_equal(found["a"], NUMBERS.reshape(4, 6).T)
    assert found["b"].tolist() == [5, 6]


# ---- hostile and broken files --------------------------------------------------------------------


def refused(path, *words):
    with pytest.raises(DlcliError) as caught:
        checkpoints.read(path)
    assert caught.value.code == MODEL
    for word in words:
        assert word in caught.value.message
    assert caught.value.hint


GLOBALS = {
    "os.system": b"\x80\x02cos\nsystem\nX\x0c\x00\x00\x00touch hackedq\x00\x85R.",
    "builtins.eval": b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x031+1\x85R.",
    "posix.system": b"(S'touch hacked'\niposix\nsystem\n.",
    "torch._utils.other": b"\x80\x02ctorch._utils\nother\n)R.",
    "torch.load": b"\x80\x02ctorch\nload\n.",
    "collections.namedtuple": b"\x80\x02ccollections\nnamedtuple\n.",
}


@pytest.mark.parametrize("name", GLOBALS)
def test_a_forbidden_global_is_named_and_not_called(name, tmp_path, monkeypatch):
    """Whatever opcode asks for it: GLOBAL, STACK_GLOBAL or INST; in both kinds of file."""
    monkeypatch.chdir(tmp_path)
    refused(zipped(tmp_path / "model.pt", GLOBALS[name], []), name)
    old = legacy(tmp_path / "model.th", {}, [], monkeypatch)
    old.write_bytes(old.read_bytes().replace(pickled({}, monkeypatch, legacy=True), GLOBALS[name]))
    refused(old, name)
    assert not (tmp_path / "hacked").exists()


BROKEN = {
    "cut off": b"\x80\x02}q\x00X\x05\x00\x00\x00ab",
    "a length that lies": b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
    "a memory beyond all memory": b"\x80\x02}r\xff\xff\xff\xff.",
    "no weights": b"\x80\x02K\x01.",
    "a dict within itself": b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.",
    "an extension": b"\x80\x02\x82\x01.",
    "another reference": b"\x80\x02X\x05\x00\x00\x00otherX\x01\x00\x00\x00aX\x01\x00\x00\x00b\x87Q.",
    "state for a global": b"\x80\x02ccollections\nOrderedDict\n}X\x03\x00\x00\x00popK\x01sb.",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_pickle_is_refused(name, tmp_path):
    """One sentence and exit code 4, without the memory that it asks for."""
    refused(zipped(tmp_path / "model.pt", BROKEN[name], []), "model.pt")


LIES = {
    "more values than the storage has": {"shape": (5, 6)},
    "beyond its end": {"shape": (4, 6), "offset": 1},
    "a stride beyond its end": {"shape": (2, 2), "strides": (1000, 1)},
    "one value a thousand million times": {"shape": (10**9,), "strides": (0,)},
    "before its start": {"shape": (2,), "strides": (-1,), "offset": 5},
    "nothing, in a shape beyond all memory": {"shape": (0, 2**62, 2**62), "strides": (1, 1, 1)},
    "a negative size": {"shape": (-1,), "strides": (1,)},
    "strides for another shape": {"shape": (4, 6), "strides": (1,)},
    "a text for a size": {"shape": ("4",), "strides": (1,)},
}


@pytest.mark.parametrize("name", LIES)
def test_a_tensor_outside_its_storage_is_refused(name, tmp_path, monkeypatch):
    """Before any room is made for it."""
    floats = storage(NUMBERS)
    path = zipped(tmp_path / "model.pt", pickled({"layer.w": Tensor(floats, **LIES[name])}, monkeypatch), [floats])
    refused(path, "layer.w")


def test_a_storage_of_another_size_is_refused(tmp_path, monkeypatch):
    """A pickle that promises more values than the archive holds."""
    floats = storage(NUMBERS, size=10**12)
    data = pickled({"w": Tensor(floats, (10**12,))}, monkeypatch)
    refused(zipped(tmp_path / "model.pt", data, [floats]), "should hold 1000000000000 values", "96 bytes")
    refused(legacy(tmp_path / "model.th", {"w": Tensor(floats, (24,))}, [floats], monkeypatch), "end of the file")
    floats = storage(NUMBERS)
    path = legacy(tmp_path / "model.th", {"w": Tensor(floats, (24,))}, [floats], monkeypatch, size=25)
    refused(path, "24 values")


def test_a_storage_outside_the_archive_is_refused(tmp_path, monkeypatch):
    """Keys are names within data/, not ways out of it, even where the archive has such a member."""
    (tmp_path / "secret").write_bytes(NUMBERS.tobytes())
    for key in ("../../secret", str(tmp_path / "secret"), "missing"):
        floats = storage(NUMBERS, key=key)
        data = pickled({"w": Tensor(floats, (24,))}, monkeypatch)
        refused(zipped(tmp_path / "model.pt", data, [] if key == "missing" else [floats]), "holds no storage")


def test_a_compressed_archive_is_refused(tmp_path, monkeypatch):
    """PyTorch does not compress; a few bytes that become gigabytes do."""
    floats = storage(np.zeros(10**6, np.float32))
    data = pickled({"w": Tensor(floats, (10**6,))}, monkeypatch)
    refused(zipped(tmp_path / "model.pt", data, [floats], zipfile.ZIP_DEFLATED), "compressed")


def test_parts_that_lie_over_one_another_are_refused(tmp_path, monkeypatch):
    """Many members that share the same bytes add up to more than the file."""
    floats = storage(NUMBERS)
    path = zipped(tmp_path / "model.pt", pickled({"w": Tensor(floats, (24,))}, monkeypatch), [floats])
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist += [archive.getinfo("archive/data/0")] * 100
        archive._didModify = True
    refused(path, "larger than the file")


def test_what_is_no_checkpoint_is_refused(tmp_path, monkeypatch):
    """A text, an empty file, another zip archive; a missing file is another mistake."""
    (tmp_path / "a.pt").write_text("weights, honestly")
    (tmp_path / "b.pt").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        archive.writestr("model.json", "{}")
    for name in "abc":
        refused(tmp_path / f"{name}.pt", f"{name}.pt")
    script = zipped(tmp_path / "script.pt", b"\x80\x02}.", [], extra=[("archive/constants.pkl", b"\x80\x02).")])
    refused(script, "TorchScript")
    with pytest.raises(DlcliError, match="no file"):
        checkpoints.read(tmp_path / "d.pt")


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_a_damaged_checkpoint_never_gives_anything_but_a_refusal(kind, tmp_path, monkeypatch, rng):
    """Cut off anywhere, or with bytes changed: read, or refused with exit code 4; no other error."""
    floats = storage(NUMBERS)
    state = {"state_dict": OrderedDict(w=Tensor(floats, (4, 6)), v=Tensor(floats, (3,), (2,), 1))}
    if kind == "zip":
        path = zipped(tmp_path / "model.pt", pickled(state, monkeypatch), [floats])
    else:
        path = legacy(tmp_path / "model.th", state, [floats], monkeypatch)
    whole = path.read_bytes()
    refusals = 0
    for i in range(300):
        data = bytearray(whole)
        if i % 3:
            for at in rng.integers(0, len(data), 2):
                data[at] = rng.integers(256)
        else:
            data = data[: rng.integers(len(data))]
        path.write_bytes(bytes(data))
        try:
            checkpoints.read(path)
        except DlcliError as error:
            refusals += error.code == MODEL
    assert refusals >= 100


# ---- safetensors ----------------------------------------------------------------------------------


def safe(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype="F32", shape=(2, 3), offsets=(0, 24)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_safetensors_gives_its_tensors(tmp_path):
    """In any order in the header, with notes beside them, bfloat16 as float32."""
    brain = (np.float32([1.5, -2.0]).view(np.uint32) >> 16).astype("<u2")
    data = NUMBERS[:6].tobytes() + np.array([3], "<i8").tobytes() + brain.tobytes()
    header = {
        "__metadata__": {"format": "pt"},
        "steps": entry("I64", (), (24, 32)),
        "w": entry(),
        "b": entry("BF16", (2,), (32, 36)),
        "nothing": entry("F32", (0, 4), (36, 36)),
    }
    found = checkpoints.read(safe(tmp_path / "model.safetensors", header, data))
    assert found.format == "safetensors"
    np.testing.assert_array_equal(found.tensors["w"], NUMBERS[:6].reshape(2, 3))
    assert int(found.tensors["steps"]) == 3
    assert found.tensors["b"].tolist() == [1.5, -2.0]
    assert found.tensors["nothing"].shape == (0, 4)


BAD_HEADERS = {
    "beyond the end": {"w": entry(shape=(2, 4), offsets=(0, 32))},
    "other size": {"w": entry(shape=(2, 4))},
    "backwards": {"w": entry(offsets=(24, 0))},
    "negative": {"w": entry(offsets=(-24, 0))},
    "huge": {"w": entry(shape=(2**40, 2**40))},
    "huge and empty": {"w": entry(), "v": entry(shape=(0, 2**62, 2**62), offsets=(24, 24))},
    "type": {"w": entry("F8_E4M3", (24,))},
    "type of type": {"w": entry(["F32"])},
    "overlap": {"w": entry(), "v": entry()},
    "hidden bytes": {"w": entry(shape=(5,), offsets=(4, 24))},
    "bytes left": {"w": entry(shape=(5,), offsets=(0, 20))},
    "no entry": {"w": 3},
    "a truth for a size": {"w": entry(shape=(True, 6))},
    "not JSON": b"{nothing",
    "a name twice": b'{"w": {}, "w": {}}',
    "deep": b'{"w":' * 100_000,
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_header_that_does_not_describe_the_file_is_refused(name, tmp_path):
    """Offsets and sizes are compared with the file before anything is read."""
    refused(safe(tmp_path / "model.safetensors", BAD_HEADERS[name], NUMBERS[:6].tobytes()), "is not read")


def test_the_length_of_a_header_is_limited(tmp_path):
    """No room is made for 100 GB of JSON that a file of 100 bytes promises."""
    path = safe(tmp_path / "model.safetensors", {"w": entry()}, NUMBERS[:6].tobytes(), length=10**11)
    with pytest.raises(DlcliError, match="more than 16777216"):
        safetensors.read(path)
    refused(path)


def test_the_number_of_tensors_is_limited(tmp_path):
    """A hundred thousand empty tensors are a file of 7 MB and no model."""
    header = {f"w{i}": entry(shape=(0,), offsets=(0, 0)) for i in range(100_000)}
    refused(safe(tmp_path / "model.safetensors", header), "100,000 tensors")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_told_by_name(value, tmp_path):
    """In whatever format: here safetensors, in the second of two tensors."""
    data = NUMBERS[:6].tobytes() + np.array([1, value], "f4").tobytes()
    header = {"w": entry(), "v": entry(shape=(2,), offsets=(24, 32))}
    refused(safe(tmp_path / "model.safetensors", header, data), "NaN or infinite numbers stand in v")


def test_security_judges_weights_as_they_are_read(tmp_path, capsys):
    """What of another program's weights is read is accepted, and what is refused is refused for the same reason."""
    header = {"w": entry(), "b": entry(shape=(2,), offsets=(24, 32))}
    path = safe(tmp_path / "model.safetensors", header, NUMBERS[:8].tobytes())
    document = report.verdict(reference.parse(str(path)))
    assert (document["accepted"], document["values"], document["arrays"]) == (True, 8, 2)
    assert document["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "safetensors" in document["kind"]
    report.show(document)
    path = safe(tmp_path / "bad.safetensors", {"w": entry(shape=(2, 4))}, NUMBERS[:6].tobytes())
    with pytest.raises(DlcliError) as caught:
        report.verdict(reference.parse(str(path)))
    assert caught.value.code == MODEL
    assert "safetensors file, which" not in caught.value.message


def test_security_is_for_files():
    """A preset is no file, and a sentence says so."""
    with pytest.raises(DlcliError, match="hub:resnet_18_imagenet names no file"):
        report.verdict(reference.Reference(text="hub:resnet_18_imagenet", kind="hub", name="resnet_18_imagenet"))


# ---- llama2.c -------------------------------------------------------------------------------------


def test_a_llama2c_file_must_have_the_size_that_its_header_asks_for(tmp_path, rng):
    """Seven numbers, then the matrices in the file's order; one value more or less is refused."""
    #          width hidden depth heads kv vocabulary context
    header = (4, 6, 2, 2, 1, -5, 8)
    count = 5 * 4 + 2 * (4 + 16 + 8 + 8 + 16 + 4 + 24 + 24 + 24) + 4 + 2 * 8 * 1 + 5 * 4
    values = rng.normal(size=count).astype("<f4")
    path = tmp_path / "model.bin"
    path.write_bytes(struct.pack("<7i", *header) + values.tobytes())
    found = checkpoints.read(path)
    assert found.format == "llama2c"
    assert found.settings["heads"] == 2
    assert not found.settings["tied"]
    np.testing.assert_array_equal(found.tensors["tok_embeddings.weight"], values[:20].reshape(5, 4))
    np.testing.assert_array_equal(found.tensors["layers.1.attention_norm.weight"], values[24:28])
    np.testing.assert_array_equal(found.tensors["output.weight"], values[-20:].reshape(5, 4))
    path.write_bytes(path.read_bytes()[:-4])
    refused(path)
    with pytest.raises(DlcliError, match="asks for"):
        llama2c.read(path)
    path.write_bytes(struct.pack("<7i", 2**19, 2**19, 2**19, 1, 1, 2**19, 8))
    refused(path)


def test_text_comes_back_from_the_vocabulary_of_llama2c():
    """Merged best first; what no piece holds goes byte by byte."""
    pieces = llama2c.vocabulary(shared("weights/stories260K/tok512.bin"))
    assert len(pieces) == 512 - 3
    vocabulary = text.Tokenizer("sentencepiece", pieces)
    for written in ("Once upon a time, there was a girl.", "naïve 漢\n", ""):
        assert vocabulary.decode(vocabulary.encode(written)) == written
    assert [pieces[i - text.FIRST] for i in vocabulary.encode("the end")] == [" the", " e", "nd"]


# ---- the same answers as the originals ------------------------------------------------------------


def filled(path):
    """The checkpoint's own model on the task it was trained for, with its weights; what was copied."""
    from dlcli import registry

    checkpoint = checkpoints.read(path)
    known = checkpoints.recognised(checkpoint)
    task = registry.find("tasks", known.task).load().Task(**known.learned)
    model = registry.find("architectures", known.architecture).load().build(task, **known.options)
    return checkpoint, task, model, known.fill(model)


def convolved(x, kernel, stride):
    """x (B, C, H, W), kernel (out, C, 3, 3), one row and column of zeros around."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bchwij,ocij->bohw", windows, kernel, optimize=True)


def normed(x, state, name):
    mean, variance, gain, shift = (
        state[f"{name}.{part}"].astype(np.float64)[:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gain + shift


def resnet_by_hand(pixels, state):
    """Logits of the network as its authors wrote it, in NumPy and float64.  pixels uint8 (B, H, W, 3)"""
    x = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = np.maximum(normed(convolved(x.transpose(0, 3, 1, 2), state["conv1.weight"], 1), state, "bn1"), 0)
    for stage in (1, 2, 3):
        for block in range(3):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = np.maximum(normed(convolved(x, state[f"{name}.conv1.weight"], stride), state, f"{name}.bn1"), 0)
            y = normed(convolved(y, state[f"{name}.conv2.weight"], 1), state, f"{name}.bn2")
            if stride == 2:
                quarter = y.shape[1] // 4
                x = np.pad(x[:, :, ::2, ::2], ((0, 0), (quarter, quarter), (0, 0), (0, 0)))
            x = np.maximum(x + y, 0)
    return x.mean(axis=(2, 3)) @ state["linear.weight"].T + state["linear.bias"]


def test_resnet20_gives_the_logits_of_the_original(rng):
    """All weights are copied, and eight random pictures get the logits of a forward pass in NumPy."""
    checkpoint, _, model, lists = filled(shared("weights/resnet-cifar10-torch/resnet20-12fca82f.th"))
    assert not lists.fresh
    assert not lists.dropped
    logits = keras.Model(model.input, model.get_layer("head_logits").output)
    pixels = rng.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    ours = keras.ops.convert_to_numpy(logits(pixels, training=False))
    theirs = resnet_by_hand(pixels, checkpoint.tensors)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.ptp(theirs) > 1


def test_weights_without_a_place_are_listed():
    """For other classes the head begins anew, and everything else is copied."""
    from dlcli.architectures.cnn import resnet_cifar as arch
    from dlcli.tasks.image_classification import Task

    path = shared("weights/resnet-cifar10-torch/resnet20-12fca82f.th")
    known = checkpoints.recognised(checkpoints.read(path))
    task = Task(**known.learned | {"classes": ["a", "b", "c"]})
    lists = known.fill(arch.build(task, **known.options))
    assert lists.fresh == ["head_logits/kernel", "head_logits/bias"]
    assert lists.dropped == ["linear.weight", "linear.bias"]
    assert len(lists.copied) == 95


def test_weights_of_another_network_are_not_taken_for_known_ones(tmp_path, monkeypatch):
    """torchvision's ResNets begin alike; the error names what was found."""
    kernel, vector = storage(np.zeros(64 * 3 * 9, np.float32)), storage(np.zeros(64, np.float32), key="1")
    state = {"conv1.weight": Tensor(kernel, (64, 3, 3, 3)), "layer4.0.bn1.weight": Tensor(vector, (64,))}
    path = zipped(tmp_path / "model.pth", pickled(state, monkeypatch), [kernel, vector])
    with pytest.raises(DlcliError, match="layer4") as caught:
        checkpoints.recognised(checkpoints.read(path))
    assert "resnet-cifar" in caught.value.hint


def test_stories260k_tells_its_published_story():
    """Greedy text, token by token, word for word as its authors printed it."""
    folder = shared("weights/stories260K")
    _, task, model, lists = filled(folder / "stories260K.bin")
    assert not lists.fresh
    assert not lists.dropped
    published = (folder / "stories260K.md").read_text(encoding="utf-8").split("-t 0.0\n")[1].split("\n```")[0]
    ids = np.zeros((1, model.input_shape[1]), np.int32)
    ids[0, 0] = task.end
    for i in range(256):
        ids[0, i + 1] = np.argmax(model.predict_on_batch(ids)[0, i])
    assert len(published) > 500
    assert task.tokens.decode(ids[0, 1:257]) == published


def test_rows_of_the_vocabulary_go_where_they_are_told(tmp_path, rng):
    """A model with other ids gets the row of each token's own; a token that is new gets the mean."""
    from dlcli.architectures.transformer import llama
    from dlcli.checkpoints import llama as mapping
    from dlcli.tasks.language_modeling import Task

    task = Task(tokenizer="char", vocabulary=["a", "b"], context=4, stride=4, windows=1, length=1)
    model = llama.build(task, width=4, depth=1, heads=2, hidden=8)
    embedding = rng.normal(size=(3, 4)).astype(np.float32)
    lists = mapping.weights({"tok_embeddings.weight": embedding}, model, rows=[-1, 0, 2, 1])
    assert lists.copied == ["stem_embedding/embeddings", "head_logits/kernel", "head_logits/bias"]
    expected = np.stack([embedding.mean(axis=0), *embedding[[0, 2, 1]]])
    np.testing.assert_allclose(model.get_layer("stem_embedding").get_weights()[0], expected, rtol=1e-6)
    np.testing.assert_allclose(model.get_layer("head_logits").get_weights()[0], expected.T, rtol=1e-6)


def test_llama_sees_distances_and_not_places():
    """Attention moved along the text is the same: scores of a pair depend on how far apart it is."""
    from dlcli.architectures.transformer.llama import RotaryAttention

    keras.utils.set_random_seed(0)
    layer = RotaryAttention(8, 2, 1, use_bias=False)
    x = np.random.default_rng(0).normal(size=(1, 3, 16)).astype(np.float32)
    _, near = layer(x, x, return_attention_scores=True)
    moved = np.concatenate([np.zeros((1, 5, 16), np.float32), x], axis=1)
    _, far = layer(moved, moved, return_attention_scores=True)
    near, far = (keras.ops.convert_to_numpy(one) for one in (near, far))
    ratio = far[:, :, 5:, 5:] / far[:, :, 5:, 5:].sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(ratio, near, atol=1e-5)
    _, turned = layer(x[:, ::-1], x[:, ::-1], return_attention_scores=True)
    assert np.abs(keras.ops.convert_to_numpy(turned)[:, :, ::-1, ::-1] - near).max() > 1e-3


def test_padding_changes_nothing_for_llama():
    """The same text in a longer model with the same weights has the same probabilities."""
    from dlcli.architectures.transformer import llama
    from tests.test_arch_transformer import classification

    keras.utils.set_random_seed(0)
    short, long = (llama.build(classification(length), width=16, depth=2, heads=2) for length in (8, 21))
    long.set_weights(short.get_weights())
    x = np.array([[2, 3, 4, 5, 6, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0, 0]], np.int32)
    ours, theirs = short.predict_on_batch(x), long.predict_on_batch(np.pad(x, ((0, 0), (0, 13))))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_package_never_unpickles_without_the_list():
    """pickle.load and its kind stand nowhere: one place may unpickle, with globals allowed by name."""
    package = Path(checkpoints.__file__).parents[1]
    found = [path for path in package.rglob("*.py") if "pickle.load" in path.read_text(encoding="utf-8")]
    assert not found
