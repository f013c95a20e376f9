"""Fold repeated blocks of a table of layers into one row each.

What attention and other wholes are made of is hidden. Two rules, applied among the layers that one layer calls:
  nested   neighbours that are equal inside (types, shapes, weights) and differ in name only by a number
           become one row: "stage1 [x2]".
  flat     three or more neighbours whose names begin alike are a block: up to a numbered part such as
           block1, stage2_block0 or conv2_block1, else up to the last "_". Neighbouring blocks whose names
           differ only in their last number, and that end in the same shape or have the same types over the
           same positions, become one row: conv2_block1 .. conv2_block3 are "conv2 [x3]".
A row for several blocks has their sums, and the last block's shape and receptive field.
"""

import re
from dataclasses import dataclass, replace

from dlcli.inspection.flops import WHOLE
from dlcli.inspection.tree import Row

_BLOCK = re.compile(r"^(.*(?:block|stage|layer|mixed|unit|cell|level)_?\d+[a-z]?)(?:_|$)")
_WHOLE = {layer.__name__ for layer in WHOLE}
_LEAST = 3  # layers that make a block


def fold(rows: list[Row], *, expand: bool = False) -> list[Row]:
    """Rows as tree.layers makes them -> fewer rows. expand: leave all as they are."""
    if expand:
        return list(rows)
    return [row for part in _folded([_closed(part) for part in _parts(rows)]) for row in part.rows()]


@dataclass
class _Part:
    """A row with those below it."""

    row: Row
    below: list["_Part"]

    def rows(self) -> list[Row]:
        return [self.row, *(row for part in self.below for row in part.rows())]

    def members(self) -> tuple[str, ...]:
        return tuple(key for row in self.rows() for key in row.members)

    def shape(self) -> tuple:
        """What equal blocks have in common, inside and out."""
        own = (self.row.type, self.row.output_shape, self.row.parameters)
        return (*own, tuple(part.shape() for part in self.below))


def _closed(part: _Part) -> _Part:
    """Without the layers that a whole, such as attention, is made of: its own row counts them."""
    if part.row.type in _WHOLE:
        return _Part(part.row, [])
    return _Part(part.row, [_closed(below) for below in part.below])


def _parts(rows: list[Row]) -> list[_Part]:
    parts, i = [], 0
    while i < len(rows):
        end = i + 1
        while end < len(rows) and rows[end].depth > rows[i].depth:
            end += 1
        parts.append(_Part(rows[i], _parts(rows[i + 1 : end])))
        i = end
    return parts


def _folded(parts: list[_Part]) -> list[_Part]:
    joined = [_block(run) if len(run) >= _LEAST else run for run in _runs(parts)]
    blocks = [part for run in joined for part in (run if isinstance(run, list) else [run])]
    done, i = [], 0
    while i < len(blocks):
        end = i + 1
        while end < len(blocks) and _alike(blocks[i], blocks[end]):
            end += 1
        done.append(_one(blocks[i:end]))
        i = end
    return done


def _runs(parts: list[_Part]) -> list[list[_Part]]:
    """Neighbours without layers inside whose names begin alike."""
    runs, i = [], 0
    while i < len(parts):
        begin, end = _beginning(parts[i].row.name), i + 1
        while end < len(parts) and not parts[i].below and not parts[end].below:
            name = parts[end].row.name
            numbered = _BLOCK.match(name)
            if _beginning(name) != begin and (numbered or not f"{name}_".startswith(f"{begin}_")):
                break
            end += 1
        runs.append(parts[i:end])
        i = end
    return runs


def _beginning(name: str) -> str:
    """The part of a name that its block shares: conv2_block1_1_conv -> conv2_block1, stem_conv -> stem."""
    found = _BLOCK.match(name)
    if found:
        return found.group(1)
    first, _, last = name.rpartition("_")
    return first if first and not last.isdigit() else name  # conv2d_7 is a name with a number, no block


def _block(run: list[_Part]) -> _Part:
    """One row for the layers of a block; they stay below it until it is folded or shown."""
    name, last = _beginning(run[0].row.name), run[-1].row
    parent = last.path.rpartition("/")[0]
    row = replace(_summed(run), name=name, path=f"{parent}/{name}" if parent else name, call=last.call, type="block")
    return _Part(row, run)


def _summed(parts: list[_Part]) -> Row:
    rows = [part.row for part in parts]
    known = {name: [getattr(row, name) for row in rows] for name in ("flops", "memory_bytes")}
    return replace(
        rows[-1],
        parameters=sum(row.parameters for row in rows),
        trainable=sum(row.trainable for row in rows),
        members=tuple(key for part in parts for key in part.members()),
        **{name: None if None in values else sum(values) for name, values in known.items()},
    )


def _alike(first: _Part, other: _Part) -> bool:
    if not first.below or not other.below or _stem(first.row.name) != _stem(other.row.name):
        return False
    if (first.row.type == "block") != (other.row.type == "block"):
        return False
    if first.row.type != "block":
        return first.shape() == other.shape()
    same_types = [part.row.type for part in first.below] == [part.row.type for part in other.below]
    one, two = first.row.output_shape, other.row.output_shape
    return one == two or (same_types and one[:-1] == two[:-1])


def _stem(name: str) -> str:
    """stage1_block0 -> stage1_block; where letters number the blocks of a stage, block2a -> block2."""
    return re.sub(r"(?<=\d)[a-z]$|[_-]?\d+$", "", name)


def _one(blocks: list[_Part]) -> _Part:
    """One part for equal blocks. A block that is no repetition keeps its own name, and hides its layers too."""
    if len(blocks) == 1:
        row = blocks[0].row
        if row.type == "block":
            return _Part(_summed_block(blocks, row.name), [])
        return _Part(row, _folded(blocks[0].below))
    name = re.sub(r"[_-]?block$", "", _stem(blocks[0].row.name))
    name = name or f"{blocks[0].row.name}..{blocks[-1].row.name}"
    return _Part(replace(_summed_block(blocks, name), folded=len(blocks)), [])


def _summed_block(blocks: list[_Part], name: str) -> Row:
    row = _summed(blocks)
    own = [key for key in row.members if key]
    parent = row.path.rpartition("/")[0]
    return replace(row, name=name, path=f"{parent}/{name}" if parent else name, members=tuple(dict.fromkeys(own)))
