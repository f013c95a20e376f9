"""What a layer does inside, when it is made of keras.ops: its operations, found without data."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import tree


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# One value of the output needs values of the inputs at its own position only.
ELEMENTWISE = _words(
    "Abs Absolute Add Average Cast Ceil Clip Copy Cos Divide DivideNoNan Elu Equal Erf Exp Expm1 Floor Gelu Greater "
    "GreaterEqual HardSigmoid HardSilu HardTanh Identity LeakyRelu Less LessEqual Log Log1p LogSigmoid LogicalAnd "
    "LogicalNot LogicalOr Maximum Minimum Multiply NanToNum Negative NotEqual OnesLike Power Reciprocal Relu Relu6 "
    "Round Rsqrt Selu Sigmoid Sign Silu Sin Softplus Softsign Sqrt Square StopGradient Subtract Tanh TrueDivide Where "
    "ZerosLike"
)
REDUCTIONS = _words("All Amax Amin Any Max Mean Min Norm Prod Std Sum Var Logsumexp")
OVER_CHANNELS = _words("Softmax LogSoftmax LayerNorm RMSNorm Normalize Glu")
MOVES = _words("BroadcastTo Concatenate ExpandDims Flip GetItem Pad Repeat Reshape Squeeze Stack Tile Transpose")


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A call as operations. steps: (operation, its inputs, its outputs), in order; all are KerasTensors."""

    inputs: list
    steps: list[tuple]
    outputs: list


def inside(layer, inputs, arranged: Callable | None = None) -> Inside | None:
    """The operations of a layer's call; None if it cannot be run on shapes alone. inputs: tensors, flat.

    arranged: how they become the arguments; by default as one list, or else one by one.
    """
    tensors = [keras.KerasTensor(tuple(x.shape), keras.backend.standardize_dtype(x.dtype)) for x in inputs]
    parts = [(part, len(part._inbound_nodes), len(part._outbound_nodes)) for part in layer._flatten_layers()]
    try:
        for arguments in [arranged(tensors)] if arranged else ([tensors], tensors)[len(tensors) < 2 :]:
            found = _run(layer, tensors, arguments)
            if found is not None:
                return found
        return None
    finally:
        for part, called, used in parts:  # the model's graph stays as it was
            del part._inbound_nodes[called:], part._outbound_nodes[used:]


def _run(layer, tensors: list, arguments: list) -> Inside | None:
    layer.__dict__["add_loss"] = lambda loss: None  # Keras refuses a loss without data; only training needs it
    try:
        # Losses and updates of the call must not stay in the model.
        with keras.StatelessScope(collect_losses=True):
            outputs = tree.flatten(layer.call(*arguments))
    except Exception:  # somebody else's code: whatever it raises, the answer is "unknown"
        return None
    finally:
        del layer.__dict__["add_loss"]
    done: dict[int, tuple] = {}
    known = {id(x) for x in tensors}
    if not all(_collect(x, known, done) for x in outputs):
        return None
    return Inside(inputs=tensors, steps=list(done.values()), outputs=outputs)


def _collect(tensor, known: set[int], done: dict) -> bool:
    """Every operation that the tensor comes from, the first one first; False where the trail is lost."""
    if id(tensor) in known:
        return True
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return False
    node = history.operation._inbound_nodes[history.node_index]
    if id(node) in done:
        return True
    if not all(_collect(x, known, done) for x in node.input_tensors):
        return False
    done[id(node)] = (history.operation, node.input_tensors, node.output_tensors)
    return True
