"""What can be said of a model without data: rows, weights, operations, receptive fields."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlcli.inspection import tap, tree
from dlcli.inspection.folding import fold


def rows(model, inputs=None) -> dict[str, tree.Row]:
    """Row by name; the last of equal names."""
    return {row.name: row for row in tree.layers(model, tap.traced(model, inputs))}


def sequential(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


@pytest.fixture
def zeros(monkeypatch):
    """Large models are built with zeros: drawing 138 million random numbers takes longer than the test."""
    monkeypatch.setattr(
        keras.initializers.VarianceScaling, "__call__", lambda self, shape, dtype=None, **_: ops.zeros(shape, dtype)
    )


APPLICATIONS = [
    ("VGG16", "block5_conv3", 196),
    ("VGG16", "block5_pool", 212),
    ("ResNet50", "conv5_block3_out", 483),
    ("MobileNet", "conv_pw_13_relu", 315),
    *[
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [
            ("InceptionV3", "mixed10", 1311),
            ("MobileNetV2", "out_relu", 491),
            ("DenseNet121", "relu", 2071),
            ("Xception", "block14_sepconv2_act", 1083),
            ("EfficientNetB0", "top_activation", None),
        ]
    ],
]


@pytest.mark.parametrize(("name", "layer", "width"), APPLICATIONS)
def test_receptive_fields_of_known_models(name, layer, width, zeros):
    """The numbers of Araujo et al. (2019), Keras' variants; squeeze-and-excite sees all; every weight has a row."""
    model = getattr(keras.applications, name)(weights=None)
    found = tree.layers(model, tap.traced(model))
    assert [row.receptive_field for row in found if row.name == layer] == [width]
    assert sum(row.parameters for row in found if row.depth == 0) == model.count_params()


def test_receptive_fields_of_alexnet():
    """Conv 11, 51, 99, 131, 163 and pool5 195 (Araujo et al., 2019), valid first convolution of stride 4."""
    model = sequential(
        (227, 227, 3),
        layers.Conv2D(4, 11, 4, name="conv1"),
        layers.MaxPooling2D(3, 2),
        layers.Conv2D(4, 5, padding="same", name="conv2"),
        layers.MaxPooling2D(3, 2),
        *[layers.Conv2D(4, 3, padding="same", name=f"conv{i}") for i in (3, 4, 5)],
        layers.MaxPooling2D(3, 2, name="pool5"),
        layers.Flatten(name="flatten"),
        layers.Dense(2, name="dense"),
    )
    found = rows(model)
    names = ["conv1", "conv2", "conv3", "conv4", "conv5", "pool5", "flatten", "dense"]
    assert [found[name].receptive_field for name in names] == [11, 51, 99, 131, 163, 195, None, None]


def part(kind: str, rng):
    """A layer of positive weights and no bias, so that an impulse never cancels."""
    size, stride, padding = int(rng.integers(1, 6)), int(rng.integers(1, 4)), str(rng.choice(["same", "valid"]))
    ones = {"use_bias": False, "kernel_initializer": "ones"}
    return {
        "conv": lambda: layers.Conv1D(1, size, stride, padding=padding, **ones),
        "dilated": lambda: layers.Conv1D(1, size, dilation_rate=stride, padding="causal", **ones),
        "max": lambda: layers.MaxPooling1D(max(size, 2), stride, padding=padding),
        "mean": lambda: layers.AveragePooling1D(max(size, 2), stride, padding=padding),
        "pad": lambda: layers.ZeroPadding1D((size, stride)),
        "crop": lambda: layers.Cropping1D((1, 2)),
        "up": lambda: layers.UpSampling1D(stride),
        # at least as many taps as stride: with fewer, some outputs see nothing
        "transposed": lambda: layers.Conv1DTranspose(1, size + 2, min(stride, size + 2), padding=padding, **ones),
    }[kind]()


def widest(model, length: int) -> int:
    """The longest stretch of input that moves one output, by pushing every input alone; the borders left out."""
    response = np.asarray(model.predict_on_batch(np.eye(length, dtype="float32")[..., None]))[..., 0]
    spans = []
    for column in response.T:  # one unit of the output
        seen = np.flatnonzero(column)
        if len(seen) and seen[0] > length // 6 and seen[-1] < length - length // 6:
            spans.append(seen[-1] - seen[0] + 1)
    return max(spans)


@pytest.mark.parametrize("seed", range(12))
def test_receptive_field_is_what_moves_a_unit(seed):
    """Random chains of convolution, pooling, padding and dilation reach just as far as impulses say."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["conv", "dilated", "max", "mean", "pad", "crop"], 4)
    model = sequential((600, 1), *[part(kind, rng) for kind in kinds])
    assert rows(model)[model.layers[-1].name].receptive_field == widest(model, 600), list(kinds)


@pytest.mark.parametrize("seed", range(6))
def test_up_sampling_reaches_as_far_as_impulses_say(seed):
    """Repeated values and transposed convolutions after a stride, with a convolution behind."""
    rng = np.random.default_rng(seed)
    first = layers.Conv1D(1, 3, 2, padding="same", use_bias=False, kernel_initializer="ones")
    chain = [first, part(str(rng.choice(["up", "transposed"])), rng), part("conv", rng)]
    model = sequential((300, 1), *chain)
    assert rows(model)[model.layers[-1].name].receptive_field == widest(model, 300)


def test_paths_that_meet_see_the_union():
    """A branch looking back and a branch looking ahead, by layer, by operation and hidden in a subclassed model."""
    ones = {"use_bias": False, "kernel_initializer": "ones"}
    x = keras.Input((100, 1))
    past = layers.Cropping1D((0, 8))(layers.Conv1D(1, 5, padding="same", **ones)(x))
    future = layers.Cropping1D((8, 0))(layers.Conv1D(1, 3, padding="same", **ones)(x))
    for merge, name in [(layers.Add(name="sum"), "sum"), (lambda pair: pair[0] + pair[1], None)]:
        model = keras.Model(x, merge([past, future]))
        last = tree.layers(model, tap.traced(model))[-1]
        assert name in (None, last.name)
        assert last.receptive_field == widest(model, 100) == 12


class Residual(keras.layers.Layer):
    """x + conv(conv(x)), the sum hidden from every tap."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Conv1D(4, 3, padding="same", name="first")
        self.second = layers.Conv1D(4, 3, padding="same", name="second")

    def call(self, x):
        return x + self.second(self.first(x))


def test_a_hidden_sum_keeps_the_field():
    """Subclassed residual blocks: 5 then 9 steps."""
    found = rows(sequential((32, 4), Residual(name="block_a"), Residual(name="block_b")))
    assert [found[name].receptive_field for name in ("block_a", "block_b")] == [5, 9]
    assert found["second"].receptive_field == 9


def test_what_mixes_all_positions_is_global():
    """Squeeze-and-excite, attention, recurrence and a mean over time; a norm and a dense layer are not."""
    x = keras.Input((32, 4))
    y = layers.Dense(4, name="dense")(layers.LayerNormalization(name="norm")(layers.Conv1D(4, 3)(x)))
    gate = layers.Dense(4, name="gate")(layers.GlobalAveragePooling1D(keepdims=True, name="squeeze")(y))
    excited = layers.Multiply(name="excited")([y, gate])
    attended = layers.MultiHeadAttention(1, 4, name="attention")(y, y)
    found = rows(keras.Model(x, [excited, attended, layers.LSTM(3, return_sequences=True, name="lstm")(y)]))
    assert [found[name].receptive_field for name in ("norm", "dense")] == [3, 3]
    assert {found[name].receptive_field for name in ("squeeze", "gate", "excited", "attention", "lstm")} == {None}


def test_tokens_and_rows():
    """An embedded token sees itself; a table's row has no positions to count."""
    tokens = keras.Input((16,), dtype="int32")
    text = keras.Model(tokens, layers.Conv1D(2, 4, padding="causal", name="conv")(layers.Embedding(9, 3)(tokens)))
    assert [row.receptive_field for row in rows(text).values()] == [1, 4]
    assert rows(sequential((5,), layers.Dense(3, name="dense")))["dense"].receptive_field is None


@keras.saving.register_keras_serializable("tests")
class Centred(keras.layers.Layer):
    """A layer of somebody's own, made of operations."""

    def __init__(self, axis, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, x):
        return x - ops.mean(x, axis=self.axis, keepdims=True)


def test_own_layers_are_followed_through_their_operations():
    """Centred over channels it keeps its place, over time it sees everything; nothing stays in the graph."""
    for axis, width in [(-1, 3), (1, None)]:
        model = sequential((20, 2), layers.Conv1D(2, 3), Centred(axis, name="centred"))
        nodes = len(model.get_layer("centred")._inbound_nodes)
        row = rows(model)["centred"]
        assert row.receptive_field == width
        assert row.flops == 2 * 18 * 2  # a sum over all values, and a difference for each
        assert len(model.get_layer("centred")._inbound_nodes) == nodes


def test_a_shared_layer_counts_once():
    """Two calls of a tower: a row each, its weights with the first; the parents add up to the model."""
    tower = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="conv")], name="tower")
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    joined = layers.Concatenate(name="joined")([tower(left), tower(right)])
    model = keras.Model([left, right], layers.Dense(3, name="head")(joined))
    found = tree.layers(model, tap.traced(model))
    assert [(row.name, row.call, row.depth, row.parameters, row.calls) for row in found] == [
        ("tower", 0, 0, 20, 2),
        ("conv", 0, 1, 20, 2),
        ("tower", 1, 0, 0, 2),
        ("conv", 1, 1, 0, 2),
        ("joined", 0, 0, 0, 1),
        ("head", 0, 0, 15, 1),
    ]
    assert sum(row.parameters for row in found if row.depth == 0) == model.count_params()
    assert [row.flops for row in found[:2]] == [2 * 9 * 36 * 2] * 2


def test_a_row_says_shape_memory_and_what_is_trained():
    """Frozen weights are not trainable; bytes are those of one example in the layer's own type."""
    model = sequential((8, 8, 3), layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm"))
    row = rows(model)["norm"]
    assert (row.output_shape, row.type) == ((None, 6, 6, 4), "BatchNormalization")
    assert (row.parameters, row.trainable, row.memory_bytes) == (16, 8, 6 * 6 * 4 * 4)
    half = sequential((8,), layers.Dense(5, dtype="bfloat16", name="half"))
    assert rows(half)["half"].memory_bytes == 5 * 2
    model.get_layer("conv").trainable = False
    assert rows(model)["conv"].trainable == 0


def test_data_and_shapes_say_the_same():
    """A pass over 5 examples has the rows of the pass without data."""
    model = sequential((8, 8, 3), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2))
    with tap.Tap() as visits:
        model(np.zeros((5, 8, 8, 3), "float32"))
    assert tree.layers(model, visits) == tree.layers(model, tap.traced(model))


def block(name, x, channels=4):
    """Three layers named as this project names them."""
    y = layers.Conv2D(channels, 3, padding="same", name=f"{name}_conv")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(y))


def test_equal_blocks_fold():
    """stage1_block0 .. block2 become stage1 [x3] with their sums; the next stage, other in shape, stays apart."""
    x = keras.Input((16, 16, 4))
    y = x
    for i in range(3):
        y = block(f"stage1_block{i}", y)
    y = layers.MaxPooling2D(name="pool")(y)
    model = keras.Model(x, layers.Dense(2, name="head")(block("stage2_block0", y, 8)))
    found = tree.layers(model, tap.traced(model))
    short = fold(found)
    assert [(row.name, row.folded, len(row.members)) for row in short] == [
        ("stage1", 3, 9),
        ("pool", 1, 1),
        ("stage2_block0", 1, 3),
        ("head", 1, 1),
    ]
    assert short[0].receptive_field == 7
    assert short[0].parameters == 3 * (4 * 4 * 9 + 4 + 16)
    assert sum(row.flops for row in short) == sum(row.flops for row in found)
    assert sum(row.memory_bytes for row in short) == sum(row.memory_bytes for row in found)
    assert fold(found, expand=True) == found


def test_equal_models_inside_fold_and_unequal_do_not():
    """Two sub-models of one structure are one row; one with more channels is not among them."""
    parts = [
        keras.Sequential([layers.Dense(width), layers.ReLU()], name=f"part{i}") for i, width in enumerate((4, 4, 6))
    ]
    model = sequential((4,), *parts)
    short = fold(tree.layers(model, tap.traced(model)))
    assert [(row.name, row.folded, row.depth) for row in short][:2] == [("part", 2, 0), ("part2", 1, 0)]
    assert math.prod(row.folded for row in short[1:]) == 1
    assert len(short) == 4


def test_resnet50_folds_to_its_stages(zeros):
    """conv2 to conv5 have 3, 4, 6 and 3 blocks (He et al., 2015, table 1), though each first block has a shortcut."""
    model = keras.applications.ResNet50(weights=None)
    short = fold(tree.layers(model, tap.traced(model)))
    assert [(row.name, row.folded) for row in short if row.folded > 1] == [
        ("conv2", 3),
        ("conv3", 4),
        ("conv4", 6),
        ("conv5", 3),
    ]
    assert sum(row.parameters for row in short) == model.count_params()
