"""Files that would run code, import modules, or open other files (C01 to C05, C20, C21)."""

import base64
import marshal

from tests.hostile.base import METADATA, dense, h5_file, keras_file, layer, model
from tests.hostile.cases import hostile, many


def program(canary) -> dict:
    """A function as Keras keeps it: its code, which would write the canary."""
    code = compile(f"lambda x: open({str(canary)!r}, 'w')", "x", "eval").co_consts[0]
    text = base64.b64encode(marshal.dumps(code)).decode()
    return {"class_name": "__lambda__", "config": {"code": text, "defaults": None, "closure": None}}


def runs(canary, **more) -> dict:
    return layer("Lambda", function=program(canary), arguments={}, **more)


@hostile("C01", "has a Lambda layer")
def lambda_in_keras(folder, canary):
    return keras_file(folder / "m.keras", model(runs(canary), dense()))


@hostile("C01", "has a Lambda layer")
def lambda_in_h5(folder, canary):
    return h5_file(folder / "m.h5", model(runs(canary), dense()))


@hostile("C01", "has a Lambda layer")
def lambda_of_keras_2(folder, canary):
    old = [program(canary)["config"]["code"], None, None]
    config = model({"class_name": "Lambda", "config": {"name": "l", "function": old, "function_type": "lambda"}}, dense())  # fmt: skip
    return h5_file(folder / "m.h5", config)


@hostile("C01", "has a Lambda layer")
def lambda_in_a_wrapper(folder, canary):
    return keras_file(folder / "m.keras", model(layer("TimeDistributed", layer=runs(canary))))


@hostile("C01", "has a Lambda layer")
def lambda_in_a_sub_model(folder, canary):
    return keras_file(folder / "m.keras", model(model(model(runs(canary)))))


@hostile("C01", "'__lambda__'")
def lambda_as_activation(folder, canary):
    return keras_file(folder / "m.keras", model(dense(activation=program(canary))))


@hostile("C01", "'__lambda__'")
def lambda_in_compile_config_of_a_sub_model(folder, canary):
    inner = model() | {"compile_config": {"optimizer": "sgd", "loss": program(canary)}}
    return keras_file(folder / "m.keras", model(inner))


@many("C02", "has a ", {name: name for name in ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")})
def foreign_layer(folder, canary, name):
    options = {"filepath": str(canary.parent), "call_endpoint": "serve", "module": "gASVAAA=", "call_fn": program(canary)}  # fmt: skip
    return keras_file(folder / "m.keras", model(layer(name, **options), dense()))


@many("C02", "has a ", {name: name for name in ("TFSMLayer", "TorchModuleWrapper")})
def foreign_layer_in_h5(folder, canary, name):
    return h5_file(folder / "m.h5", model(layer(name, filepath=str(canary.parent), module="gASVAAA="), dense()))


MODULES = {
    "os": ("os", "system"),
    "subprocess": ("subprocess", "Popen"),
    "builtins": ("builtins", "eval"),
    "unknown": ("canary_package.layers", "Layer"),
    "hub": ("keras_hub.layers", "TransformerEncoder"),
    "cv": ("keras_cv.models", "YOLO"),
    "src": ("keras.src.saving.file_editor", "KerasFileEditor"),
    "legacy": ("keras.src.legacy.layers", "RandomHeight"),
    "tests": ("keras.src.testing.test_case", "TestCase"),
}


@many("C03", "which is not one of Keras", MODULES)
def module(folder, canary, names):
    return keras_file(folder / "m.keras", model(layer(names[1], module=names[0], command="id", args=["id"]), dense()))


@hostile("C03", "which is not one of Keras")
def registered_elsewhere(folder, canary):
    """The registered name goes before the module when Keras looks for a class."""
    return keras_file(folder / "m.keras", model(layer("Dense", units=2, registered="canary_package>Layer")))


@hostile("C03", "which is not one of Keras")
def registered_as_ours(folder, canary):
    """Where nothing of that name is registered, Keras goes by the module."""
    one = layer(
        "SentencePieceTokenizer", module="keras_hub.src.tokenizers.sentence_piece_tokenizer", registered="dlcli>x"
    )
    return keras_file(folder / "m.keras", model(one, dense()))


@hostile("C04", "it names the function 'dlcli>x'")
def function_as_ours(folder, canary):
    one = {"class_name": "function", "module": "canary_package", "config": "dlcli>x", "registered_name": "function"}
    return keras_file(folder / "m.keras", model(dense(activation=one)))


@hostile("C03", "which is not one of Keras")
def module_in_h5(folder, canary):
    return h5_file(folder / "m.h5", model(layer("Popen", module="subprocess", args=["id"]), dense()))


@hostile("C03", "which is not one of Keras")
def module_of_an_initializer(folder, canary):
    bad = {"module": "canary_package.init", "class_name": "Init", "config": {}, "registered_name": None}
    return keras_file(folder / "m.keras", model(dense(kernel_initializer=bad)))


@hostile("C03", "which is not one of Keras")
def type_of_tensorflow(folder, canary):
    bad = {"class_name": "__typespec__", "spec_name": "x", "module": "canary_package", "registered_name": "x", "config": []}  # fmt: skip
    return keras_file(folder / "m.keras", model(dense(activation=bad)))


FUNCTIONS = {
    "floatx": ("keras.config", "set_floatx"),
    "unsafe": ("keras.config", "enable_unsafe_deserialization"),
    "plot": ("keras.utils", "plot_model"),
    "file": ("keras.utils", "get_file"),
    "load": ("keras.saving", "load_model"),
    "distribution": ("keras.distribution", "initialize"),
    "ops": ("keras.ops", "map"),
    "system": ("os", "system"),
}


@many("C04", "names the function", FUNCTIONS)
def function(folder, canary, names):
    bad = {"module": names[0], "class_name": "function", "config": names[1], "registered_name": names[1]}
    return keras_file(folder / "m.keras", model(dense(activation=bad)))


@many("C04", "which is not one of Keras", FUNCTIONS)
def function_as_class(folder, canary, names):
    bad = {"module": names[0], "class_name": names[1], "config": {"path": str(canary)}, "registered_name": None}
    return keras_file(folder / "m.keras", model(bad, dense()))


@many(
    "C05",
    "would open",
    {
        "path": "CANARY",
        "file": "file://CANARY",
        "http": "http://127.0.0.1:9/x",
        "gs": "gs://bucket/x",
        "hf": "hf://a/b",
    },
)
def vocabulary(folder, canary, where):
    path = where.replace("CANARY", str(canary))
    return keras_file(folder / "m.keras", model(layer("StringLookup", vocabulary=path)))


@many("C05", "would open", {name: name for name in ("IntegerLookup", "TextVectorization")})
def vocabulary_of(folder, canary, name):
    return keras_file(folder / "m.keras", model(layer(name, vocabulary=str(canary))))


@hostile("C05", "would open")
def weights_of_words(folder, canary):
    return keras_file(folder / "m.keras", model(layer("TextVectorization", vocabulary=["a"], idf_weights=str(canary))))


@hostile("C05", "would open")
def vocabulary_in_h5(folder, canary):
    return h5_file(folder / "m.h5", model(layer("StringLookup", vocabulary=str(canary))))


@hostile("C21", "made with Keras 99", late=True)
def of_a_future_keras(folder, canary):
    return keras_file(folder / "m.keras", model(dense(shine=True)), metadata=METADATA | {"keras_version": "99.1.0"})


@hostile("C21", "made with Keras 99")
def with_a_layer_of_the_future(folder, canary):
    return keras_file(folder / "m.keras", model(layer("Warp", speed=9), dense()), metadata=METADATA | {"keras_version": "99.0"})  # fmt: skip
