"""Models that are put together in ways that a first sight of layers gets wrong."""

import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from dlcli import reference, registry
from dlcli.inspection import comparison, foreign, measuring, strip, taps
from dlcli.inspection.subject import Stimuli, Subject
from dlcli.inspection.tap import traced
from dlcli.inspection.twin import untrained
from dlcli.layers import ChannelsApart, ChannelsTogether


def inspected(model, x, *, budget="fast", family="dense", labels=None):
    """The document of a model on these examples."""
    classes = [] if labels is None else [str(c) for c in range(labels.max() + 1)]
    subject = Subject(
        model=model,
        title="",
        source="",
        family=family,
        read=lambda rows: x[rows],
        count=len(x),
        labels=labels,
        classes=classes,
    )
    return measuring.inspect(subject, budget=budget, only=[], seed=0)


def measured(document):
    return [layer["name"] for layer in document["layers"] if layer["measured"]]


def test_frozen_layers_are_measured():
    """A frozen body with a new head is what transfer makes; its body must not vanish."""
    body = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu", name="conv")], name="body")
    body.trainable = False
    model = keras.Sequential([keras.Input((8, 8, 3)), body, layers.Flatten(), layers.Dense(2, name="head")])
    assert [place.name.rpartition("/")[2] for place in taps.chosen(traced(model))] == ["conv", "head"]


def test_arithmetic_with_a_number_is_no_layer(rng):
    """x * 2 has no row in the table; measuring must not stumble over it."""
    inputs = keras.Input((6,))
    x = layers.Dense(4, name="one")(inputs) * 2.0
    model = keras.Model(inputs, layers.Dense(3, name="two")(x + 1.0))
    document, _ = inspected(model, rng.normal(size=(40, 6)).astype("float32"))
    assert measured(document) == ["one", "two"]


def test_channels_laid_apart_are_averaged_for_their_own_example(rng):
    """Inside, every channel is an example; a row of the measurement is still one of the user's examples."""
    series = keras.Input((12, 3))
    apart = ChannelsApart(name="apart")(series)
    inner = layers.Conv1D(2, 1, use_bias=False, name="inner")(apart)
    model = keras.Model(series, ChannelsTogether(3, name="together")(inner[..., :1]))
    x = rng.normal(size=(40, 12, 3)).astype("float32")
    _, view = inspected(model, x, family="transformer")
    rows = view.data.kept[next(place.key for place in view.places if place.name.endswith("inner"))]
    kernel = np.asarray(model.get_layer("inner").get_weights()[0])[0, 0]
    assert len(rows) == len(x)
    np.testing.assert_allclose(rows[:, :2], x.mean(axis=(1, 2))[:, None] * kernel, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.LSTM(5, name="layer"), (7, 3)),
        (layers.GRU(5, name="layer"), (7, 3)),
        (layers.DepthwiseConv2D(3, name="layer"), (8, 8, 4)),
    ],
    ids=["lstm", "gru", "depthwise"],
)
def test_the_twin_draws_its_weights_and_does_not_shuffle_the_trained_ones(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    model.set_weights([np.full(weight.shape, 7.0) for weight in model.get_weights()])
    with untrained(model, None, seed=0):
        assert not any((np.asarray(weight) == 7).any() for weight in model.get_weights())


def test_the_gates_of_the_twin_begin_open_as_keras_builds_them():
    model = keras.Sequential([keras.Input((7, 3)), layers.LSTM(5, name="layer")])
    model.set_weights([np.zeros(weight.shape) for weight in model.get_weights()])
    with untrained(model, None, seed=0):
        bias = np.asarray(model.get_weights()[2])
    np.testing.assert_array_equal(bias, [0] * 5 + [1] * 5 + [0] * 10)


def test_token_ids_are_no_quantities(rng):
    """Renaming the tokens changes how like the input a layer is by nothing."""
    model = keras.Sequential(
        [keras.Input((9,), dtype="int32"), layers.Embedding(20, 4), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    )
    x = rng.integers(1, 20, (60, 9)).astype("int32")
    renamed = np.concatenate([[0], 1 + rng.permutation(19)])
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    table = model.layers[0].get_weights()[0]
    moved = np.empty_like(table)
    moved[renamed] = table
    other.layers[0].set_weights([moved])
    alike = [
        [layer["geometry"]["cka_input"] for layer in inspected(net, ids)[0]["layers"] if layer["measured"]]
        for net, ids in ((model, x), (other, renamed[x].astype("int32")))
    ]
    np.testing.assert_allclose(*alike, atol=1e-4)


def test_two_models_on_different_examples_are_not_compared_by_their_features(rng):
    """Equal names of data are not equal examples."""
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, name="one"), layers.Dense(3, name="two")])
    x = rng.normal(size=(80, 6)).astype("float32")
    (first, one), (second, two) = inspected(model, x), inspected(model, x[::-1].copy())
    document = comparison.compared(first, second, one, two)
    assert "cka" not in document["compare"]
    assert any("different inputs" in warning for warning in document["warnings"])
    failing = {"name": "leak", "passed": False, "subject": "edge", "message": "edge can be read."}
    found = comparison.compared(first, {**second, "gates": [failing], "warnings": ["odd"]}, one, two)
    assert found["gates"][-1] == {**failing, "message": "the second model: edge can be read."}
    assert "the second model: odd" in found["warnings"]
    same = comparison.compared(first, first, one, one)["compare"]["cka"]["matrix"]
    np.testing.assert_allclose(np.diag(same), 1, atol=1e-4)


def test_a_file_with_layers_of_our_own_needs_no_run_beside_it(tmp_path):
    """In a process that has imported no architecture: the file is moved out of its run and opened."""
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8)(tokens)
    model = keras.Model(tokens, registry.find("architectures", "gpt").load().stack(x, depth=1, heads=2, causal=True))
    model.save(tmp_path / "model.keras")
    code = (
        "import sys; from pathlib import Path; from dlcli import finished\n"
        "print(finished.model(Path(sys.argv[1])).count_params())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.keras")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) == model.count_params()


def test_a_network_in_mixed_precision_has_a_twin_and_levels(monkeypatch):
    """Rows are float32 and finite, the twin differs, and the weights come back to the bit."""
    monkeypatch.setattr(strip, "STIMULI", 60)
    monkeypatch.setattr(measuring, "registry", SimpleNamespace(entries=lambda _: {}))
    mixed = {"dtype": "mixed_bfloat16"}
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(6, 3, strides=2, name="conv", **mixed),
            layers.BatchNormalization(name="norm", **mixed),
            layers.ReLU(name="relu", **mixed),
            layers.Conv2D(8, 3, activation="relu", name="deeper", **mixed),
        ]
    )
    assert model.layers[0].compute_dtype == "bfloat16"
    before = model.get_weights()
    stimuli = Stimuli(
        entry="pictures",
        make={"height": 16, "width": 16, "channels": 3},
        feed=lambda level: (lambda rows: level.x[rows].astype("float32") / 255, None),
    )
    found = Subject(model=model, title="", source="", family="cnn", stimuli=stimuli)
    document, view = measuring.inspect(found, budget="standard", only=[], seed=0)
    for rows in (*view.strip.rows.values(), *view.strip.twins[0].values()):
        assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in rows.values())
    place = view.places[-1].key
    assert not np.allclose(view.strip.rows["edge"][place], view.strip.twins[0]["edge"][place])
    assert document["hierarchy"]["levels"][:3] == ["colour", "edge", "texture"]
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_channels_behind_the_batch_are_channels_all_the_same(tmp_path):
    """The same network in both orders: every number that is measured is the same, and so are its levels."""

    def network(order):
        taken = {"data_format": order}
        axis = 1 if order == "channels_first" else -1
        return keras.Sequential(
            [
                keras.Input((3, 16, 20) if axis == 1 else (16, 20, 3)),
                layers.Conv2D(6, 3, name="conv", **taken),
                layers.BatchNormalization(axis=axis, name="norm"),
                layers.ReLU(name="relu"),
                layers.MaxPooling2D(2, name="half", **taken),
                layers.Conv2D(5, 3, activation="relu", name="deeper", **taken),
                layers.GlobalAveragePooling2D(name="mean", **taken),
                layers.Dense(4, name="head"),
            ],
            name="network",
        )

    last, first = network("channels_last"), network("channels_first")
    first.set_weights(last.get_weights())
    try:
        first.predict(np.zeros((1, 3, 16, 20), np.float32), verbose=0)
    except Exception as error:  # what TensorFlow raises depends on its kernels
        if "NHWC" not in str(error):
            raise
        pytest.skip("this machine's TensorFlow has no convolution for channels first")
    documents = []
    for model in (last, first):
        model.save(tmp_path / "one.keras")
        subject = foreign.subject(
            reference.parse(str(tmp_path / "one.keras")), None, part="", samples=32, seed=0, pixels="0..1"
        )
        x = np.random.default_rng(0).random((80, 16, 20, 3)).astype("float32")
        x = np.moveaxis(x, -1, 1) if model is first else x
        subject.read, subject.count, subject.labels = (lambda rows, x=x: x[rows]), 80, np.arange(80) % 4
        documents.append(measuring.inspect(subject, budget="standard", only=[], seed=0)[0])
    for one, other in zip(*(document["layers"] for document in documents), strict=True):
        assert one["name"] == other["name"]
        for part in ("units", "geometry", "probe"):
            for name, value in (one.get(part) or {}).items():
                same = value if isinstance(value, list) else pytest.approx(value, rel=1e-3, abs=1e-3, nan_ok=True)
                assert other[part][name] == same, (one["name"], name)
        if one["measured"]:
            for level, scores in one["levels"].items():
                assert other["levels"][level]["trained"] == pytest.approx(scores["trained"], abs=0.02), level
                assert other["levels"][level]["input"] == scores["input"]
