"""Operations counted by formula agree with counting them by hand."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlcli.inspection import tap, tree
from tests.test_inspect_static import Residual, rows, sequential, zeros  # noqa: F401 - a fixture


def last(model) -> int | None:
    return list(rows(model).values())[-1].flops


def test_vgg16_is_thirty_gigaflop(zeros):  # noqa: F811
    """30.7 GFLOP at 224 pixels, within 1 %."""
    model = keras.applications.VGG16(weights=None)
    total, unknown = tree.total_flops(tree.layers(model, tap.traced(model)))
    assert total == pytest.approx(30.7e9, rel=0.01)
    assert unknown == []


def convolved(x, taps, groups, stride, dilation) -> int:
    """Multiply-adds of a convolution without padding, one by one. x (T, C), taps (K, C / groups, filters)."""
    count = 0
    size, depth, filters = taps.shape
    covered = (size - 1) * dilation + 1
    for _start in range(0, len(x) - covered + 1, stride):
        for _filter in range(filters):
            count += np.ones((size, depth)).sum().astype(int)
    return count


@pytest.mark.parametrize(("groups", "stride", "dilation"), [(1, 1, 1), (2, 1, 2), (4, 3, 1)])
def test_a_convolution_is_counted_tap_by_tap(groups, stride, dilation):
    """Two for every multiply-add that a loop over the outputs makes."""
    layer = layers.Conv1D(8, 3, stride, dilation_rate=dilation, groups=groups)
    model = sequential((20, 4), layer)
    taps = np.asarray(layer.kernel)
    assert last(model) == 2 * convolved(np.zeros((20, 4)), taps, groups, stride, dilation)


BY_HAND = [
    (lambda: layers.Conv2D(8, 3, padding="same"), (10, 10, 4), 2 * 100 * 9 * 4 * 8),
    (lambda: layers.Conv3D(2, 2), (4, 4, 4, 3), 2 * 27 * 8 * 3 * 2),
    (lambda: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), (10, 10, 4), 2 * 100 * 9 * 8),
    (lambda: layers.SeparableConv2D(8, 3, padding="same"), (10, 10, 4), 2 * 100 * (9 * 4 + 4 * 8)),
    (lambda: layers.Conv2DTranspose(8, 3, 2), (5, 5, 4), 2 * 25 * 4 * 9 * 8),
    (lambda: layers.Dense(7), (6, 5), 2 * 6 * 5 * 7),
    (lambda: layers.EinsumDense("btd,dhk->bthk", output_shape=(None, 3, 4)), (6, 5), 2 * 6 * 5 * 12),
    (lambda: layers.EinsumDense("btd,ts->bsd", output_shape=(9, 5)), (6, 5), 2 * 9 * 6 * 5),
    (lambda: layers.LSTM(7), (6, 5), 8 * 6 * (5 + 7) * 7),
    (lambda: layers.GRU(7), (6, 5), 6 * 6 * (5 + 7) * 7),
    (lambda: layers.SimpleRNN(7), (6, 5), 2 * 6 * (5 + 7) * 7),
    (lambda: layers.Bidirectional(layers.LSTM(7)), (6, 5), 2 * 8 * 6 * (5 + 7) * 7),
    (lambda: layers.RNN([layers.LSTMCell(7), layers.GRUCell(3)]), (6, 5), 8 * 6 * 12 * 7 + 6 * 6 * 10 * 3),
    (lambda: layers.TimeDistributed(layers.Dense(7)), (6, 5), 2 * 6 * 5 * 7),
    (lambda: layers.BatchNormalization(), (6, 5), 2 * 30),
    (lambda: layers.LayerNormalization(), (6, 5), 5 * 30),
    (lambda: layers.MaxPooling2D(2), (4, 4, 3), 4 * 4 * 3),
    (lambda: layers.GlobalAveragePooling1D(), (6, 5), 30),
    (lambda: layers.ReLU(), (6, 5), 30),
    (lambda: layers.Dropout(0.5), (6, 5), 0),
    (lambda: layers.Flatten(), (6, 5), 0),
    (lambda: layers.Dense(7, activation=layers.LeakyReLU()), (6, 5), 2 * 6 * 5 * 7 + 6 * 7),
]


@pytest.mark.parametrize(("layer", "shape", "expected"), BY_HAND)
def test_layers_counted_by_hand(layer, shape, expected):
    """Each formula against its numbers written out."""
    model = sequential(shape, layer())
    assert tree.total_flops(tree.layers(model, tap.traced(model))) == (expected, [])


def test_attention_equals_a_count_of_its_products(rng):
    """Projections, scores and mixture, multiplied out one by one; the parts are not counted again."""
    steps, width, heads, size = 5, 6, 2, 3
    count = 0

    def multiply(a, b):
        nonlocal count
        out = np.zeros((a.shape[0], b.shape[1]))
        for i in range(a.shape[0]):
            for j in range(b.shape[1]):
                for k in range(a.shape[1]):
                    out[i, j] += a[i, k] * b[k, j]
                    count += 1
        return out

    x = rng.normal(size=(steps, width))
    mixed = []
    for _ in range(heads):
        query, key, value = (multiply(x, rng.normal(size=(width, size))) for _ in range(3))
        mixed.append(multiply(multiply(query, key.T), value))
    multiply(np.concatenate(mixed, axis=1), rng.normal(size=(heads * size, width)))

    given = keras.Input((steps, width))
    model = keras.Model(given, layers.MultiHeadAttention(heads, size, name="attention")(given, given))
    found = tree.layers(model, tap.traced(model))
    assert tree.total_flops(found) == (2 * count, [])
    assert len(found) > 1  # its projections have rows, too


def test_attention_formula_and_its_grouped_kin():
    """2 · 4 T d² + 4 T² d for heads that fill the width; fewer heads for keys and values save projections."""
    steps, width = 10, 16
    x = keras.Input((steps, width))
    whole = keras.Model(x, layers.MultiHeadAttention(4, 4)(x, x))
    grouped = keras.Model(x, layers.GroupQueryAttention(4, 4, 2)(x, x))
    scores = 4 * steps**2 * width
    for model, projections in [(whole, 8), (grouped, 6)]:
        found = tree.layers(model, tap.traced(model))
        assert tree.total_flops(found)[0] == projections * steps * width**2 + scores


def test_a_vision_transformer_counts_its_attention():
    """A block of ViT-B/16 at 224: 24 T d² + 4 T² d besides norms and sums; a count by weights alone misses the scores."""
    steps, width = 197, 768
    x = keras.Input((steps, width))
    y = layers.LayerNormalization()(x)
    x1 = layers.Add()([x, layers.MultiHeadAttention(12, 64)(y, y)])
    y = layers.Dense(width)(layers.Dense(4 * width)(layers.LayerNormalization()(x1)))
    model = keras.Model(x, layers.Add()([x1, y]))
    total, _ = tree.total_flops(tree.layers(model, tap.traced(model)))
    small = 12 * steps * width  # two norms of 5, two sums
    assert total == 24 * steps * width**2 + 4 * steps**2 * width + small


class OwnAttention(keras.layers.Layer):
    """Attention of somebody's own: products of activations between layers."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.project = layers.Dense(width, use_bias=False, name="project")

    def call(self, x):
        y = self.project(x)
        return ops.matmul(ops.softmax(ops.matmul(y, ops.transpose(y, (0, 2, 1)))), y)


def test_products_between_layers_count():
    """The projection has its row; the scores, the softmax and the mixture are the layer's own."""
    found = rows(sequential((10, 4), OwnAttention(6, name="own")))
    assert found["project"].flops == 2 * 10 * 4 * 6
    assert found["own"].flops == 2 * 10 * 4 * 6 + 2 * (2 * 10 * 10 * 6) + 3 * 100
    assert rows(sequential((32, 4), Residual(name="block")))["block"].flops == 2 * (2 * 32 * 3 * 4 * 4) + 32 * 4


class Secret(keras.layers.Layer):
    """Weights, used by an operation that has no formula."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3))

    def call(self, x):
        return ops.cumsum(ops.matmul(x, self.kernel), axis=1)


def test_what_nobody_can_count_is_unknown_and_named():
    """None for the layer and all above it; the total says what it leaves out."""
    inner = keras.Sequential([layers.Dense(4, name="dense"), Secret(name="secret")], name="inner")
    model = sequential((5, 2), inner)
    found = tree.layers(model, tap.traced(model))
    assert {row.name: row.flops for row in found} == {"inner": None, "dense": 2 * 5 * 2 * 4, "secret": None}
    total, unknown = tree.total_flops(found)
    assert total == 2 * 5 * 2 * 4
    assert [path.rsplit("/", 1)[-1] for path in unknown] == ["secret"]


class Leaky(keras.layers.Layer):
    """A cell of somebody's own: half of the state, and a matrix times the input."""

    state_size = output_size = 5

    def build(self, shape):
        self.matrix = self.add_weight(shape=(shape[-1], 5), name="matrix")

    def call(self, inputs, states):
        h = 0.5 * states[0] + ops.matmul(inputs, self.matrix)
        return h, [h]


def test_a_cell_of_somebodys_own_counts_its_operations_at_every_step():
    """7 steps of a product of 3 by 5, a halving and a sum."""
    assert rows(sequential((7, 3), layers.RNN(Leaky(), name="own")))["own"].flops == 7 * (2 * 3 * 5 + 5 + 5)
    stacked = layers.RNN([Leaky(), layers.LSTMCell(4)], name="own")
    assert rows(sequential((7, 3), stacked))["own"].flops == 7 * (2 * 3 * 5 + 5 + 5 + 8 * (5 + 4) * 4)


@pytest.mark.parametrize("every", [False, True])
def test_a_convolutional_lstm_counts_both_convolutions_of_all_gates(every):
    """6 frames of 8 x 8 with 2 channels, 3 filters of 3 x 3 at stride 2: 16 positions, 4 gates."""
    layer = layers.ConvLSTM2D(3, 3, strides=2, padding="same", return_sequences=every, name="frames")
    assert rows(sequential((6, 8, 8, 2), layer))["frames"].flops == 6 * 4 * 2 * 9 * (2 + 3) * 3 * 16


class Apart(keras.layers.Layer):
    """Every channel an example of its own: (B, T, C) -> (B * C, T, 1)."""

    def call(self, x):
        return ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, x.shape[1], 1))


def test_rows_moved_into_the_batch_count_for_their_example():
    """A convolution over each of 7 channels alone runs seven times."""
    model = sequential((20, 7), Apart(), layers.Conv1D(2, 3, padding="same", name="conv"))
    row = rows(model)["conv"]
    assert row.flops == 7 * 2 * 20 * 3 * 2
    assert row.memory_bytes == 7 * 20 * 2 * 4


class Penalised(keras.layers.Layer):
    """Hands twice its input on, and adds a loss for training."""

    def call(self, x):
        self.add_loss(ops.sum(x))
        return 2 * x


def test_a_loss_inside_a_layer_does_not_hide_its_cost():
    """Counted, and no loss without data stays in the model."""
    model = sequential((20,), Penalised(name="penalised"))
    assert rows(model)["penalised"].flops == 20
    model(np.ones((1, 20), "float32"))
    assert [float(loss) for loss in model.losses] == [20.0]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bthd,bshd->bhts", [(5, 2, 4), (7, 2, 4)]),
        ("bhts,bshd->bthd", [(2, 5, 7), (7, 2, 4)]),
        ("b...c,bc->b...", [(3, 6, 4), (4,)]),
    ],
)
def test_an_einsum_in_a_graph_counts_what_numpy_says(equation, shapes):
    """Scores and mixtures of attention written out, and with dots: NumPy's own count."""
    tensors = [keras.Input(shape) for shape in shapes]
    model = keras.Model(tensors, keras.ops.einsum(equation, *tensors))
    path = np.einsum_path(equation, *(np.zeros((1, *shape)) for shape in shapes), optimize=False)[1]
    naive = float(re.search(r"Naive FLOP count:\s+([\d.e+]+)", path).group(1))
    total, unknown = tree.total_flops(tree.layers(model, tap.traced(model)))
    assert unknown == []
    # NumPy tells four digits
    assert total == pytest.approx(naive, rel=1e-3)


def test_an_einsum_that_sums_nothing_up_multiplies_each_value_once():
    """(5, 4) values, each times one number."""
    tensors = [keras.Input((5, 4)), keras.Input((5,))]
    model = keras.Model(tensors, keras.ops.einsum("btc,bt->btc", *tensors))
    assert tree.total_flops(tree.layers(model, tap.traced(model))) == (20, [])


def test_attention_as_an_operation_counts_as_the_layer_does():
    """dot_product_attention of 5 steps over 7, 2 heads of 4 and values of 3: scores and mixture."""
    query, key, value = (keras.Input(shape) for shape in ((5, 2, 4), (7, 2, 4), (7, 2, 3)))
    model = keras.Model([query, key, value], keras.ops.dot_product_attention(query, key, value))
    total, unknown = tree.total_flops(tree.layers(model, tap.traced(model)))
    assert unknown == []
    assert total == 2 * 5 * 7 * 2 * 4 + 2 * 5 * 7 * 2 * 3
