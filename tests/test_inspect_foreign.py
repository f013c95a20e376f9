"""Models that nobody here trained: every kind is taken apart, or one sentence says why not."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import shared
from keras import layers, ops
from PIL import Image

from dlcli import finished, pretrained, reference
from dlcli.errors import MODEL, DlcliError
from dlcli.inspection import foreign, measuring, tap
from dlcli.rundir import finite


def document(text: str, *, budget: str = "static", **options) -> dict:
    """What `inspect-layers TEXT --json` would print."""
    subject = foreign.subject(reference.parse(str(text)), None, part="", samples=32, seed=0, pixels=None, **options)
    found = measuring.inspect(subject, budget=budget, only=[], seed=0)
    found = found[0] if isinstance(found, tuple) else found
    return json.loads(json.dumps(finite(found)))


def saved(model, folder, name: str = "model.keras"):
    model.save(folder / name)
    return folder / name


@pytest.fixture
def zeros(monkeypatch):
    """Large models are built with zeros: drawing 25 million random numbers takes longer than the test."""
    monkeypatch.setattr(
        keras.initializers.VarianceScaling, "__call__", lambda self, shape, dtype=None, **_: ops.zeros(shape, dtype)
    )


# Name, options, parameters of the whole network (the papers' and Keras' own tables), a layer and its receptive field.
APPLICATIONS = [
    ("MobileNet", ",input=128", 4_253_864),
    pytest.param("MobileNetV2", ",input=96", 3_538_984, marks=pytest.mark.slow),
    pytest.param("MobileNetV3Small", ",input=96", 2_554_968, marks=pytest.mark.slow),
    pytest.param("ResNet50", ",input=64", 25_636_712, marks=pytest.mark.slow),
    pytest.param("ResNet50V2", ",input=64", 25_613_800, marks=pytest.mark.slow),
    pytest.param("DenseNet121", ",input=64", 8_062_504, marks=pytest.mark.slow),
    pytest.param("EfficientNetB0", ",input=64", 5_330_571, marks=pytest.mark.slow),
    pytest.param("EfficientNetV2B0", ",input=64", 7_200_312, marks=pytest.mark.slow),
    pytest.param("Xception", ",input=96", 22_910_480, marks=pytest.mark.slow),
    pytest.param("InceptionV3", ",input=96", 23_851_784, marks=pytest.mark.slow),
    pytest.param("NASNetMobile", ",input=224", 5_326_716, marks=pytest.mark.slow),
    pytest.param("ConvNeXtTiny", ",input=64", 28_589_128, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "options", "parameters"), APPLICATIONS)
def test_an_application_is_taken_apart_without_data(name, options, parameters, zeros):
    """All parameters have a row, every row a type and a shape, and the work is counted throughout."""
    found = document(f"keras:{name}{options}")
    assert found["model"]["parameters"] == parameters
    assert sum(row["parameters"] for row in found["layers"] if row["depth"] == 0) == parameters
    assert all(row["type"] and len(row["output_shape"]) >= 2 for row in found["layers"])
    assert found["model"]["flops"] > 1e7
    assert not [warning for warning in found["warnings"] if "not counted" in warning]
    assert found["model"]["family"] == "cnn"
    assert found["seconds"]["total"] > 0
    assert all(not row["measured"] for row in found["layers"])


@pytest.mark.slow
def test_random_pixels_go_through_mobilenet():
    """At budget fast, with pixels that mean nothing: every place has units, geometry and a time."""
    subject = foreign.subject(
        reference.parse("keras:MobileNet,alpha=0.25,input=96"), None, part="", samples=32, seed=0, pixels=None
    )
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 96, 3)).astype("float32")
    subject.read, subject.count = (lambda rows: pixels[rows] / 127.5 - 1), len(pixels)
    found = measuring.inspect(subject, budget="fast", only=[], seed=0)[0]
    measured = [row for row in found["layers"] if row["measured"]]
    assert len(measured) == 28
    assert all(row["units"]["count"] == row["output_shape"][-1] for row in measured)
    assert all(row["milliseconds"] > 0 for row in measured)
    assert np.shape(found["cka"]["matrix"]) == (28, 28)
    assert found["gates"]


# Models as people make them


def test_two_inputs(tmp_path):
    """A model of two inputs is listed with both, and every weight is counted."""
    left, right = keras.Input((4,), name="left"), keras.Input((6, 2), name="right")
    joined = layers.Concatenate(name="both")([layers.Dense(3, name="a")(left), layers.LSTM(3, name="b")(right)])
    model = keras.Model({"left": left, "right": right}, layers.Dense(2, name="head")(joined), name="m")
    found = document(saved(model, tmp_path))
    assert found["model"]["input_shape"] == [[None, 4], [None, 6, 2]]
    assert [row["name"] for row in found["layers"]] == ["a", "b", "both", "head"]
    assert sum(row["parameters"] for row in found["layers"]) == model.count_params()


def test_a_siamese_tower_counts_its_weights_once(tmp_path):
    """Two calls of one tower are two rows with the work of each, and the weights with the first."""
    inputs = keras.Input((8, 8, 1))
    tower = keras.Model(inputs, layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3, name="conv")(inputs)), name="tower")
    one, two = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    model = keras.Model([one, two], layers.Dense(1, name="head")(layers.Subtract(name="less")([tower(one), tower(two)])), name="m")  # fmt: skip
    found = document(saved(model, tmp_path))
    convolutions = [row for row in found["layers"] if row["name"] in ("conv", "conv#1")]
    assert [row["parameters"] for row in convolutions] == [40, 0]
    assert [row["flops"] for row in convolutions] == [convolutions[0]["flops"]] * 2
    assert [row["calls"] for row in convolutions] == [2, 2]
    assert len({row["path"] for row in convolutions}) == len({row["name"] for row in convolutions}) == 2
    assert sum(row["parameters"] for row in found["layers"] if row["depth"] == 0) == model.count_params()


@keras.saving.register_keras_serializable("tests")
class Backbone(keras.Model):
    """As KerasHub writes them: functional inside, with named outputs."""

    def __init__(self, width=4, **kwargs):
        inputs = keras.Input((16, 16, 3), name="images")
        x = layers.Conv2D(width, 3, strides=2, padding="same", name="stem")(inputs)
        y = layers.Conv2D(2 * width, 3, strides=2, padding="same", name="stage")(x)
        super().__init__(inputs=inputs, outputs={"low": x, "high": y}, **kwargs)
        self.width = width

    def get_config(self):
        return {"width": self.width, "name": self.name}


@keras.saving.register_keras_serializable("tests")
class Called(keras.Model):
    """Only `call` is written."""

    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.conv = layers.Conv2D(width, 3, name="conv")
        self.head = layers.Dense(2, name="head")

    def build(self, input_shape):
        self.conv.build(input_shape)
        self.head.build((None, self.width))
        self.built = True

    def call(self, x):
        return self.head(ops.mean(self.conv(x), axis=(1, 2)))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable("tests")
class Shift(layers.Layer):
    """A layer with a weight of its own."""

    def build(self, shape):
        self.by = self.add_weight(name="by", shape=(shape[-1],))

    def call(self, x):
        return x + self.by


def test_a_backbone_with_named_outputs(tmp_path):
    """Both outputs are listed, and its layers are those of the functional model inside."""
    model = Backbone(name="backbone")
    found = document(saved(model, tmp_path))
    assert {row["name"] for row in found["layers"]} >= {"stem", "stage"}
    assert sorted(map(tuple, found["model"]["output_shape"])) == [(None, 4, 4, 8), (None, 8, 8, 4)]
    assert sum(row["parameters"] for row in found["layers"] if row["depth"] == 0) == model.count_params()
    again = document(saved(model, tmp_path), budget="standard")
    assert [row["name"] for row in again["layers"] if row["measured"]] == ["stem", "stage"]


def test_a_model_of_which_only_call_is_written(tmp_path):
    """What it was built for is in the file, and is enough."""
    model = Called(name="called")
    expected = model(np.ones((2, 8, 8, 3), "float32"))
    file = saved(model, tmp_path)
    opened = pretrained.load(reference.parse(str(file))).model
    assert np.allclose(opened(np.ones((2, 8, 8, 3), "float32")), expected)
    found = document(file)
    assert {row["name"] for row in found["layers"]} >= {"conv", "head"}
    assert found["model"]["parameters"] == model.count_params()
    assert found["model"]["input_shape"] == [None, 8, 8, 3]


def test_a_model_that_never_saw_an_input_is_a_sentence():
    """Without any shape there is nothing to trace."""
    with pytest.raises(DlcliError, match="does not say what goes into it") as caught:
        tap.traced(Called(name="called"))
    assert "save" in caught.value.hint


def test_a_registered_layer_is_listed_with_its_weights(tmp_path):
    """What it costs nobody knows, and the document says so."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="dense"), Shift(name="shift")], name="m")
    found = document(saved(model, tmp_path))
    row = next(row for row in found["layers"] if row["name"] == "shift")
    assert (row["type"], row["parameters"], row["output_shape"]) == ("Shift", 4, [None, 4])


def test_a_sequential_inside_a_functional_model(tmp_path):
    """Layers of equal names at two depths are two rows."""
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.ReLU()], name="inner")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="conv")(inner(inputs)), name="outer")
    found = document(saved(model, tmp_path))
    assert [(row["path"], row["depth"]) for row in found["layers"] if row["name"] == "conv"] == [
        ("outer/inner/conv", 1),
        ("outer/conv", 0),
    ]


def test_a_model_that_scales_its_pixels_gets_bytes(tmp_path):
    """And one that does not gets 0..1, unless the user knows better."""
    own = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(2, 3)])
    plain = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3)])
    white = np.full((1, 8, 8, 3), 255, "float32")
    scales = {}
    for name, model, pixels in (("own", own, None), ("plain", plain, None), ("said", plain, "-1..1")):
        opened = pretrained.load(reference.parse(str(saved(model, tmp_path, f"{name}.keras"))), pixels=pixels)
        scales[name] = (opened.scaled, float(opened.scale(white).max()), float(opened.scale(0 * white).min()))
    assert scales == {"own": ("0..255", 255, 0), "plain": ("0..1", 1, 0), "said": ("-1..1", 1, -1)}
    assert set(reference.PIXELS) == set(pretrained.RANGES)


# What cannot be read


def unreadable(kind: str, folder):
    dense = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    if kind == "SavedModel":
        (folder / "saved").mkdir()
        (folder / "saved" / "saved_model.pb").write_bytes(b"")
        return folder / "saved"
    if kind == "folder":
        (folder / "empty").mkdir()
        return folder / "empty"
    if kind == "weights":
        dense.save_weights(folder / "dense.weights.h5")
        return folder / "dense.weights.h5"
    if kind == "renamed weights":
        dense.save_weights(folder / "dense.weights.h5")
        return (folder / "dense.weights.h5").rename(folder / "dense.h5")
    if kind == "random bytes":
        (folder / "random.keras").write_bytes(np.random.default_rng(0).bytes(999))
        return folder / "random.keras"
    if kind == "random h5":
        (folder / "random.h5").write_bytes(np.random.default_rng(0).bytes(999))
        return folder / "random.h5"
    if kind == "cut off":
        whole = saved(dense, folder)
        whole.write_bytes(whole.read_bytes()[:2000])
        return whole
    if kind == "Lambda":
        return saved(keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: 2 * x)]), folder)
    if kind == "unknown layer":

        class Unknown(layers.Layer):
            def call(self, x):
                return x

        return saved(keras.Sequential([keras.Input((3,)), Unknown()]), folder)
    if kind == "pickle":
        (folder / "model.pkl").write_bytes(b"\x80\x04.")
        return folder / "model.pkl"
    return folder / "missing.keras"


@pytest.mark.parametrize(
    ("kind", "code", "sentence", "hint"),
    [
        ("SavedModel", MODEL, "is a TensorFlow SavedModel", r"\.keras"),
        ("folder", 1, "is no run directory", "MODEL is"),
        ("weights", MODEL, "holds weights and no architecture", "keras:NAME:"),
        ("renamed weights", MODEL, "holds weights and no architecture", "keras:NAME:"),
        ("random bytes", MODEL, "no zip archive", "whole"),
        ("random h5", MODEL, "could not be read", "whole"),
        ("cut off", MODEL, "no zip archive", "whole"),
        ("Lambda", MODEL, "has a Lambda layer", "layer of Keras"),
        ("unknown layer", MODEL, "has a layer 'Unknown', which is not one of Keras", "save"),
        ("pickle", MODEL, "is not a model file that Keras reads", "MODEL is"),
        ("missing", 1, "there is no model", "MODEL is"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_that_says_why(kind, code, sentence, hint, tmp_path):
    """With the file's name, the exit code of a model that cannot be read (or of a mistake), and a way forward."""
    file = unreadable(kind, tmp_path)
    with pytest.raises(DlcliError, match=sentence) as caught:
        pretrained.load(reference.parse(str(file)))
    assert caught.value.code == code
    assert str(file) in caught.value.message
    assert "\n" not in caught.value.message
    assert "  " not in caught.value.message
    assert len(caught.value.message) < len(str(file)) + 260
    assert hint.replace("\\", "") in caught.value.hint


def test_a_lambda_does_not_run_its_code(tmp_path):
    """Reading a model must not run what a stranger wrote into it."""
    file = unreadable("Lambda", tmp_path)
    with pytest.raises(DlcliError):
        finished.model(file)
    assert not keras.config.__dict__.get("unsafe", False)


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("keras:ResNt50", "has no 'ResNt50'", "did you mean 'ResNet50'"),
        ("keras:MobileNet,alfa=1", "has no option 'alfa'", "alpha"),
        ("keras:MobileNet,alpha=small", "alpha='small' is no number", ""),
        ("keras:MobileNet,alpha", "is not OPTION=VALUE", "alpha=0.25"),
        ("keras:MobileNet:no/such.h5", "there is no weights file 'no/such.h5'", "imagenet"),
        ("keras:", "names no architecture", "keras:ResNet50"),
        ("keras:ResNet50,input=8", "cannot be built", ""),
    ],
)
def test_a_wrong_name_is_one_sentence(text, sentence, hint):
    """Of an architecture, an option, a value, a weights file."""
    with pytest.raises(DlcliError, match=sentence) as caught:
        pretrained.load(reference.parse(text))
    assert hint in caught.value.hint


# Weights that others published


@pytest.mark.parametrize(
    ("file", "alpha", "side"),
    [
        ("mobilenet_v1_0.25_128_imagenet_dequantized.weights.h5", 0.25, 128),
        pytest.param("mobilenet_v1_0.5_160_imagenet_dequantized.weights.h5", 0.5, 160, marks=pytest.mark.slow),
    ],
)
def test_published_mobilenets_give_probabilities(file, alpha, side):
    """The weights fit, and of random pixels the answer is finite, sums to 1, and depends on them."""
    path = shared(f"weights/derived-keras-imagenet/{file}")
    opened = pretrained.load(reference.parse(f"keras:MobileNet,alpha={alpha},input={side}:{path}"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype("float32")
    pixels[1] = 40
    answers = np.asarray(opened.model(opened.scale(pixels)))
    assert answers.shape == (2, 1000)
    assert np.isfinite(answers).all()
    assert answers.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert answers.min() >= 0
    assert np.abs(answers[0] - answers[1]).max() > 0.01
    assert opened.scaled == "by its own preprocess_input"
    assert float(opened.scale(np.zeros((1, 2, 2, 3), "float32")).min()) == -1


def test_published_mobilenets_know_a_cat():
    """The weights stand where they belong: of a picture of a cat, one of the five best answers is a cat's class."""
    path = shared("weights/derived-keras-imagenet/mobilenet_v1_0.25_128_imagenet_dequantized.weights.h5")
    picture = Image.open(shared("weights/squeezenet/cat.jpeg")).convert("RGB").resize((128, 128))
    opened = pretrained.load(reference.parse(f"keras:MobileNet,alpha=0.25,input=128:{path}"))
    answers = np.asarray(opened.model(opened.scale(np.asarray(picture, "float32")[None])))[0]
    assert set(answers.argsort()[-5:]) & set(range(281, 288))  # tabby to lynx


def test_weights_that_do_not_fit_are_a_sentence():
    """Of another width: the way forward names the option that decides."""
    path = shared("weights/derived-keras-imagenet/mobilenet_v1_0.25_128_imagenet_dequantized.weights.h5")
    with pytest.raises(DlcliError, match="do not fit MobileNet") as caught:
        pretrained.load(reference.parse(f"keras:MobileNet,alpha=0.5,input=128:{path}"))
    assert caught.value.code == MODEL
    assert "alpha=0.25" in caught.value.hint


@pytest.mark.parametrize(
    ("file", "parameters", "shape", "side"), [("pretrainedResnet", 78_666, 10, 32), ("vww_96", 221_794, 2, 96)]
)
def test_models_of_keras_2_are_read(file, parameters, shape, side):
    """Also one with the key `groups` that today's depthwise convolutions refuse: it stays of Keras' own class."""
    found = pretrained.load(reference.parse(str(shared(f"weights/mlperf-tiny/{file}.h5")))).model
    assert found.count_params() == parameters
    assert all(type(layer).__module__.startswith("keras.") for layer in found.layers)
    pixels = np.random.default_rng(0).random((2, side, side, 3)).astype("float32")
    answers = np.asarray(found(pixels))
    assert answers.shape == (2, shape)
    assert answers.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert np.abs(answers[0] - answers[1]).max() > 1e-4


def test_an_old_depthwise_convolution_keeps_all_but_the_key(tmp_path):
    """The same file with and without `groups` is the same model."""
    import h5py

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, use_bias=False, name="deep")]
    )
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(Exception, match="groups"):  # or the test would test nothing
        keras.saving.load_model(tmp_path / "model.h5", compile=False)
    found = finished.model(tmp_path / "model.h5")
    assert found.layers[-1].get_config() == model.layers[-1].get_config()
    x = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    assert np.array_equal(found(x), model(x))


def test_a_squeezenet_without_architecture_is_a_sentence():
    """An .h5 that holds weights alone says so, whatever it is called."""
    path = shared("weights/squeezenet/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5")
    with pytest.raises(DlcliError, match="holds weights and no architecture") as caught:
        pretrained.load(reference.parse(str(path)))
    assert caught.value.code == MODEL
    assert "keras:NAME:" in caught.value.hint


def test_a_model_that_cannot_be_read_ends_the_command_with_code_4(tmp_path):
    """One sentence and a hint on stderr, nothing on stdout."""
    file = unreadable("Lambda", tmp_path)
    answer = subprocess.run(
        [sys.executable, "-m", "dlcli", "inspect-layers", str(file), "--budget", "static"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )
    assert answer.returncode == MODEL
    assert "has a Lambda layer" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
