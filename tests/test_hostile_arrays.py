"""Archives and arrays that ask for more than they hold, or hold what no network can learn."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest

from dlcli.errors import DataError
from dlcli.formats import _room, idx, npz
from tests.opening import opened

BOUND = 1 << 28


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def header(shape: str, dtype="<f8") -> bytes:
    """An .npy file that says its shape and holds nothing."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def zipped(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


X = np.zeros((6, 4))

REFUSED = {
    "objects": ({"x": X, "y": np.array([{}, 1, 2, 3, 4, 5], dtype=object)}, "holds object, not numbers or text"),
    "complex": ({"x": X.astype(complex)}, "holds complex128"),
    "times": ({"x": X, "y": np.arange(6).astype("datetime64[s]")}, "holds datetime64"),
    "fewer labels": ({"x": X, "y": np.arange(5)}, "y of all has 5 rows, x has 6"),
    "no rows": ({"x": X[:0], "y": np.arange(0)}, "nothing in it"),
    "NaN as a target": ({"x": X, "y": np.array([0, 1, np.nan, 1, 0, 1])}, "1 values of y of all are NaN"),
    "infinite pixels": ({"x": np.full((4, 8, 8, 3), np.inf)}, "not finite"),
    "infinite series": ({"x": np.full((4, 8, 3), np.inf)}, "infinite"),
    "one-hot labels": ({"x": X, "y": np.eye(6)}, "argmax"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arrays_that_cannot_be_learned_are_refused(tmp_path, case):
    arrays, said = REFUSED[case]
    with pytest.raises(DataError) as caught:
        npz.open(saved(tmp_path / "a.npz", **arrays))
    assert said in f"{caught.value.message} {caught.value.hint}"


BOMBS = {
    "a header that lies": ({"x.npy": header("(1000000000, 1000)")}, "more than the file holds"),
    "a negative shape": ({"x.npy": header("(-1, 4)")}, "more than the file holds"),
    "a shape without end": ({"x.npy": header("(" + "1, " * 5000 + ")")}, "is no array"),
    "an open bracket": ({"x.npy": header("((((")}, "is no array"),
    "a line that steps in": ({"x.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", 8) + b"a\n  b\n  "}, "is no array"),
    "300 MB of zeros": ({"x.npy": header("(300000000,)", "|u1") + bytes(300_000_000)}, "would unpack to"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_archives_that_unpack_to_much_are_refused_unread(tmp_path, case):
    members, said = BOMBS[case]
    zipped(tmp_path / "a.npz", members)
    answer = opened("train", "a.npz", cwd=tmp_path)
    assert answer.code == 3
    assert said in answer.said
    assert "Traceback" not in answer.said
    assert answer.peak < BOUND


def test_members_that_would_leave_the_archive_are_only_names(tmp_path):
    """Nothing is unpacked, so there is nowhere to go."""
    file = io.BytesIO()
    np.save(file, X)
    zipped(tmp_path / "a.npz", {"x.npy": file.getvalue(), "../../y.npy": file.getvalue(), "/tmp/z.npy": b""})
    data = npz.open(tmp_path / "a.npz", kind="table")
    assert "not used: ../../y, /tmp/z" in data.warnings[0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_packed_idx_file_may_not_unpack_to_a_hundred_times_its_size(tmp_path):
    name = tmp_path / "train-images-idx3-ubyte.gz"
    with gzip.open(name, "wb") as file:
        file.write(struct.pack(">HBBIII", 0, 8, 3, 2000, 200, 200))
        for _ in range(80):
            file.write(bytes(1_000_000))
    answer = opened("train", name.name, cwd=tmp_path)
    assert answer.code == 3
    assert "says it holds 80,000,000 bytes" in answer.said
    assert answer.peak < BOUND


def test_arrays_larger_than_memory_are_refused_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(_room, "free", lambda: 100)
    with pytest.raises(DataError, match=r"unpacked, would take about .* GB are free"):
        npz.open(saved(tmp_path / "a.npz", x=X))
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(struct.pack(">HBBIII", 0, 8, 3, 20, 20, 20) + bytes(8000))
    with pytest.raises(DataError, match=r"unpacked, would take about .* GB are free"):
        idx.open(path)


def test_an_idx_file_of_nothing_is_refused(tmp_path):
    """Beside a side of 0 the others may be as large as they like: found by a search."""
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 3, 0))
    with pytest.raises(DataError, match=r"holds nothing: its header says \(4294967295, 4294967293, 0\)"):
        idx.open(path)


def test_a_member_with_two_names_is_refused(tmp_path):
    """The second one, in front of its bytes, is no UTF-8: found by a search."""
    file = io.BytesIO()
    np.save(file, X)
    data = bytearray(zipped(tmp_path / "a.npz", {"x.npy": file.getvalue()}).read_bytes())
    data[data.index(b"PK\x01\x02") + 9] |= 0x08  # names are UTF-8
    data[7] |= 0x08
    data[30] = 0xBF  # the name in front of the bytes
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.npz could not be read: 'utf-8' codec"):
        npz.open(tmp_path / "a.npz")
