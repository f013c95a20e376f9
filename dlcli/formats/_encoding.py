"""Text of a file whose encoding nobody wrote down, looked at in blocks so that its size does not matter."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from dlcli.errors import DataError
from dlcli.formats import _room

BLOCK = 1 << 20

# Characters of one line; a table of 100 000 columns has lines of a million.
LONGEST = 1 << 25

_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
}
_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"))
_MARKS += ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# What texts are in that are neither UTF-8 nor of western Europe; of a sample of so many bytes, so many must be letters.
_SCRIPTS = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1251", "koi8_r")
_SAMPLE, _ENOUGH = 1 << 16, 60
_GLANCE = 1 << 12
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\v\x1a\x1b")


def is_prose(path: Path) -> bool:
    """Whether a file begins with text, for names that do not say it: no control characters, and words, not numbers."""
    try:
        with path.open("rb") as file:
            start = file.read(_GLANCE)
    except OSError:
        return False
    signs = b"".join(start.split())
    letters = sum(byte >= 0x80 or chr(byte).isalpha() for byte in signs)
    return len(start.translate(None, _CONTROLS)) == len(start) and 2 * letters > len(signs)


def decode(path: Path, encoding: str | None = None) -> tuple[str, list[str]]:
    """Text of a file, and a warning where the encoding had to be guessed.

    Raises: DataError with the byte offset where no encoding fits, or when it does not fit into memory.
    """
    encoding, warnings = find(path, encoding)
    return whole(path, encoding), warnings


def whole(path: Path, encoding: str) -> str:
    """Text of a file in an encoding that find() found."""
    _room.check(6 * path.stat().st_size, f"{path} as text")  # its bytes, and up to 4 per character
    try:
        return path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        raise _changed(path) from error


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Lines of a file in an encoding that find() found; each ends in "\\n" but, perhaps, the last.

    Raises: DataError for a line too long to be one.
    """
    with path.open(encoding=encoding) as file:
        number = 1
        try:
            while line := file.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    raise DataError(
                        f"{path}, line {number} has more than {LONGEST >> 20} million characters.",
                        "check the quote marks and the line ends.",
                    )
                yield line
                number += 1
        except UnicodeDecodeError as error:
            raise _changed(path) from error


def find(path: Path, encoding: str | None = None) -> tuple[str, list[str]]:
    """The encoding that fits the whole file, and a warning where it had to be guessed.

    Raises: DataError with the byte offset and the line where none fits.
    """
    with path.open("rb") as file:
        start = file.read(16)
        blank = not start.strip()
        while blank and (block := file.read(BLOCK)):
            blank = not block.strip()
    if blank:
        raise DataError(f"{path} is empty.")
    packed = next((kind for mark, kind in _PACKED.items() if start.startswith(mark)), None)
    if packed and (packed != "bzip2" or start[4:10] == b"1AY&SY"):  # BZh may also begin a text
        raise DataError(f"{path} is compressed ({packed}).", "unpack it first.")
    if encoding:
        _check_name(path, encoding)
    encoding = encoding or next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if encoding:
        fault = _fault(path, encoding)
        if fault is not None:
            raise DataError(f"{path} is not {encoding}: it does not fit at {_place(path, fault)}.")
        return encoding, []
    nul = _first(path, b"\0")
    if nul is not None:
        raise DataError(
            f"{path} holds a NUL byte at {_place(path, nul)}: it is no text.",
            "name the encoding if it is UTF-16: --set data.encoding=utf-16-le.",
        )
    fault = _fault(path, "utf-8-sig")
    return ("utf-8-sig", []) if fault is None else _other(path, fault)


def _other(path: Path, fault: int) -> tuple[str, list[str]]:
    """What a file is that is no UTF-8 from byte `fault` on."""
    with path.open("rb") as file:
        file.seek(fault)
        byte = file.read(1)[0]
    what = f"byte {byte:#04x} at {_place(path, fault)}"
    odd = _first(path, _CONTROLS)
    if odd is not None:
        raise DataError(f"{path} is no text: a control character at {_place(path, odd)}.")
    good, bad = _characters(path)
    if good >= bad:  # letters of Latin-1 hardly ever stand so that they make UTF-8
        raise DataError(
            f"{path} mixes encodings: {good} characters are UTF-8 and {bad} are not, the first a {what}.",
            "mend it, or read all of it as one: --set data.encoding=cp1252.",
        )
    likely = (_by_letters(path, fault), "cp1252", "latin-1")
    name = next(name for name in likely if name and _fault(path, name) is None)
    return name, [f"{path.name} is not UTF-8 ({what}): read as {name} (another: --set data.encoding=NAME)"]


def _by_letters(path: Path, fault: int) -> str | None:
    """The encoding of another script whose letters these bytes would be, where there are enough of them to tell."""
    from charset_normalizer import from_bytes

    with path.open("rb") as file:
        file.seek(fault)
        sample = file.read(_SAMPLE)
    sample = sample[: sample.rfind(b"\n") + 1] or sample  # no half character at the end
    if len(sample.translate(None, bytes(range(128)))) < _ENOUGH:
        return None
    best = from_bytes(sample, cp_isolation=[*_SCRIPTS, "cp1252"]).best()
    return best.encoding if best and best.encoding in _SCRIPTS else None


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _fault(path: Path, encoding: str) -> int | None:
    """Offset of the first byte that does not fit, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    try:
        for block in _blocks(path):
            pending = len(decoder.getstate()[0])
            decoder.decode(block)
            done += len(block)
        pending = len(decoder.getstate()[0])
        decoder.decode(b"", True)
    except UnicodeError as error:
        return done - pending + getattr(error, "start", 0)
    return None


def _first(path: Path, wanted: bytes) -> int | None:
    """Offset of the first of these bytes, or None."""
    done = 0
    for block in _blocks(path):
        if len(block.translate(None, wanted)) < len(block):
            return done + next(i for i, byte in enumerate(block) if byte in wanted)
        done += len(block)
    return None


def _characters(path: Path) -> tuple[int, int]:
    """How many characters beyond ASCII are UTF-8, and how many bytes are not."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    for block in _blocks(path):
        text = decoder.decode(block)
        wrong = text.count("\ufffd")
        good += len(text) - len(text.encode("ascii", "ignore")) - wrong
        bad += wrong
    return good, bad


def _place(path: Path, offset: int) -> str:
    """'offset 12, line 2'."""
    line, done = 1, 0
    for block in _blocks(path):
        line += block[: max(0, offset - done)].count(b"\n")
        done += len(block)
        if done >= offset:
            break
    return f"offset {offset}, line {line}"


def _check_name(path: Path, encoding: str) -> None:
    try:
        b"".decode(encoding)
        codecs.getincrementaldecoder(encoding)
    except (LookupError, UnicodeError, ValueError) as error:
        raise DataError(
            f"{path}: there is no encoding {encoding!r} ({error}).", "for example utf-8 or cp1252."
        ) from None


def _changed(path: Path) -> DataError:
    return DataError(f"{path} changed while it was read.", "try again once it is written.")
