"""Gates and memory of recurrent layers, against stepped cells and nets whose memory is known."""

import keras
import numpy as np
import pytest
from keras import layers

from dlcli.inspection import measuring
from dlcli.inspection.probes import Ridge
from dlcli.inspection.subject import Subject, series
from dlcli.lenses import gates as gates_lens
from dlcli.lenses import memory
from dlcli.lenses._recurrent import gates, streams


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def rnn_model(layer, *, steps=7, channels=3, masked=False):
    inputs = keras.Input((steps, channels))
    x = layers.Masking(name="mask")(inputs) if masked else inputs
    return keras.Model(inputs, layer(x), name="model")


def shaken(model, rng):
    """The model with weights that are all unlike one another, biases included."""
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(rng.normal(size=weight.shape) * 0.7)
    return model


def stepped(cell, x, mask):
    """Gates (B, T, units) that Keras itself computes: the cell is called step by step and its gates are written down."""
    taken, activation = [], cell.recurrent_activation

    def written(values):
        taken.append(np.asarray(keras.ops.convert_to_numpy(activation(values))))
        return keras.ops.convert_to_tensor(taken[-1])

    states = [np.zeros((len(x), cell.units), "float32") for _ in range(2 if isinstance(cell, layers.LSTMCell) else 1)]
    rows = []
    cell.recurrent_activation = written
    try:
        for t in range(x.shape[1]):
            taken.clear()
            _, after = cell(keras.ops.convert_to_tensor(x[:, t]), [keras.ops.convert_to_tensor(s) for s in states])
            after = [np.asarray(keras.ops.convert_to_numpy(s)) for s in keras.tree.flatten(after)]
            states = [np.where(mask[:, t, None], new, old) for new, old in zip(after, states, strict=True)]
            rows.append(list(taken))
    finally:
        cell.recurrent_activation = activation
    return [np.stack([row[i] for row in rows], axis=1) for i in range(len(rows[0]))]


LAYERS = {
    "lstm": lambda: layers.LSTM(5, return_sequences=True),
    "lstm that returns its last step": lambda: layers.LSTM(5),
    "lstm without biases": lambda: layers.LSTM(5, use_bias=False),
    "lstm with hard gates": lambda: layers.LSTM(5, recurrent_activation="hard_sigmoid"),
    "lstm with states": lambda: layers.LSTM(5, return_state=True),
    "gru": lambda: layers.GRU(5, return_sequences=True),
    "gru with its reset before": lambda: layers.GRU(5, reset_after=False),
    "gru backwards": lambda: layers.GRU(5, go_backwards=True),
    "both ways": lambda: layers.Bidirectional(layers.LSTM(5)),
    "both ways, all steps": lambda: layers.Bidirectional(layers.GRU(5, return_sequences=True)),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_gates_of_all_steps_at_once_are_those_of_the_stepped_cell(name, masked, rng):
    """One product gives what stepping Keras' own cell gives: masks, both directions, all kinds of output."""
    model = shaken(rnn_model(LAYERS[name](), masked=masked), rng)
    x = rng.normal(size=(4, 7, 3)).astype("float32")
    x[0, :2] = x[1, 3] = x[2, 4:] = 0  # what Masking leaves out: first, within and last
    before = keras.tree.map_structure(keras.ops.convert_to_numpy, model(x))
    found, left_out = streams(model, x)
    assert not left_out
    assert len(found) == (2 if "both" in name else 1)
    for stream in found:
        order = x[:, ::-1] if stream.backwards else x
        mask = np.any(order != 0, axis=-1) if masked else np.ones((4, 7), bool)
        np.testing.assert_array_equal(stream.mask, mask)
        known = stepped(stream.cell, order, mask)
        for ours, keras_own in zip(gates(stream).values(), known, strict=True):
            np.testing.assert_allclose(ours[mask], keras_own[mask], atol=1e-6)
    after = keras.tree.map_structure(keras.ops.convert_to_numpy, model(x))
    for left, right in zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=True):
        np.testing.assert_array_equal(left, right)


def test_gates_begin_with_the_initial_state_that_a_layer_is_given(rng):
    """A decoder's first step starts from the encoder's last state and not from zeros."""
    sequence, h, c = keras.Input((4, 3)), keras.Input((5,)), keras.Input((5,))
    model = shaken(keras.Model([sequence, h, c], layers.LSTM(5)(sequence, initial_state=[h, c])), rng)
    x, first = rng.normal(size=(2, 4, 3)).astype("float32"), rng.normal(size=(2, 5)).astype("float32")
    (stream,), _ = streams(model, [x, first, first])
    np.testing.assert_array_equal(stream.before[:, 0], first)


def test_what_has_no_exact_gates_is_left_out_with_its_reason(rng):
    """A stateful layer's first state and a cell of unknown kind are named and not guessed."""
    inputs = keras.Input(batch_shape=(2, 4, 3))
    x = layers.LSTM(5, stateful=True, return_sequences=True, name="kept")(inputs)
    x = layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.LSTMCell(3)]), name="stacked")(x)
    found, left_out = streams(keras.Model(inputs, x, name="model"), rng.normal(size=(2, 4, 3)).astype("float32"))
    assert not found
    assert "model/kept is left out: it is stateful" in left_out[0]
    assert "StackedRNNCells" in left_out[1]


def test_a_forget_bias_of_ten_is_a_gate_open_all_the_time(rng):
    """A bias of +10 opens the forget gate at 100 % of the steps, one of -10 shuts the output gate."""
    model = rnn_model(layers.LSTM(5), steps=9)
    layer = model.layers[-1]
    kernel, recurrent, _ = layer.get_weights()
    layer.set_weights([kernel, recurrent, np.repeat([0.0, 10.0, 0.0, -10.0], 5)])
    (stream,), _ = streams(model, rng.normal(size=(8, 9, 3)).astype("float32"))
    taken = gates_lens.taken(stream)
    assert gates_lens.saturation("f", taken["f"]) == (0.0, 1.0, 8 * 9 * 5)
    assert gates_lens.saturation("o", taken["o"])[0] == 1.0
    assert gates_lens.saturation("i", taken["i"])[1] < 0.5


def linear_rnn(recurrent, kernel, steps):
    units = len(recurrent)
    model = rnn_model(
        layers.SimpleRNN(units, activation="linear", use_bias=False, return_sequences=True, name="rnn"),
        steps=steps,
        channels=kernel.shape[0],
    )
    model.layers[-1].set_weights([kernel.astype("float32"), recurrent.astype("float32")])
    return model


def test_a_delay_line_of_five_units_remembers_five_steps(rng):
    """x_t, x_{t-1}, …, x_{t-4} are the state: R^2 is 1 for five delays and 0 for all longer ones."""
    model = linear_rnn(np.eye(5, k=1), np.eye(1, 5), steps=60)
    noise = rng.standard_normal((32, 60, 1)).astype("float32")
    (stream,), _ = streams(model, noise)
    curve = memory.recalled(noise, stream.h, 20)
    np.testing.assert_allclose(curve[:5], 1, atol=1e-6)
    assert curve[5:].max() < 0.02
    assert abs(curve.sum() - 5) < 0.05


def test_a_counter_is_read_off_its_state_without_error(rng):
    """h_t = h_{t-1} + x_t of ones and minus ones: the count is told for certain, and so is what it is a part of."""
    model = linear_rnn(np.array([[1.0]]), np.array([[1.0]]), steps=40)
    x = rng.choice([-1.0, 1.0], (20, 40, 1)).astype("float32")
    (stream,), _ = streams(model, x)
    count = np.cumsum(x[..., 0], axis=1).reshape(-1, 1)
    noise = rng.normal(size=count.shape)
    found = Ridge(stream.h.reshape(-1, 1)).r2(np.concatenate([count, noise], axis=1))
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert abs(found[1]) < 0.01


def test_an_lstm_that_counts_is_read_off_its_state(rng):
    """Gates open, tanh in its linear part: the state is 0.001 times the count, and linear in it."""
    model = rnn_model(layers.LSTM(1, return_sequences=True), steps=40, channels=1)
    model.layers[-1].set_weights([np.array([[0, 0, 1e-3, 0]]), np.zeros((1, 4)), np.array([30.0, 30, 0, 30])])
    x = rng.choice([-1.0, 1.0], (20, 40, 1)).astype("float32")
    (stream,), _ = streams(model, x)
    count = np.cumsum(x[..., 0], axis=1)
    assert stream.h[..., 0] == pytest.approx(np.tanh(1e-3 * count), abs=1e-6)
    assert Ridge(stream.h.reshape(-1, 1)).r2(count.reshape(-1, 1))[0] == pytest.approx(1, abs=1e-5)
    assert gates_lens.saturation("f", gates_lens.taken(stream)["f"])[:2] == (0.0, 1.0)


def test_memory_is_measured_in_steps_of_the_input_behind_a_stride(rng):
    """A layer that reads pairs of steps and keeps the last three pairs remembers six steps."""
    inputs = keras.Input((64, 1))
    pairs = layers.Reshape((32, 2))(inputs)
    shift = np.eye(6, k=2)
    rnn = layers.SimpleRNN(6, activation="linear", use_bias=False, return_sequences=True)
    model = keras.Model(inputs, rnn(pairs))
    rnn.set_weights([np.eye(2, 6, dtype="float32"), shift.astype("float32")])
    noise = rng.standard_normal((32, 64, 1)).astype("float32")
    (stream,), _ = streams(model, noise)
    np.testing.assert_allclose(memory.recalled(noise, stream.h, 12)[:6], 1, atol=1e-6)
    assert memory.recalled(noise, stream.h, 12)[6:].max() < 0.02


def test_channels_that_go_through_one_layer_singly_are_told_apart(rng):
    """Folded into the batch, three channels are remembered for as many steps as one."""
    inputs = keras.Input((40, 3))
    rnn = layers.SimpleRNN(4, activation="linear", use_bias=False, return_sequences=True, name="line")
    folded = rnn(keras.ops.reshape(keras.ops.transpose(inputs, (0, 2, 1)), (-1, 40, 1)))
    model = keras.Model(inputs, folded, name="model")
    rnn.set_weights([np.eye(1, 4, dtype="float32"), np.eye(4, k=1, dtype="float32")])
    noise = rng.standard_normal((32, 40, 3)).astype("float32")
    (stream,), _ = streams(model, noise)
    assert memory._capacity(noise, stream) == pytest.approx(4, abs=0.1)


def test_a_leaky_unit_has_the_timescale_of_its_leak(rng):
    """h_t = a h_{t-1} + x_t on white noise has tau = -1 / ln a: 9.49 for 0.9, 1.44 for 0.5; noise has none."""
    model = linear_rnn(np.diag([0.9, 0.5, 0.0]), np.ones((1, 3)), steps=400)
    (stream,), _ = streams(model, rng.standard_normal((64, 400, 1)).astype("float32"))
    slow, fast, none = memory.timescales(stream.h)
    assert slow == pytest.approx(9.49, rel=0.06)
    assert fast == pytest.approx(1.44, rel=0.06)
    assert none < 0.35
    assert memory.spectral_radius(stream.cell) == pytest.approx(0.9)


def test_masked_steps_do_not_enter_a_timescale(rng):
    """Half a sequence of padding, over which a state stands still, leaves the timescale as it was."""
    h = rng.standard_normal((64, 200, 1))
    for t in range(1, 200):
        h[:, t] += 0.8 * h[:, t - 1]
    mask = np.ones((64, 400), bool)
    mask[:, 200:] = False
    held = np.concatenate([h, np.repeat(h[:, -1:], 200, axis=1)], axis=1)
    assert memory.timescales(held, mask)[0] == pytest.approx(-1 / np.log(0.8), rel=0.1)
    assert memory.timescales(held)[0] > 3 * -1 / np.log(0.8)


def test_gates_and_memory_are_in_the_document_of_a_model(rng):
    """The fast budget gives each recurrent layer its columns, with the numbers of the known layers."""
    inputs = keras.Input((60, 1))
    line = layers.SimpleRNN(5, activation="linear", use_bias=False, return_sequences=True, name="line")
    x = layers.LSTM(4, name="lstm")(line(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="head")(x), name="model")
    line.set_weights([np.eye(1, 5, dtype="float32"), np.eye(5, k=1, dtype="float32")])
    values = rng.standard_normal((40, 60, 1)).astype("float32") * 3 + 1

    def read(rows):
        return values[rows]

    subject = Subject(model=model, title="line", source="test", family="rnn", read=read, count=40)
    subject.stimuli = series((60, 1), read, 40)
    document, _ = measuring.inspect(subject, budget="fast", only=[], seed=0)
    rows = {row["name"]: row for row in document["layers"]}
    assert rows["line"]["own"]["memory"] == pytest.approx(5, abs=0.1)
    assert rows["line"]["own"]["radius"] == 0
    assert rows["lstm"]["own"]["saturated"].startswith("i ")
    assert {"Gates", "Memory"} <= {table["title"] for table in document["tables"]}
    assert {"saturated", "memory capacity"} <= {method["name"] for method in document["methods"]}


def test_a_layer_without_a_row_of_its_own_is_shown_at_the_sum_that_reads_it(rng):
    """x + rnn(norm(x)): the sum is the place that is measured, also behind a dropout, and the gates are shown there."""
    inputs = keras.Input((9, 4))
    x = layers.Dense(4, name="stem")(inputs)
    update = layers.Dropout(0.2, name="dropout")(layers.GRU(4, return_sequences=True, name="gru")(x))
    x = layers.LayerNormalization(name="norm")(layers.Add(name="sum")([x, update]))
    model = keras.Model(inputs, layers.Dense(2, name="head")(x), name="model")
    values = rng.standard_normal((40, 9, 4)).astype("float32")
    subject = Subject(model=model, title="t", source="t", family="rnn", read=lambda rows: values[rows], count=40)
    document, _ = measuring.inspect(subject, budget="fast", only=[], seed=0)
    shown = [row["name"] for row in document["layers"] if "saturated" in row.get("own", {})]
    assert shown in (["gru"], ["sum"])
    assert next(row for row in document["layers"] if row["name"] == shown[0])["measured"]
