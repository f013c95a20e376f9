"""Checkpoints and vocabularies of llama2.c (.bin): seven numbers and the weights; pieces of text with their scores."""

import math
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dlcli.checkpoints._pickled import refused

_HEADER = struct.Struct("<7i")
_WIDEST = 2**20  # of each number in a header; the largest model there is has a vocabulary of 2**18

UNKNOWN, BEGIN = 0, 1  # <unk> and <s>; 2 is </s>
BYTES = 3  # the id of byte 0, the other 255 behind


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the seven numbers say; a negative vocabulary stands for an output matrix of its own."""

    width: int
    hidden: int
    depth: int
    heads: int
    key_value_heads: int
    vocabulary: int
    context: int
    tied: bool


def matches(path: Path) -> bool:
    """Whether a file has exactly the size that its first seven numbers ask for."""
    header = _header(path)
    return header is not None and Path(path).stat().st_size == _size(header)


def read(path: Path) -> tuple[dict[str, np.ndarray], Header]:
    """The weights under the names that Llama's own checkpoints give them, and the header.

    Matrices are (out, in), float32. Raises: DlcliError (exit code 4) when the numbers do not fit the file.
    """
    path = Path(path)
    header = _header(path)
    if header is None:
        raise refused(path, "it does not begin with the seven numbers of a llama2.c checkpoint")
    if path.stat().st_size != _size(header):
        raise refused(path, f"it has {path.stat().st_size} bytes and its header asks for {_size(header)}")
    data = np.memmap(path, "<f4", mode="r", offset=_HEADER.size)
    tensors, at = {}, 0
    for name, shape in _blocks(header):
        count = math.prod(shape)
        block = data[at : at + count].reshape(shape)
        at += count
        if name.startswith("layers."):
            tensors |= {name.replace("*", str(i)): one for i, one in enumerate(block)}
        elif name:
            tensors[name] = block
    return tensors, header


def _header(path: Path) -> Header | None:
    with Path(path).open("rb") as file:
        start = file.read(_HEADER.size)
    if len(start) < _HEADER.size:
        return None
    width, hidden, depth, heads, key_value_heads, vocabulary, context = _HEADER.unpack(start)
    tied, vocabulary = vocabulary > 0, abs(vocabulary)
    numbers = (width, hidden, depth, heads, key_value_heads, vocabulary, context)
    if not all(0 < number <= _WIDEST for number in numbers):
        return None
    if width % heads or heads % key_value_heads or (width // heads) % 2:
        return None
    return Header(
        width=width,
        hidden=hidden,
        depth=depth,
        heads=heads,
        key_value_heads=key_value_heads,
        vocabulary=vocabulary,
        context=context,
        tied=tied,
    )


def _blocks(header: Header) -> list[tuple[str, tuple[int, ...]]]:
    """Names ("*" is the number of the block, "" is not used) and shapes, in the file's order."""
    width, depth, hidden = header.width, header.depth, header.hidden
    narrow = width // header.heads * header.key_value_heads
    rotations = (header.context, width // header.heads // 2)  # cosines and sines, which can be calculated
    return [
        ("tok_embeddings.weight", (header.vocabulary, width)),
        ("layers.*.attention_norm.weight", (depth, width)),
        ("layers.*.attention.wq.weight", (depth, width, width)),
        ("layers.*.attention.wk.weight", (depth, narrow, width)),
        ("layers.*.attention.wv.weight", (depth, narrow, width)),
        ("layers.*.attention.wo.weight", (depth, width, width)),
        ("layers.*.ffn_norm.weight", (depth, width)),
        ("layers.*.feed_forward.w1.weight", (depth, hidden, width)),
        ("layers.*.feed_forward.w2.weight", (depth, width, hidden)),
        ("layers.*.feed_forward.w3.weight", (depth, hidden, width)),
        ("norm.weight", (width,)),
        ("", rotations),
        ("", rotations),
        *([] if header.tied else [("output.weight", (header.vocabulary, width))]),
    ]


def _size(header: Header) -> int:
    return _HEADER.size + 4 * sum(math.prod(shape) for _, shape in _blocks(header))


def beside(path: Path, size: int) -> Path | None:
    """The file of the vocabulary that lies beside a checkpoint with so many tokens, as llama2.c names it."""
    names = (f"tok{size}.bin", "tokenizer.bin")
    return next((found for name in names if (found := Path(path).parent / name).is_file()), None)


def vocabulary(path: Path) -> list[str]:
    """Read tok*.bin: the length of the longest piece, then score, length and bytes of each.

    Pieces in the order of their ids from BYTES on: the names of the bytes ("<0x41>"), then what is merged, in
    the order of merging. Raises: DlcliError (exit code 4).
    """
    path = Path(path)
    data = path.read_bytes()
    if len(data) < 4:
        raise refused(path, "it is no vocabulary of llama2.c")
    longest = int.from_bytes(data[:4], "little")
    pieces, scores, at = [], [], 4
    while at < len(data):
        if at + 8 > len(data):
            raise refused(path, f"it ends within piece {len(pieces)}")
        score, length = struct.unpack_from("<fi", data, at)
        at += 8
        # the special pieces are written as text in places where `longest` does not count them
        if not 0 <= length <= max(longest, 16) or at + length > len(data) or not math.isfinite(score):
            raise refused(path, f"piece {len(pieces)} makes no sense: {length} bytes, score {score}")
        pieces.append(data[at : at + length])
        scores.append(score)
        at += length
    if len(pieces) < BYTES + 256:
        raise refused(path, f"it has {len(pieces)} pieces, fewer than there are bytes")
    if any(first < second for first, second in pairwise(scores[BYTES + 256 :])):
        raise refused(path, "its pieces do not stand in the order of their scores")
    try:
        return [piece.decode("utf-8") for piece in pieces[BYTES:]]
    except UnicodeDecodeError as error:
        raise refused(path, f"a piece of it is no text ({error})") from None
