"""The theoretical receptive field of every layer: a walk over who made which tensor (Araujo et al., 2019).

Counted in pixels or time steps of the model's input, along the wider axis, where padding counts as
input; None means all of it, or that nobody can say. Attention, recurrence, flattening and means
over space see everything, and so does what they gate (squeeze-and-excite). Normalisation changes
nothing here, although layer and group norms take their mean and spread from other positions too.
"""

from dlcli.inspection import operations, seen
from dlcli.inspection.nesting import Node, shape
from dlcli.inspection.window import Window


def receptive_fields(roots: list[Node]) -> dict[str, int | None]:
    """visit.key -> width, for every call in nesting.nested(visits)."""
    return {key: width(field) for key, field in fields(roots).items()}


def fields(roots: list[Node]) -> dict[str, seen.Field]:
    """visit.key -> a window for each axis of space or time; None for everything, or unknown."""
    walk = _Walk()
    for root in roots:
        walk.enter(root)
    return walk.found


def width(field: seen.Field) -> int | None:
    """Of the wider axis."""
    return max(window.width() for window in field) if field else None


class _Walk:
    """Fields by tensor identity: the visits keep all tensors alive, so no id is used twice."""

    def __init__(self):
        self.found: dict[str, seen.Field] = {}
        self._fields: dict[int, seen.Field] = {}

    def enter(self, root: Node):
        for tensor in root.inputs:
            self._fields[id(tensor)] = _whole(tensor)
        self._go(root, [])

    def _go(self, node: Node, around: list):
        """around: tensors whose fields are known where the node was called, the first ones first."""
        fields = [self._field(x, around) for x in node.inputs]
        through = bool(node.children) and not seen.is_known(node.layer)
        if not through:
            # before those below: what an attention's last projection makes is the attention's output
            for tensor, field in zip(node.outputs, self._leaf(node, fields), strict=True):
                self._fields.setdefault(id(tensor), field)  # a layer may hand its input on
        inner = list(node.inputs)
        for child in node.children:
            self._go(child, inner)
            inner += child.outputs
        if through:
            for tensor in node.outputs:
                self._field(tensor, inner)
        self.found[node.visit.key] = self._fields[id(node.outputs[0])] if node.outputs else None

    def _field(self, tensor, around: list) -> seen.Field:
        """Known, or made by something that no tap sees, such as x + y in a subclassed model: then the
        union of all that was there before with the same positions, which errs on the wide side."""
        if id(tensor) not in self._fields:
            alike = [x for x in around if shape(x)[1:-1] == shape(tensor)[1:-1] and len(shape(x)) == len(shape(tensor))]
            self._fields[id(tensor)] = seen.merged([self._fields[id(x)] for x in alike])
        return self._fields[id(tensor)]

    def _leaf(self, node: Node, fields: list) -> list[seen.Field]:
        shapes = [shape(x) for x in node.inputs]
        if isinstance(node.layer, seen.KNOWN):
            return [seen.after(node.layer, fields, shapes, shape(x)) for x in node.outputs]
        if not seen.is_known(node.layer):
            return _inside(node, fields)
        return [seen.after_operation(node.layer, fields, node.visit.inputs, shape(x)) for x in node.outputs]


def _whole(tensor) -> seen.Field:
    """Every position of the model's input sees itself. Integers in rows are tokens; other rows have no positions."""
    rank = len(shape(tensor))
    axes = 1 if rank == 2 and "int" in str(tensor.dtype) else rank - 2
    return tuple(Window() for _ in range(max(axes, 0)))


def _inside(node: Node, fields: list) -> list[seen.Field]:
    """A layer of somebody's own, followed through the operations that it is made of."""
    found = operations.inside(node.layer, node.inputs)
    if found is None or len(found.outputs) != len(node.outputs):
        return [None] * len(node.outputs)
    known = {id(x): field for x, field in zip(found.inputs, fields, strict=True)}
    for operation, inputs, outputs in found.steps:
        given = [known[id(x)] for x in inputs]
        for x in outputs:
            if isinstance(operation, seen.KNOWN):
                known[id(x)] = seen.after(operation, given, [shape(y) for y in inputs], shape(x))
            else:
                known[id(x)] = seen.after_operation(operation, given, inputs, shape(x))
    return [known[id(x)] for x in found.outputs]
