"""The layers of a model as a table: one row for every call, nested as the calls were, with what it costs."""

import itertools
import math
import re
from dataclasses import dataclass

import keras

from dlcli.inspection import nesting
from dlcli.inspection.field import receptive_fields
from dlcli.inspection.flops import WHOLE, between_layers, flops
from dlcli.inspection.nesting import Node, shape


@dataclass(frozen=True, kw_only=True)
class Row:
    """One call of a layer, or (after folding.fold) several blocks of layers.

    path, call: the visit's.  depth: 0 for what the model itself calls.  output_shape: of the first output;
    the batch is None.  parameters, trainable: weights that no row above counts: a shared layer's are with
    its first call; a row with rows below it has their sum and its own.  flops: for one example, None if
    unknown, also of something below.  memory_bytes: of the output for one example, None if its size is
    open.  receptive_field: pixels or steps, None for all of them or unknown.  calls: of this layer in all.
    folded: blocks that this row stands for.  members: keys (path, or path#call) of the rows behind it.
    """

    name: str
    path: str
    call: int
    depth: int
    type: str
    output_shape: tuple
    parameters: int
    trainable: int
    flops: int | None
    memory_bytes: int | None
    receptive_field: int | None
    calls: int = 1
    folded: int = 1
    members: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As Visit.key."""
        return self.path if self.call == 0 else f"{self.path}#{self.call}"


def layers(model, visits) -> list[Row]:
    """A row for every call of a layer, in the order in which the calls begin; the model itself has none.

    Operations that are no layers have a row where they merge paths (x + y in a functional model) or where
    nobody can count them; others, such as x * 2, count nothing.
    visits: of one pass over `model`, with data or without, as tap.Tap leaves them.
    """
    roots = nesting.nested(visits)
    builder = _Builder(roots, receptive_fields(roots))
    top = []
    for root in roots:
        top += root.children if root.layer is model else [root]
    return [row for node in top for row in builder.rows(node, depth=0)[0]]


def total_flops(rows: list[Row]) -> tuple[int, list[str]]:
    """Of a whole model for one example, as far as known, and the paths of the rows that nobody can count."""
    total, unknown, counted = 0, [], math.inf
    for i, row in enumerate(rows):
        if row.depth > counted:
            continue  # it is in a row above
        counted = math.inf
        if row.flops is not None:
            total, counted = total + row.flops, row.depth
        elif not _unknown_below(rows, i):
            unknown.append(row.path)
    return total, unknown


def _unknown_below(rows: list[Row], i: int) -> bool:
    below = itertools.takewhile(lambda row: row.depth > rows[i].depth, rows[i + 1 :])
    return any(row.flops is None for row in below)


class _Builder:
    def __init__(self, roots: list[Node], fields: dict):
        self._fields = fields
        self._counted: set[int] = set()  # ids of weights that have a row
        self._calls: dict[int, int] = {}
        for root in roots:
            self._count_calls(root)
        first = shape(roots[-1].inputs[0]) if roots and roots[-1].inputs else ()
        self._batch = first[0] if first else None

    def _count_calls(self, node: Node):
        self._calls[id(node.layer)] = self._calls.get(id(node.layer), 0) + 1
        for child in node.children:
            self._count_calls(child)

    def rows(self, node: Node, depth: int) -> tuple[list[Row], int | None]:
        """The rows of a call and of all that it calls, and its operations."""
        if not isinstance(node.layer, keras.layers.Layer) and not _has_row(node):
            return [], 0
        fresh = [weight for weight in _weights(node.layer) if id(weight) not in self._counted]
        below, parts = [], []
        for child in node.children:
            if isinstance(node.layer, keras.layers.TimeDistributed) and child.visit.call:
                continue  # once for every step
            rows, count = self.rows(child, depth + 1)
            below += rows
            parts.append(count)
        self._counted.update(id(weight) for weight in fresh)
        count = self._flops(node, parts)
        row = Row(
            name=node.layer.name,
            path=node.visit.path,
            call=node.visit.call,
            depth=depth,
            type=type(node.layer).__name__,
            output_shape=(None, *shape(node.outputs[0])[1:]) if node.outputs else (),
            parameters=sum(math.prod(weight.shape) for weight in fresh),
            trainable=sum(math.prod(weight.shape) for weight in fresh if weight.trainable),
            flops=count,
            memory_bytes=self._memory(node),
            receptive_field=self._fields[node.visit.key],
            calls=self._calls[id(node.layer)],
            members=(node.visit.key,),
        )
        return [row, *below], count

    def _flops(self, node: Node, parts: list) -> int | None:
        """Its own and its parts'; where its own count holds the parts already, that alone."""
        parts = [] if isinstance(node.layer, WHOLE) else parts
        between = bool(node.children) and not isinstance(node.layer, WHOLE)
        own = (between_layers if between else flops)(node.layer, node.inputs, node.visit.output)
        if own is None or None in parts:
            return None
        return own * self._rows_per_example(node) + sum(parts)

    def _rows_per_example(self, node: Node) -> int:
        """More than one where something before put channels or patches into the batch."""
        rows = shape(node.inputs[0])[0] if node.inputs and shape(node.inputs[0]) else None
        return rows // self._batch if rows and self._batch and rows % self._batch == 0 else 1

    def _memory(self, node: Node) -> int | None:
        total = 0
        for x in node.outputs:
            sizes = shape(x)
            if None in sizes[1:]:
                return None
            rows = sizes[0] // self._batch if sizes and sizes[0] and self._batch else 1
            total += max(rows, 1) * math.prod(sizes[1:]) * _bytes(x)
        return total


def _has_row(node: Node) -> bool:
    """Whether an operation that is no layer joins paths – two masks are none – or costs nobody knows what."""
    masks = all(keras.backend.standardize_dtype(x.dtype) == "bool" for x in node.outputs)
    joins = len({id(x) for x in node.inputs}) > 1 and not masks
    return joins or flops(node.layer, node.inputs, node.visit.output) is None


def _weights(layer) -> list:
    return list(getattr(layer, "weights", []))


def _bytes(x) -> int:
    """Bytes of one value. NumPy cannot be asked: it has no bfloat16."""
    bits = re.search(r"\d+", keras.backend.standardize_dtype(x.dtype))
    return int(bits.group()) // 8 if bits else 1
