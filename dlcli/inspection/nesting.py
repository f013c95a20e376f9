"""The calls of a pass as a tree: which layer was called inside which."""

from dataclasses import dataclass, field
from typing import Any

import keras
from keras import tree


@dataclass(frozen=True, kw_only=True)
class Node:
    """One visit and the visits made inside it, in the order of the calls."""

    visit: Any
    children: list["Node"] = field(default_factory=list)

    @property
    def layer(self):
        return self.visit.layer

    @property
    def inputs(self) -> list:
        """The tensors that went in. A weight or a constant among the arguments is none; the model's input may be NumPy's."""
        outermost = "/" not in self.visit.path
        return [x for x in self.visit.inputs if outermost or is_activation(x)]

    @property
    def outputs(self) -> list:
        return [x for x in tree.flatten(self.visit.output) if hasattr(x, "shape")]


def nested(visits) -> list[Node]:
    """The outermost calls – as a rule one, the model's – with all others below. visits: in the order in which they end."""
    open_nodes: list[Node] = []
    for visit in visits:
        first = len(open_nodes)
        while first and open_nodes[first - 1].visit.path.startswith(visit.path + "/"):
            first -= 1
        open_nodes[first:] = [Node(visit=visit, children=open_nodes[first:])]
    return open_nodes


def is_activation(x) -> bool:
    """Whether a value among a layer's arguments depends on the model's input, as far as its type can say."""
    constant = isinstance(x, keras.Variable) or type(x).__module__.partition(".")[0] == "numpy"
    return hasattr(x, "shape") and hasattr(x, "dtype") and not constant


def shape(x) -> tuple:
    """A tensor's shape; None where a size is open: JAX traces with an expression there."""
    return tuple(side if isinstance(side, int) else None for side in x.shape)
