"""How one layer or operation changes what a unit sees: one rule for each kind."""

import keras
from keras import layers

from dlcli.inspection import operations
from dlcli.inspection.nesting import is_activation
from dlcli.inspection.window import Window, padding_before, union

# One window for every axis of space or time; none for rows without such axes; None: everything, or unknown.
Field = tuple[Window, ...] | None

SAME_PLACE = (
    *(layers.Dense, layers.Embedding, layers.BatchNormalization, layers.LayerNormalization, layers.RMSNormalization),
    # Strictly, statistics over positions see everything; what they carry is a level, not a pattern.
    *(layers.GroupNormalization, layers.UnitNormalization, layers.Normalization, layers.Rescaling, layers.Identity),
    *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax, layers.Masking),
    *(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D, layers.AlphaDropout),
    *(layers.GaussianDropout, layers.GaussianNoise, layers.ActivityRegularization),
    # at inference these hand their input on
    *(layers.RandomFlip, layers.RandomRotation, layers.RandomZoom, layers.RandomTranslation, layers.RandomContrast),
    layers.RandomBrightness,
)
MERGES = (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
CONVOLUTIONS = (
    *(layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D),
    *(layers.SeparableConv1D, layers.SeparableConv2D),
)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
POOLINGS = (
    *(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D),
    *(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D),
)
PADDINGS = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
CROPPINGS = (layers.Cropping1D, layers.Cropping2D, layers.Cropping3D)
REPEATS = (layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D)
# These mix all positions: attention and recurrence over time, a flat vector or a mean over space.
GLOBAL = (
    *(layers.MultiHeadAttention, layers.GroupQueryAttention, layers.Attention, layers.AdditiveAttention),
    *(layers.RNN, layers.Bidirectional, layers.Flatten, layers.Permute, layers.RepeatVector, layers.Resizing),
    *(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D),
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D, layers.Dot),
)
KNOWN = (
    *(*SAME_PLACE, *MERGES, *CONVOLUTIONS, *TRANSPOSED, *POOLINGS, *PADDINGS, *CROPPINGS, *REPEATS, *GLOBAL),
    *(layers.Concatenate, layers.Reshape, layers.EinsumDense, layers.TimeDistributed),
)
_TAPS = {"nearest": 1, "bilinear": 2, "bicubic": 4, "lanczos3": 6, "lanczos5": 10}  # in units of the factor


def after(layer, fields: list[Field], inputs: list[tuple], output: tuple) -> Field:
    """What a unit of the output sees, when those of the inputs see `fields`. inputs, output: shapes."""
    if isinstance(layer, GLOBAL) or not fields:
        return None
    if isinstance(layer, (*MERGES, layers.Concatenate)):
        return merged(fields)
    if fields[0] is None:
        return None
    if isinstance(layer, SAME_PLACE):
        return fields[0]
    if isinstance(layer, layers.Reshape):
        return _reshaped(fields[0], inputs[0], output)
    if isinstance(layer, layers.EinsumDense):
        given, made = layer.equation.replace(" ", "").split("->")
        return fields[0] if made.startswith(given.split(",")[0][:-1]) else None
    if isinstance(layer, layers.TimeDistributed):
        step = after(layer.layer, [fields[0][1:]], [_without(inputs[0])], _without(output))
        return None if step is None else (fields[0][0], *step)
    return _windowed(layer, fields[0], inputs[0])


def merged(fields: list[Field]) -> Field:
    """The union over all paths; paths with fewer axes (a vector for all positions) count where they see anything."""
    if not fields or any(field is None for field in fields):
        return None
    axes = max(len(field) for field in fields)
    full = [field for field in fields if len(field) == axes]
    return tuple(union(list(windows)) for windows in zip(*full, strict=True))


def after_operation(operation, fields: list[Field], inputs: list, output) -> Field:
    """The same for an operation of keras.ops. inputs: its tensors; output: its shape."""
    name, shape = type(operation).__name__, tuple(inputs[0].shape) if inputs else ()
    if name in operations.ELEMENTWISE:
        return merged(fields)
    if not fields or any(field is None for field in fields):
        return None
    if name in operations.REDUCTIONS:
        return fields[0] if _axes(operation.axis) in ({-1}, {len(shape) - 1}) else None
    if name in operations.OVER_CHANNELS:
        return fields[0]
    if name == "Concatenate":
        return merged(fields)
    if name == "Pad":
        before = [pair[0] for pair in operation.pad_width] if len(shape) == len(operation.pad_width) else None
        return _shifted(fields[0], before[1:]) if before else None
    if name == "Matmul" and len([x for x in inputs if is_activation(x)]) == 1:
        return fields[0] if output[:-1] == shape[:-1] else None
    if name in operations.MOVES - {"Transpose", "Flip", "Repeat", "Tile"}:
        return _reshaped(fields[0], shape, output)
    return None


def _axes(axis) -> set:
    return set(axis) if isinstance(axis, list | tuple) else {axis}


def _without(shape: tuple) -> tuple:
    return (shape[0], *shape[2:])


def _shifted(field, before) -> Field:
    shifted = [window.slid(1, before=count) for window, count in zip(field, before, strict=False)]
    return (*shifted, *field[len(shifted) :])


def _reshaped(field, before: tuple, after: tuple) -> Field:
    """Unchanged where only channels are split or joined, or where rows of positions become one long row."""
    if after[1 : len(field) + 1] == before[1 : len(field) + 1] and len(after) > len(field):
        return field
    whole = None not in after[1:] and None not in before[1:]
    return field if len(after) == 3 and whole and after[-1] == before[-1] and len(before) == len(field) + 2 else None


def _windowed(layer, field, shape: tuple) -> Field:
    """Convolution, pooling, padding, cropping and up-sampling, axis by axis."""
    last = getattr(layer, "data_format", "channels_last") != "channels_first"
    sizes = shape[1:-1] if last else shape[2:]
    if len(sizes) != len(field):
        return None  # positions that were joined into one row: neighbours there are no neighbours here
    if isinstance(layer, PADDINGS):
        return _shifted(field, [_pair(pair)[0] for pair in _each(layer.padding, len(field))])
    if isinstance(layer, CROPPINGS):
        return _shifted(field, [-_pair(pair)[0] for pair in _each(layer.cropping, len(field))])
    if isinstance(layer, REPEATS):
        taps = _TAPS[getattr(layer, "interpolation", "nearest")]
        factors = _each(layer.size, len(field))
        # interpolation lies between the centres of cells
        return tuple(w.spread(taps * f, f, (taps - 1) * f // 2) for w, f in zip(field, factors, strict=True))
    if isinstance(layer, TRANSPOSED):
        return _transposed(layer, field)
    if isinstance(layer, (*CONVOLUTIONS, *POOLINGS)):
        return _slid(layer, field, sizes)
    return None


def _slid(layer, field, sizes) -> Field:
    pooling = isinstance(layer, POOLINGS)
    taps = _each(layer.pool_size if pooling else layer.kernel_size, len(field))
    dilations = _each(1 if pooling else layer.dilation_rate, len(field))
    windows = []
    for window, size, k, stride, dilation in zip(
        field, sizes, taps, _each(layer.strides, len(field)), dilations, strict=True
    ):
        covered = (k - 1) * dilation + 1
        before = {"same": padding_before(size, covered, stride), "causal": covered - 1}.get(layer.padding, 0)
        windows.append(window.slid(k, stride, dilation, before))
    return tuple(windows)


def _transposed(layer, field) -> Field:
    windows = []
    for window, k, stride, dilation in zip(
        field, layer.kernel_size, layer.strides, _each(layer.dilation_rate, len(field)), strict=True
    ):
        covered = (k - 1) * dilation + 1
        before = max(covered - stride, 0) // 2 if layer.padding == "same" else 0
        windows.append(window.spread(covered, stride, before))
    return tuple(windows)


def _each(value, count: int) -> tuple:
    """Keras keeps one number for all axes, or one for each."""
    return tuple(value) if isinstance(value, tuple | list) and len(value) == count else (value,) * count


def _pair(value) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def is_known(layer) -> bool:
    """Whether there is a rule for the layer itself, so that what it calls inside does not matter."""
    return isinstance(layer, KNOWN) or not isinstance(layer, keras.layers.Layer)
