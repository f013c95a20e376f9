"""Floating-point operations of every layer for one example at inference: a multiply-add counts as two.

What multiplies by weights, or activations by activations:
  convolution      2 · taps · channels in / groups · values out; transposed: the same with values in
  dense            2 · channels in · values out, at every position; einsum: 2 · summed sizes · values out
  (as a layer, and as an operation of keras.ops, of which dot_product_attention is 4 · T · S · d)
  attention        four projections and 4 · T · S · d for scores and mixture of S steps, seen from T
  LSTM, GRU, RNN   8, 6 and 2 · T (d + h) h; of a cell of somebody's own, T times what one step takes
  ConvLSTM         8 · T · taps · (channels in + filters) · filters · positions out
For all else, operations per value (PER_VALUE below). Biases, activations inside a layer and moving data count
nothing; a Dense with an activation layer in it counts that too. What nobody can count is None, never 0.
"""

import math

import keras
from keras import layers, tree

from dlcli.inspection import operations, seen
from dlcli.inspection.nesting import is_activation, shape

# Operations per value of the output. Batch norm at inference is one multiply-add; layer norm takes the
# mean, the deviation, its square, and scales; a softmax exponentiates, sums and divides.
PER_VALUE = (
    ((layers.BatchNormalization, layers.Normalization, layers.Rescaling), 2),
    ((layers.LayerNormalization, layers.GroupNormalization), 5),
    ((layers.RMSNormalization, layers.UnitNormalization), 4),
    ((layers.Softmax,), 3),
    ((layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU), 1),
)
# One step of thought, whatever they are made of: an attention layer's own parts are counted and looked at with it; a
# wrapped layer is called at every step.
WHOLE = (
    *(layers.MultiHeadAttention, layers.GroupQueryAttention, layers.Attention, layers.AdditiveAttention),
    *(layers.Bidirectional, layers.TimeDistributed, layers.RNN),
)
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1, "LSTMCell": 4, "GRUCell": 3, "SimpleRNNCell": 1}
_CONVOLVED = (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
_GLOBAL_POOLINGS = (
    *(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D),
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D),
)


def flops(layer, inputs, output) -> int | None:
    """For one row of the batch; None if unknown. inputs: the tensors that went in, flat; output: what came out.

    With all that the layer calls. inputs and output may be without data.
    """
    given = [shape(x) for x in inputs if is_activation(x)]
    made = [shape(x) for x in tree.flatten(output) if hasattr(x, "shape")]
    if not given or not made or any(None in sizes[1:] for sizes in [given[0], made[0]]):
        return None
    if isinstance(layer, (*seen.KNOWN, *WHOLE, layers.CategoryEncoding)) or not isinstance(layer, layers.Layer):
        return _counted(layer, given, made[0])
    return _inside(layer, [x for x in inputs if is_activation(x)], with_layers=True)


def between_layers(layer, inputs, output) -> int | None:
    """What a layer calculates besides the layers that it calls: 0 for a model that is a graph of layers."""
    if isinstance(layer, seen.KNOWN):
        return flops(layer, inputs, output)
    graph = isinstance(layer, keras.Sequential) or (isinstance(layer, keras.Model) and hasattr(layer, "operations"))
    if graph or isinstance(layer, layers.SpectralNormalization):
        return 0
    return _inside(layer, [x for x in inputs if is_activation(x)], with_layers=False)


def _counted(layer, given: list[tuple], made: tuple) -> int | None:
    values = math.prod(made[1:])
    if isinstance(layer, layers.Dense):
        return 2 * values * given[0][-1]
    if isinstance(layer, layers.EinsumDense):
        return 2 * values * _summed(layer)
    if isinstance(layer, (*seen.CONVOLUTIONS, *seen.TRANSPOSED)):
        return _convolution(layer, given[0], made)
    if isinstance(layer, WHOLE):
        return _whole(layer, given, made)
    if isinstance(layer, seen.POOLINGS):
        return values * math.prod(_tuple(layer.pool_size, len(made) - 2))
    if isinstance(layer, _GLOBAL_POOLINGS):
        return math.prod(given[0][1:])
    if isinstance(layer, seen.MERGES):
        return values * (len(given) - 1)
    if isinstance(layer, layers.Dot):
        axes = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
        return 2 * values * given[0][axes]
    for kinds, count in PER_VALUE:
        if isinstance(layer, kinds):
            return values * (3 if _softmax(layer) else count)
    if isinstance(layer, layers.Layer):
        return 0  # dropout, reshaping, padding: nothing is calculated
    return _operation(layer, [(*sizes,) for sizes in given], made)


def _softmax(layer) -> bool:
    return isinstance(layer, layers.Activation) and layer.activation is keras.activations.softmax


def _summed(layer) -> int:
    """How many products make one value of an EinsumDense: the sizes of its kernel that the output lacks."""
    equation = layer.equation.replace(" ", "")
    left, out = equation.split("->")
    kernel = left.split(",")[1]
    return math.prod(size for letter, size in zip(kernel, layer.kernel.shape, strict=True) if letter not in out)


def _convolution(layer, given: tuple, made: tuple) -> int:
    first = layer.data_format == "channels_first"
    channels, positions = (given[1], math.prod(made[2:])) if first else (given[-1], math.prod(made[1:-1]))
    taps = math.prod(layer.kernel_size)
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        between = channels * layer.depth_multiplier
        return 2 * positions * (taps * between + between * layer.filters)
    if isinstance(layer, seen.TRANSPOSED):
        return 2 * math.prod(given[1:]) * taps * layer.filters
    if isinstance(layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)):
        return 2 * positions * taps * channels * layer.depth_multiplier
    return 2 * positions * taps * (channels // layer.groups) * layer.filters


def _whole(layer, given: list[tuple], made: tuple) -> int | None:
    if isinstance(layer, layers.TimeDistributed):
        rows = given[0][1]
        one = [keras.KerasTensor((sizes[0], *sizes[2:])) for sizes in (given[0], made)]
        step = flops(layer.layer, one[:1], one[1])
        return None if step is None else rows * step
    if isinstance(layer, layers.Bidirectional):
        both = [_recurrent(half, given[0], made) for half in (layer.forward_layer, layer.backward_layer)]
        return None if None in both else sum(both)
    if isinstance(layer, layers.RNN):
        return _recurrent(layer, given[0], made)
    return _attention(layer, given)


def _recurrent(layer, given: tuple, made: tuple) -> int | None:
    """What the cell takes for one step, times the steps; stacked cells one after the other."""
    if None in given[1:]:
        return None
    if isinstance(layer, _CONVOLVED):
        return given[1] * _convolved_step(layer, given, made[2:] if layer.return_sequences else made[1:])
    total, size = 0, given[2:]
    for cell in getattr(layer.cell, "cells", [layer.cell]):
        step = _step(cell, size)
        if step is None:
            return None
        total += given[1] * step
        size = tree.flatten(getattr(cell, "output_size", cell.state_size))[:1]
    return total


def _step(cell, size: tuple | list) -> int | None:
    """2 (d + h) h for every gate; of a cell of somebody's own, the operations that it is made of."""
    if type(cell).__name__ in _GATES:
        return 2 * _GATES[type(cell).__name__] * (size[0] + cell.units) * cell.units
    states = tree.flatten(cell.state_size)
    tensors = [keras.KerasTensor((1, *size)), *(keras.KerasTensor((1, state)) for state in states)]
    return _inside(cell, tensors, with_layers=True, arranged=lambda given: [given[0], given[1:]])


def _convolved_step(layer, given: tuple, made: tuple) -> int:
    """Four gates by a convolution of the input, and by one of the state that keeps its size."""
    first = layer.data_format == "channels_first"
    channels, positions = (given[2], made[1:]) if first else (given[-1], made[:-1])
    return 8 * math.prod(layer.kernel_size) * (channels + layer.filters) * layer.filters * math.prod(positions)


def _attention(layer, given: list[tuple]) -> int | None:
    query, value = given[0], given[1] if len(given) > 1 else given[0]
    if None in value[1:]:
        return None
    if isinstance(layer, (layers.Attention, layers.AdditiveAttention)):
        per_pair = (3 if isinstance(layer, layers.AdditiveAttention) else 2) + 2  # scores, then the mixture
        return query[1] * value[1] * query[-1] * per_pair
    rows, steps = math.prod(query[1:-1]), math.prod(value[1:-1])
    if isinstance(layer, layers.GroupQueryAttention):
        heads, key_size, value_size = layer.num_query_heads, layer.head_dim, layer.head_dim
        from_query = [layer._query_dense, *([layer._gate_dense] if getattr(layer, "use_gate", False) else [])]
    else:
        heads, key_size, value_size = layer.num_heads, layer.key_dim, layer.value_dim
        from_query = [layer._query_dense]
        if len(query) > 3 and len(layer._attention_axes) < len(query) - 2:
            return None  # attention along some axes only
    from_value = [layer._key_dense, layer._value_dense]
    projected = rows * sum(_weights(x) for x in [*from_query, layer._output_dense])
    projected += steps * sum(_weights(x) for x in from_value)
    return 2 * projected + 2 * rows * steps * heads * (key_size + value_size)


def _weights(layer) -> int:
    return math.prod(layer.kernel.shape)


def _inside(layer, inputs: list, *, with_layers: bool, arranged=None) -> int | None:
    """Somebody's own layer: the sum over the operations of keras.ops that it is made of."""
    found = operations.inside(layer, inputs, arranged)
    if found is None:
        return None
    total = 0
    for operation, given, made in found.steps:
        if isinstance(operation, layers.Layer):
            count = flops(operation, given, made) if with_layers else 0
        else:
            count = _operation(operation, [shape(x) for x in given], shape(made[0]))
        if count is None:
            return None
        total += count
    return total


def _operation(operation, given: list[tuple], made: tuple) -> int | None:
    name = type(operation).__name__
    if name in operations.MOVES or name in ("Cast", "Copy", "Identity", "StopGradient", "ZerosLike", "OnesLike"):
        return 0
    if name in operations.ELEMENTWISE:
        return math.prod(made[1:])
    if name in operations.REDUCTIONS:
        return math.prod(given[0][1:])
    if name in operations.OVER_CHANNELS:
        return (5 if "Norm" in name else 3) * math.prod(made[1:])
    if name == "Matmul":
        return 2 * math.prod(made[1:]) * given[0][-1]
    if name == "Einsum":
        return _einsum(operation.subscripts, given, made)
    if name == "DotProductAttention" and len(given) > 2:
        query, key, value = given[:3]  # (B, T, heads, d), (B, S, heads, d)
        return 2 * query[1] * key[1] * query[2] * (query[3] + value[3])
    return None


def _einsum(subscripts: str, given: list[tuple], made: tuple) -> int | None:
    """2 for each product that is summed up, 1 for each that is not; None for a sum over more than two tensors, whose
    order nobody knows."""
    left, arrow, out = subscripts.replace(" ", "").partition("->")
    operands = left.split(",")
    if not arrow or len(operands) != len(given) or len(operands) > 2:
        return None
    sizes: dict[str, int] = {}
    for letters, shape_ in zip(operands, given, strict=True):
        before, _, after = letters.partition("...")  # what the dots stand for is in the output as well
        sizes |= dict(zip(before, shape_, strict=False)) | dict(zip(after[::-1], shape_[::-1], strict=False))
    summed = [size for letter, size in sizes.items() if letter not in out]
    values = math.prod(made[1:])
    return 2 * values * math.prod(summed) if summed else values * (len(operands) - 1)


def _tuple(value, count: int) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count
