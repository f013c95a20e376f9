"""See what goes into and comes out of every layer while a model runs, whoever built it.

No sub-model is made: `Layer.__call__` and `Operation.__call__`, both public, are wrapped while the
tap is open. So nested, shared, multi-input and subclassed models are all seen alike, eagerly, in a
compiled graph and in a trace without data, and the model's output stays what it was to the bit.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree
from keras.src.backend import get_keras_mask

from dlcli.errors import DlcliError

_ONE_AT_A_TIME = threading.RLock()


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One call of one layer.

    path: names from the model down, joined by "/"; two layers of one name below one parent get the
    same path and different `call` numbers, as two calls of one layer do.  inputs: the tensors among
    its arguments, flat.
    """

    path: str
    call: int
    layer: Any
    inputs: list
    output: Any

    @property
    def key(self) -> str:
        """The path, and the call's number when it is not the first: "tower/conv", "tower/conv#1"."""
        return self.path if self.call == 0 else f"{self.path}#{self.call}"


class Tap:
    """`with Tap() as visits: model(x)` fills `visits` in the order in which the calls end.

    change: given each visit, what the rest of the model sees in place of its output, or None to
    leave it.  arguments: given a layer and its keyword arguments, the keyword arguments to use.
    Below a recurrent layer nothing is seen: its cell is called once for every step.
    """

    def __init__(
        self,
        *,
        change: Callable[[Visit], Any] | None = None,
        arguments: Callable[[Any, dict], dict] | None = None,
    ):
        self._change = change
        self._arguments = arguments
        self._stack: list = []
        self._calls: dict[str, int] = {}
        self._visits: list[Visit] = []

    def __enter__(self) -> list[Visit]:
        _ONE_AT_A_TIME.acquire()
        self._thread = threading.get_ident()
        self._kept = [(cls, cls.__dict__["__call__"]) for cls in (keras.layers.Layer, keras.Operation)]
        for cls, call in self._kept:
            cls.__call__ = self._wrapped(call)
        return self._visits

    def __exit__(self, *_):
        for cls, call in self._kept:
            cls.__call__ = call
        _ONE_AT_A_TIME.release()

    def _wrapped(self, call):
        def watched(layer, *args, **kwargs):
            # A Layer comes through Operation.__call__ once more.
            again = self._stack and self._stack[-1] is layer and getattr(self, "_entered", None) is layer
            blind = any(isinstance(above, keras.layers.RNN) for above in self._stack)
            if again or blind or threading.get_ident() != self._thread:
                self._entered = None
                return call(layer, *args, **kwargs)
            return self._visited(call, layer, args, kwargs)

        return watched

    def _visited(self, call, layer, args, kwargs):
        if self._arguments is not None:
            kwargs = self._arguments(layer, kwargs)
        path = "/".join([above.name for above in self._stack] + [layer.name])
        self._stack.append(layer)
        self._entered = layer if isinstance(layer, keras.layers.Layer) else None
        try:
            output = call(layer, *args, **kwargs)
        finally:
            self._entered = None
            self._stack.pop()
        number = self._calls.get(path, 0)
        self._calls[path] = number + 1
        tensors = [x for x in tree.flatten((args, kwargs)) if hasattr(x, "shape") and hasattr(x, "dtype")]
        visit = Visit(path=path, call=number, layer=layer, inputs=tensors, output=output)
        self._visits.append(visit)
        changed = self._change(visit) if self._change else None
        return output if changed is None else changed


def traced(model, inputs=None, *, change=None) -> list[Visit]:
    """Every visit of one call without data: the tensors have shapes and types, and no values.

    inputs: anything with shapes, such as keras.KerasTensor; default: the model's own inputs for a batch of one.
    """
    return _Trace(model, change).visits(inputs if inputs is not None else specification(model))


def specification(model):
    """The model's inputs as KerasTensors for one example: one, a list, or by name. Sizes left open are None.

    Raises: DlcliError for a model that was never told what goes in.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise DlcliError(
            f"{model.name} ({type(model).__name__}) does not say what goes into it.",
            "call it once on data before it is saved.",
        )
    if isinstance(named := getattr(model, "input", None), dict):  # Keras takes no list where names are not in order
        return {name: _one(x) for name, x in named.items()}
    return _one(inputs[0]) if len(inputs) == 1 else [_one(x) for x in inputs]


def _one(x) -> keras.KerasTensor:
    return keras.KerasTensor((1, *x.shape[1:]), x.dtype, name=x.name)


def mask_of(x):
    """The mask (B, T) that Keras carries along with a tensor, or None."""
    # not the attribute _keras_mask: JAX's traced values take none, and Keras notes their masks elsewhere
    return get_keras_mask(x)


class _Trace(keras.layers.Layer):
    """Keras derives this layer's output by running its call on the backend's own placeholders."""

    def __init__(self, model, change):
        super().__init__(name="trace")
        self._hidden = [lambda: model]  # in a list, in a function: not a weight of this layer
        self._change = change

    def visits(self, inputs) -> list[Visit]:
        self._seen = []
        # the layer itself is not "built" by this, and no weight of the model is touched
        self.compute_output_spec(inputs)
        return self._seen

    def call(self, inputs):
        # JAX traces twice where a size is open; the last trace counts
        with Tap(change=self._change) as seen:
            output = self._hidden[0]()(inputs, training=False)
        self._seen = seen
        return output
