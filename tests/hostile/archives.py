"""Archives that lead elsewhere when they are unpacked, and arrays that unpack to more than memory (C18, C19)."""

import io
import pickle
import tarfile
import zipfile

import numpy as np

from tests.hostile.cases import Case
from tests.hostile.storage import blown, packed_zeros


def tar(**fields):
    """A tar archive of one member with these fields."""

    def build(folder, canary):
        path = folder / "data.tar"
        with tarfile.open(path, "w") as archive:
            info = tarfile.TarInfo("x/1.png")
            for name, value in fields.items():
                setattr(info, name, value)
            archive.addfile(info, io.BytesIO(bytes(min(info.size, 4096))))
        return path

    return build


def long_chain(folder, canary):
    """Names that together are longer than a path may be, and a link at their end."""
    path = folder / "data.tar"
    with tarfile.open(path, "w") as archive:
        for depth in range(1, 20):
            archive.addfile(tarfile.TarInfo("/".join(["d" * 240] * depth) + "/"))
        info = tarfile.TarInfo("/".join(["d" * 240] * 19) + "/out")
        info.type, info.linkname = tarfile.SYMTYPE, "../" * 40 + "tmp"
        archive.addfile(info)
    return path


def packed(folder, canary):
    path = folder / "data.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../x"))
    return path


def zipped(*names):
    def build(folder, canary):
        path = folder / "data.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")
        return path

    return build


def zip_bomb(folder, canary):
    path = folder / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/1.png", packed_zeros(1 << 30))
    return blown(path, ["x/1.png"], 1 << 30)


def npz_of_objects(folder, canary):
    np.savez(folder / "data.npz", x=np.array([{"a": 1}] * 10, dtype=object), y=np.arange(10))
    return folder / "data.npz"


def npz_that_is_a_pickle(folder, canary):
    (folder / "data.npz").write_bytes(pickle.dumps(np.arange(3)))
    return folder / "data.npz"


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def npz_that_lies(folder, canary):
    with zipfile.ZipFile(folder / "data.npz", "w") as archive:
        archive.writestr("x.npy", header("(4000000000000,)") + bytes(80))
    return folder / "data.npz"


def npz_bomb(folder, canary):
    """778 KB that unpack to 800 MB."""
    path = folder / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", packed_zeros(800 << 20))
    return blown(path, ["x.npy"], 800 << 20)


ARCHIVES = [
    Case("C19", "tar_up", "", tar(name="../../x")),
    Case("C19", "tar_absolute", "", tar(name="/tmp/dlcli-canary")),
    Case("C19", "tar_symlink", "", tar(type=tarfile.SYMTYPE, linkname="/etc")),
    Case("C19", "tar_hard_link", "", tar(type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    Case("C19", "tar_device", "", tar(type=tarfile.CHRTYPE, devmajor=1, devminor=5)),
    Case("C19", "tar_long_chain", "", long_chain),
    Case("C19", "tar_packed", "", packed),
    Case("C19", "zip_up", "", zipped("../../x", "/abs")),
    Case("C19", "zip_bomb", "", zip_bomb),
    Case("C18", "npz_of_objects", "", npz_of_objects),
    Case("C18", "npz_that_is_a_pickle", "", npz_that_is_a_pickle),
    Case("C18", "npz_that_lies", "", npz_that_lies),
    Case("C18", "npz_bomb", "", npz_bomb),
]
