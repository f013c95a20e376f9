"""SentencePiece's way with text (Kudo & Richardson, 2018), its byte-pair kind: pieces of words, merged in the order
in which they were learned. A text begins with a space, as every word does; what no piece holds is spelt in bytes."""

import re
from collections.abc import Iterable
from itertools import pairwise

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
# A piece may begin with a space and holds none behind another sign: no merge goes beyond these.
_WORDS = re.compile(r" *[^ ]+| +")


def encode(text: str, ids: dict[str, int], known: dict[str, list[int]]) -> list[int]:
    """Ids of the pieces, nothing added. known: words that were met before, filled on the way.

    ids: of every piece, in the order of merging; "<0x41>" stands for a byte.
    """
    found = []
    for word in _WORDS.findall(f" {text}" if text else ""):
        if word not in known:
            known[word] = _merged(word, ids)
        found += known[word]
    return found


def _merged(word: str, ids: dict[str, int]) -> list[int]:
    """The pair of neighbours whose piece comes first is merged, until none makes a piece."""
    parts = []
    for sign in word:
        parts += [sign] if sign in ids else [f"<0x{byte:02X}>" for byte in sign.encode()]
    last = len(ids) + max(ids.values(), default=0)
    while len(parts) > 1:
        rank, at = min((ids.get(left + right, last), i) for i, (left, right) in enumerate(pairwise(parts)))
        if rank == last:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return [ids[part] for part in parts]


def decode(found: Iterable[str]) -> str:
    """Text again, without the space that it begins with."""
    data = b"".join(piece.encode() if byte_of(piece) is None else bytes([byte_of(piece)]) for piece in found)
    return data.decode("utf-8", errors="replace").removeprefix(" ")


def byte_of(piece: str) -> int | None:
    """The byte that a piece is the name of, or None."""
    match = _BYTE.fullmatch(piece)
    return int(match[1], 16) if match else None
