"""See the attention maps of a model's layers while it runs, whoever built it.

Keras computes them only when a layer is asked for its scores; here it is asked from outside, one level below
the call, so that what the layer returns to its model keeps its form.
"""

import inspect
from contextlib import contextmanager
from functools import wraps

from keras import layers

ATTENTION = (layers.MultiHeadAttention, layers.GroupQueryAttention)


class Attention:
    """`with Attention() as attention, Tap(change=look): model(x)`, eagerly; `attention.taken(layer)` gives the maps
    (B, heads, T, S) of that layer's last call once, or None where it computes none.

    The fused kernels, which know no maps, are not used meanwhile: outputs differ by rounding.
    """

    def __enter__(self) -> "Attention":
        self._maps = {}
        self._kept = []
        for cls in _family(ATTENTION):
            own = cls.__dict__.get("_compute_attention")
            if own is not None:
                self._kept.append((cls, own))
                cls._compute_attention = self._asked(own)
        return self

    def __exit__(self, *_):
        for cls, own in self._kept:
            cls._compute_attention = own

    def taken(self, layer):
        return self._maps.pop(id(layer), None)

    def _asked(self, own):
        signature = inspect.signature(own)

        @wraps(own)
        def asked(layer, *args, **kwargs):
            # Keras passes it by position in one layer, as an attribute in the other
            bound = signature.bind(layer, *args, **kwargs)
            if "return_attention_scores" in signature.parameters:
                bound.arguments["return_attention_scores"] = True
            with _scores(layer):
                output, scores = own(*bound.args, **bound.kwargs)
            self._maps[id(layer)] = scores  # of a subclass that calls its base the outermost counts
            return output, scores

        return asked


def _family(classes) -> list[type]:
    """The classes and all that were derived from them."""
    found, waiting = [], list(classes)
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.append(cls)
            waiting += cls.__subclasses__()
    return found


@contextmanager
def _scores(layer):
    """Neither flash attention nor, where the wish for scores is an attribute, the fused kernel."""
    kept = {
        name: getattr(layer, name) for name in ("_flash_attention", "_return_attention_scores") if hasattr(layer, name)
    }
    try:
        for name in kept:
            setattr(layer, name, name == "_return_attention_scores")
        yield
    finally:
        for name, value in kept.items():
            setattr(layer, name, value)
