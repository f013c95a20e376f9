"""A part of an open file as a file of its own, so that a member is read where it lies and never copied."""

import io
import os
import zipfile


class Window(io.RawIOBase):
    """Bytes start to start + size of a descriptor, for reading; its position is its own."""

    def __init__(self, descriptor: int, start: int, size: int):
        super().__init__()
        self.descriptor, self.start, self.size, self.at = descriptor, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        self.at = max(origin + offset, 0)
        return self.at

    def readinto(self, buffer) -> int:
        data = self.read_at(self.at, len(buffer))
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`, without moving."""
        count = min(count, self.size - offset)
        return os.pread(self.descriptor, count, self.start + offset) if count > 0 else b""


class Memory(io.BytesIO):
    """The same over bytes that had to be unpacked."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self.size = len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`, without moving."""
        return bytes(self.getbuffer()[offset : offset + count])


def of_member(descriptor: int, info: zipfile.ZipInfo) -> Window:
    """A member that is not packed. Its own header tells how long that header is."""
    header = os.pread(descriptor, 30, info.header_offset)
    skipped = 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return Window(descriptor, info.header_offset + skipped, info.file_size)
