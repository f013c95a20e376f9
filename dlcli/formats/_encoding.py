"""Text of a file whose encoding nobody wrote down."""

from pathlib import Path

from dlcli.errors import DataError


def decode(path: Path, encoding: str | None = None) -> tuple[str, list[str]]:
    """Text of a file, and a warning where the encoding had to be guessed.

    Raises: DataError with the byte offset where no encoding fits.
    """
    raw = path.read_bytes()
    if not raw.strip():
        raise DataError(f"{path} is empty.")
    if raw[:2] == b"\x1f\x8b" or raw[:2] == b"PK":
        raise DataError(f"{path} is compressed.", "unpack it first.")
    if encoding:
        try:
            return raw.decode(encoding), []
        except (UnicodeDecodeError, LookupError) as error:
            raise DataError(f"{path} is not {encoding}: {error}.") from None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _strictly(path, raw, "utf-16"), []
    if b"\0" in raw:
        offset = raw.index(b"\0")
        raise DataError(
            f"{path} holds a NUL byte at offset {offset}: it is no text.",
            "name the encoding if it is UTF-16: --set data.encoding=utf-16-le.",
        )
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        offset = error.start
    for candidate in ("cp1252", "latin-1"):
        try:
            text = raw.decode(candidate)
        except UnicodeDecodeError:
            continue
        odd = next((i for i, byte in enumerate(raw) if byte < 32 and byte not in b"\t\n\r\f\v\x1a\x1b"), None)
        if odd is not None:
            raise DataError(f"{path} is no text: byte {raw[odd]} at offset {odd}.")
        return text, [f"{path.name} is not UTF-8 (byte {raw[offset]:#04x} at offset {offset}): read as {candidate}"]
    raise AssertionError("latin-1 decodes everything")


def _strictly(path: Path, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no {encoding}: byte offset {error.start} does not fit.") from None
