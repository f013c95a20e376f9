"""The table of contents of a zip archive, judged before anything in it is unpacked."""

import re
import stat
import zipfile
from typing import BinaryIO

from dlcli.safety import limits
from dlcli.safety.refusal import damaged, refused, shown

_END = b"PK\x05\x06"  # of the record at the end: its bytes 12 to 16 are the length of the table of contents
_KNOWN = re.compile(r"metadata\.json|config\.json|model\.weights\.(h5|npz)|assets/.+")


def opened(file: BinaryIO, path, size: int) -> zipfile.ZipFile:
    """The archive, once its table of contents is known to be short and true.

    Names that lead elsewhere, names that stand twice, links, encrypted or overlapping members, and members
    that would unpack to far more than they take are refused. Raises: DlcliError (exit code 4).
    """
    file.seek(max(size - 65_557, 0))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or at + 22 > len(tail):
        raise damaged(path, "its end is missing, and without it it is no zip archive")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > limits.DIRECTORY:
        raise refused(path, f"its table of contents has more than {limits.DIRECTORY:,} bytes")
    archive = zipfile.ZipFile(file)
    judged(archive.infolist(), path, size)
    return archive


def judged(members: list[zipfile.ZipInfo], path, size: int) -> None:
    """Raises: DlcliError (exit code 4) for a member that no honest archive has. size: bytes of the archive."""
    if len(members) > limits.MEMBERS:
        raise refused(path, f"it has {len(members):,} members, and {limits.MEMBERS:,} are allowed")
    names = set()
    for info in members:
        name = info.filename
        _name(name, info.orig_filename, path)
        if name in names:
            raise refused(path, f"{shown(name)} stands in it twice")
        names.add(name)
        kind = info.external_attr >> 16
        if stat.S_IFMT(kind) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise refused(path, f"{shown(name)} in it is a link or a device and no file")
        if info.flag_bits & 1:
            raise refused(path, f"{shown(name)} in it is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refused(path, f"{shown(name)} in it is packed in a way that Keras never uses")
        if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
            raise refused(path, f"{shown(name)} in it has two sizes")
        if info.file_size > limits.MIB and info.file_size > limits.RATIO * info.compress_size:
            raise refused(
                path,
                f"{shown(name)} of {info.compress_size:,} bytes would unpack to {info.file_size:,}",
                f"a member may unpack to {limits.RATIO} times its size.",
            )
    total = sum(info.file_size for info in members)
    if total > 2 * size + limits.UNPACKED:
        raise refused(path, f"its {size:,} bytes would unpack to {total:,}", "that is a decompression bomb.")
    at = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < at:
            raise refused(path, f"{shown(info.filename)} lies within another member")
        at = info.header_offset + 30 + info.compress_size


def of_keras(members: list[zipfile.ZipInfo], path) -> None:
    """Raises: DlcliError (exit code 4) for a member that Keras does not write."""
    for info in members:
        if not info.is_dir() and not _KNOWN.fullmatch(info.filename):
            raise refused(path, f"{shown(info.filename)} in it is nothing that Keras writes")


def _name(name: str, original: str, path) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "\\" in original or ":" in parts[0] or "\x00" in original:
        raise refused(path, f"{shown(original)} in it would be unpacked to another place", "do not unpack it at all.")
    if not name.isprintable() or len(name) > 255:
        raise refused(path, f"a member of it has the name {shown(original)}")
