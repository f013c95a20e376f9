"""The configuration of a model, read as data: whom it names, how large it is, and what it would open."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from dlcli.safety import classes, limits
from dlcli.safety.refusal import damaged, refused, shown, told

# Package that dlcli's own layers are registered under.
OWN = "dlcli>"
# What arrays in a configuration may hold. NumPy would also take '(1000000,)f4': a memory bomb of one word.
_NUMBERS = {"bool", "bfloat16"} | {f"float{n}" for n in (16, 32, 64)} | {f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)}  # fmt: skip
# What stands for a value and makes nothing that could run.
_MARKS = {"__keras_tensor__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__", "TensorShape"}
# Keys whose text is a file that a layer would open.
_FILES = {"vocabulary", "idf_weights", "filepath"}
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://")
# Options that say how often a layer does something while it is made; TextVectorization writes all of `ngrams` down.
_REPEATED = ("ngrams", "num_ops", "num_chains", "chain_depth")
_MOST_REPEATED = 1000
_CALLED = classes.MODELS | classes.CLASSES["keras.layers"]
_WIDEST_STATE = 1 << 26  # numbers that the kept state of a recurrent layer may have
_LARGEST = 1 << 28  # numbers in one input that is declared


@dataclass
class Found:
    """layers, calls: how many.  least: numbers that its weights must have at least.  names: classes by module.
    batch: the largest that is declared.  state: units of the widest layer that keeps one for each example of it."""

    layers: int = 0
    calls: int = 0
    least: int = 0
    batch: int = 1
    state: int = 1
    own: bool = False
    names: set[str] = field(default_factory=set)


def examined(config: Any, path, *, named: frozenset[str], legacy: bool = False) -> Found:
    """What a parsed configuration asks for.

    named: packages of the user's own, which they named themselves, and
    registered names of classes that are imported already.

    legacy: of an HDF5 file, where classes are named without their modules.
    Raises: DlcliError (exit code 4) for what no honest model has.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str) or "config" not in config:
        what = f"a {type(config).__name__}" if config or not isinstance(config, dict) else "empty"
        raise damaged(path, f"its configuration is {what} and no model", "save the whole model: model.save(PATH).")
    name = config["class_name"]
    _names(config, path)
    own = name not in classes.MODELS and (config.get("registered_name") or "").partition(">")[1]
    if name not in classes.MODELS and not own and name in classes.BARE | classes.CODE.keys():
        _named(config, path, named, legacy, Found())
        raise damaged(path, f"it holds a {name} and no model", "put it into a model, and save that.")
    found = Found()
    level: list[tuple[str, Any]] = [("", config)]
    while level:  # depth is bounded where it was parsed
        inner: list[tuple[str, Any]] = []
        for key, value in level:
            if isinstance(value, dict):
                if "class_name" in value:
                    _named(value, path, named, legacy, found)
                if not legacy:
                    _fed(value.get("inbound_nodes"), value, path)
                inner.extend(value.items())
            elif isinstance(value, list):
                inner.extend(("", item) for item in value)
            elif isinstance(value, str) and key and (key in _FILES or _REMOTE.match(value)):
                raise refused(path, f"a layer in it would open {shown(value)} ({shown(key)})", "a model needs no file.")
        level = inner
    if found.layers > limits.LAYERS:
        raise refused(path, f"it has {found.layers:,} layers, and {limits.LAYERS:,} are allowed")
    _calls(config, path, found)
    return found


def _named(value: dict, path, named: frozenset[str], legacy: bool, found: Found) -> None:
    """One object of the configuration: its class, and what is known to be wrong with objects of that class."""
    name, inner = value["class_name"], value.get("config")
    _names(value, path)
    if name in classes.CODE:
        raise refused_class(path, name)
    if name in ("__numpy__", "__tensor__"):
        _array(inner, path)
        return
    if name in _MARKS:
        return
    module, registered = value.get("module"), value.get("registered_name")
    if name == "function":
        _function(value, path, named)
        return
    if not isinstance(inner, dict | list | str | type(None)):
        raise damaged(path, f"the configuration of {shown(name)} is {shown(inner)}")
    if registered and ">" in registered and registered != name:
        if registered.startswith(OWN) and _ours(module):
            found.own = True
        elif registered not in named and not _users(module, named):
            raise unknown(path, name, module, registered)
        found.names.add(registered)
    elif module is None or (legacy and module == "builtins"):
        if name not in classes.BARE and not (legacy and name in named):
            raise unknown(path, name, module, registered)
        found.names.add(name)
    elif classes.is_known(str(module), name) and registered in (None, name):
        found.names.add(f"{module}.{name}")
    elif not _users(module, named):
        raise unknown(path, name, module, registered)
    if isinstance(inner, dict):
        _layer(name, inner, path, found)


def _names(value: dict, path) -> None:
    """Raises: DlcliError (exit code 4) where the names of an object are no text."""
    for key in ("class_name", "module", "registered_name"):
        if not isinstance(value.get(key), str | None):
            raise refused(path, f"the {key} of an object in it is {shown(value[key])} and no text")


def refused_class(path, name: str):
    """The refusal of a layer that is code."""
    layer = name if name.endswith("Layer") else f"{name} layer"
    hint = "put a layer of Keras in its place, and save the model again."
    return told(f"{path} has a {layer}: {classes.CODE[name]}.", hint)


def unknown(path, name: str, module, registered):
    """The refusal of a class that is not on the list. It is not looked for: that would import its module."""
    where = "" if module in (None, "builtins", "keras.layers") else f" (of {shown(module)})"
    if registered and registered != name:
        where = f" (registered as {shown(registered)})"
    hint = "save the model with layers that Keras has; DLCLI_MODULES names packages of your own."
    return told(f"{path} has a layer {shown(name)}, which is not one of Keras{where}.", hint)


def _users(module, named: frozenset[str]) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in named


def _ours(module) -> bool:
    """Whether Keras would look nowhere else than in dlcli for what is registered under its name."""
    return module in (None, "builtins") or (isinstance(module, str) and module.partition(".")[0] == "dlcli")


def _function(value: dict, path, named: frozenset[str]) -> None:
    name, module = value.get("config"), value.get("module")
    if isinstance(name, str) and (
        classes.is_function(str(module), name)
        or (name.startswith(OWN) and _ours(module))
        or name in named
        or _users(module, named)
    ):
        return
    raise refused(path, f"it names the function {shown(name)} of {shown(module)}", "only activations, losses and metrics of Keras may be named.")  # fmt: skip


def _fed(nodes, value: dict, path) -> None:
    """Raises: DlcliError (exit code 4) for a step that is fed with numbers alone: it would be computed while the model
    is built, whatever that takes."""
    for node in nodes if isinstance(nodes, list) else []:
        if isinstance(node, dict) and (node.get("args") or node.get("kwargs")) and not _holds_tensor(node):
            raise refused(path, f"{shown(value.get('name'))} in it is computed from numbers that stand there")


def _holds_tensor(value) -> bool:
    level = [value]
    while level:
        if any(isinstance(item, dict) and item.get("class_name") == "__keras_tensor__" for item in level):
            return True
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return False


def _array(inner, path) -> None:
    """Numbers as they stand there: what they unpack to is no more than their text."""
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    if dtype not in _NUMBERS:
        raise refused(path, f"an array in its configuration is of type {shown(dtype)}")
    level = [inner.get("value")]
    while level:
        if not all(isinstance(item, list | int | float | None) for item in level):
            raise refused(path, "an array in its configuration holds something else than numbers")
        level = [inside for item in level if isinstance(item, list) for inside in item]


def _layer(name: str, config: dict, path, found: Found) -> None:
    if name in classes.CLASSES["keras.layers"]:
        found.layers += 1
        found.least += _least(name, config)
    for key in _REPEATED:
        numbers = config.get(key) if isinstance(config.get(key), list) else [config.get(key)]
        if any(isinstance(one, int | float) and one > _MOST_REPEATED for one in numbers):
            raise refused(path, f"{key} of a {name} in it is {shown(config[key])}, more than {_MOST_REPEATED:,}")
    shapes = [config.get(key) for key in ("batch_shape", "batch_input_shape", "build_input_shape", "shape")]
    shapes = [shape for shape in shapes if isinstance(shape, list) and shape]
    found.batch = max([found.batch, *(shape[0] for shape in shapes if type(shape[0]) is int)])
    units = config.get("units", config.get("filters", 1))
    if config.get("stateful") and isinstance(units, int):
        found.state = max(found.state, units)
    if found.batch * found.state > _WIDEST_STATE:
        raise refused(path, f"{shown(config.get('name'))} in it takes {found.batch:,} examples at once")
    for shape in shapes:  # layers may make something of that size when they are built
        if math.prod(side for side in shape if type(side) is int and side > 0) > _LARGEST:
            raise refused(
                path, f"{shown(config.get('name'))} in it takes {shown(shape)}, more than {_LARGEST:,} numbers"
            )


def _least(name: str, config: dict) -> int:
    """Numbers that a layer's weights have whatever goes into it. Wrong types are for Keras to tell."""

    def size(key: str, default: int = 1) -> int:
        value = config.get(key, default)
        return value if type(value) is int and value > 0 else default

    if name == "Embedding":
        return size("input_dim") * size("output_dim")
    if name == "ReversibleEmbedding":
        return size("input_dim") * size("output_dim")
    if name in ("Dense", "MultiHeadAttention", "GroupQueryAttention"):
        return size("units") if name == "Dense" else size("num_heads") * size("key_dim", size("head_dim"))
    gates = {"SimpleRNN": 1, "SimpleRNNCell": 1, "LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3}.get(name)
    if gates:
        return gates * size("units") * (size("units") + 1)
    if name.startswith(("Conv", "Separable", "Depthwise")) and not name.startswith("ConvLSTM"):
        kernel = config.get("kernel_size")
        kernel = kernel if isinstance(kernel, list) else [kernel]
        places = 1
        for side in kernel:
            places *= side if type(side) is int and side > 0 else 1
        if name.startswith(("Separable", "Depthwise")):
            return places * size("depth_multiplier")
        return places * size("filters")
    return 0


def _calls(config: dict, path, found: Found) -> None:
    """How often layers are called while the model is built again: models within models multiply."""
    found.calls = _cost(config)
    if found.calls > limits.CALLS:
        raise refused(path, f"building it calls its layers {min(found.calls, 10**12):,} times or more")


def _cost(value: Any) -> int:
    """Calls of one object and of all that it holds; what a graph calls often counts as often."""
    if isinstance(value, list):
        return min(sum(_cost(item) for item in value), 10**15)
    if not isinstance(value, dict):
        return 0
    nodes = value.get("inbound_nodes")
    inside = sum(_cost(item) for key, item in value.items() if key != "inbound_nodes")
    times = len(nodes) + 1 if isinstance(nodes, list) and len(nodes) > 1 else 1
    called = "inbound_nodes" in value or value.get("class_name") in _CALLED
    return min((inside + called) * times, 10**15)
