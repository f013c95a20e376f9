"""The largest Lyapunov exponent of recurrent layers, against closed forms, stepped Jacobians and chaos."""

import keras
import numpy as np
import pytest
from keras import layers

from dlcli.inspection import measuring
from dlcli.inspection.subject import Subject
from dlcli.lenses import lyapunov
from dlcli.lenses._recurrent import streams


def exponents(layer, weights, x, *, masked=False):
    """Of every sequence of x (B, T, C) in a network of this one layer with these weights."""
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(layers.Masking()(inputs) if masked else inputs))
    layer.set_weights([np.asarray(w, "float32") for w in weights])
    (stream,), _ = streams(model, x)
    return lyapunov.exponents(stream, np.random.default_rng(0))


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((6, 80, 1)).astype("float32")


def test_of_a_linear_network_it_is_the_log_of_the_spectral_radius(x):
    """h' = h U + x with eigenvalues 0.9, 0.5 and 0.2 of a U that is not symmetric: ln 0.9 a step, whatever goes in."""
    vectors = np.array([[1.0, 0.5, 0.2], [0.0, 1.0, 0.7], [0.3, 0.0, 1.0]])
    recurrent = vectors @ np.diag([0.9, 0.5, 0.2]) @ np.linalg.inv(vectors)
    line = layers.SimpleRNN(3, activation="linear", use_bias=False)
    assert exponents(line, [np.ones((1, 3)), recurrent], x) == pytest.approx(np.log(0.9), abs=2e-3)


def test_of_turning_states_it_is_the_log_of_the_length(x):
    """A turn by 40 degrees and a growth by 1.1 a step: two complex eigenvalues of size 1.1, far beyond float32 in the end."""
    angle = np.radians(40)
    turn = 1.1 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    line = layers.SimpleRNN(2, activation="linear", use_bias=False)
    assert exponents(line, [np.ones((1, 2)), turn], x) == pytest.approx(np.log(1.1), abs=1e-3)


def test_of_an_lstm_that_only_keeps_it_is_its_forget_gate(x):
    """All kernels 0: the cell is multiplied by sigmoid(2) at each step, and the output gate is no way around that."""
    found = exponents(layers.LSTM(1), [np.zeros((1, 4)), np.zeros((1, 4)), [0.0, 2.0, 0.3, 1.0]], x)
    assert found == pytest.approx(-np.log1p(np.exp(-2)), abs=1e-3)


def test_of_a_gru_that_only_keeps_it_is_its_update_gate(x):
    """All kernels 0: h' = z h + (1 - z) tanh(b)."""
    found = exponents(layers.GRU(1), [np.zeros((1, 3)), np.zeros((1, 3)), [[1.5, 0.0, 0.4], [0.0, 0.0, 0.0]]], x)
    assert found == pytest.approx(-np.log1p(np.exp(-1.5)), abs=1e-3)


def test_of_one_tanh_it_is_the_mean_log_slope_along_its_own_path(x):
    """h' = tanh(0.8 h + x): the slopes are multiplied up by NumPy, over the steps that count."""
    found = exponents(layers.SimpleRNN(1, use_bias=False), [[[1.0]], [[0.8]]], x)
    h, slopes = np.zeros(len(x)), []
    for t in range(80):
        h = np.tanh(0.8 * h + x[:, t, 0])
        slopes.append(np.log(0.8 * (1 - h**2)))
    # the steps of the segments of eight between the first and the last quarter
    assert found == pytest.approx(np.mean(slopes[24:56], axis=0), abs=1e-4)


def test_large_random_weights_are_chaos_and_small_ones_are_not():
    """Tanh units with random weights of size g / sqrt(units): order below g = 1, chaos above (Sompolinsky et al., 1988)."""
    weights = np.random.default_rng(3).standard_normal((200, 200)) / np.sqrt(200)
    start = np.zeros((4, 200, 1), "float32")
    start[:, 0] = np.random.default_rng(4).standard_normal((4, 1))  # a push, and then nothing
    kernel = np.random.default_rng(5).standard_normal((1, 200))
    found = {
        g: exponents(layers.SimpleRNN(200, use_bias=False), [kernel, g * weights], start).mean() for g in (0.5, 3.0)
    }
    assert found[0.5] == pytest.approx(np.log(0.5), abs=0.12)
    assert found[3.0] > 0.2


def test_a_delay_line_lets_nothing_last_and_short_sequences_are_not_told(x):
    """A nilpotent kernel: -inf; seven steps are too few for any answer."""
    line = layers.SimpleRNN(5, activation="linear", use_bias=False)
    assert np.isneginf(exponents(line, [np.eye(1, 5), np.eye(5, k=1)], x)).all()
    assert np.isnan(exponents(layers.GRU(2), [np.ones((1, 6)), np.ones((2, 6)), np.ones((2, 6))], x[:, :7])).all()


def test_padding_does_not_count(x):
    """Half of the steps masked: the exponent is that of the others, and no lower."""
    padded = x.copy()
    padded[:, 40:] = 0
    weights = [np.zeros((1, 4)), np.zeros((1, 4)), [0.0, 2.0, 0.3, 1.0]]
    assert exponents(layers.LSTM(1), weights, padded, masked=True) == pytest.approx(-np.log1p(np.exp(-2)), abs=1e-3)


def padded_in(order, x, steps):
    """x (B, T, 1) with each sequence's first steps[i] put where `order` says, and zeros, which are masked, elsewhere."""
    padded = np.zeros_like(x)
    for row, (values, n) in enumerate(zip(x, steps, strict=True)):
        at = {"left": np.arange(80 - n, 80), "right": np.arange(n), "gaps": np.arange(n) * (80 // n)}[order]
        padded[row, at] = values[:n]
    return padded


@pytest.mark.parametrize("order", ["left", "right", "gaps"])
def test_where_the_padding_stands_makes_no_difference(x, order):
    """Masked steps change no state: 40 steps of 80 are like a sequence of 40, wherever they are."""
    weights = [[[1.0]], [[0.8]]]
    found = exponents(layers.SimpleRNN(1, use_bias=False), weights, padded_in(order, x, [40] * 6), masked=True)
    assert found == pytest.approx(exponents(layers.SimpleRNN(1, use_bias=False), weights, x[:, :40]), abs=1e-5)


@pytest.mark.parametrize("order", ["left", "right"])
def test_short_sequences_among_long_ones_count_from_eight_steps_on(x, order):
    """Of an LSTM that only keeps: its forget gate for each of them, and no answer for seven steps."""
    weights = [np.zeros((1, 4)), np.zeros((1, 4)), [0.0, 2.0, 0.3, 1.0]]
    found = exponents(layers.LSTM(1), weights, padded_in(order, x, [80, 7, 8, 9, 13, 31]), masked=True)
    assert found == pytest.approx(np.where(np.arange(6) == 1, np.nan, -np.log1p(np.exp(-2))), abs=1e-3, nan_ok=True)


def test_the_backward_half_begins_with_the_last_real_step(x):
    """Sequences padded on the right, which come first when they are read backwards."""
    inputs = keras.Input((80, 1))
    both = layers.Bidirectional(layers.SimpleRNN(1, use_bias=False))
    model = keras.Model(inputs, both(layers.Masking()(inputs)))
    both.set_weights([np.float32([[w]]) for w in (1.0, 0.8, 1.0, -0.9)])
    found, _ = streams(model, padded_in("right", x, [30] * 6))
    backward = next(stream for stream in found if stream.direction == "backward")
    alone = exponents(layers.SimpleRNN(1, use_bias=False), [[[1.0]], [[-0.9]]], x[:, :30][:, ::-1])
    assert lyapunov.exponents(backward, np.random.default_rng(0)) == pytest.approx(alone, abs=1e-5)


def test_a_few_sequences_in_which_nothing_lasts_are_counted_and_no_more():
    """Their logarithm has no mean with others: only where they are the half is it the layer's."""
    nothing = -np.inf
    exponent, _, lasts, counted = lyapunov.told(np.array([-0.5, nothing, -0.25, -0.3, np.nan]))
    assert (exponent, lasts, counted) == (-0.35, "2.9", "3 of 5")
    assert lyapunov.told(np.array([-0.5, nothing, nothing, -0.3])) == ["-inf", "–", "0", "4 of 4"]
    assert lyapunov.told(np.array([-0.5, np.nan])) == [-0.5, "–", "2.0", "1 of 2"]
    assert lyapunov.told(np.full(2, np.nan)) is None


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="TensorFlow does not tell what it compiles")
def test_a_layer_is_two_programs_however_many_steps_there_are(x):
    """A compilation takes half a second: there must not be one for every eight steps."""
    import jax

    inputs, compiled = keras.Input((240, 1)), []
    (stream,), _ = streams(keras.Model(inputs, layers.LSTM(1)(inputs)), np.tile(x, (1, 3, 1)))
    jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: compiled.append(name))
    lyapunov.exponents(stream, np.random.default_rng(0))
    assert sum("backend_compile" in name for name in compiled) == 2


def test_it_stands_in_the_document_beside_the_radius():
    """At the standard budget; a backward direction has a row of its own in the table."""
    inputs = keras.Input((24, 2))
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.GRU(3, name="gru")(both)))
    values = np.random.default_rng(0).standard_normal((20, 24, 2)).astype("float32")
    subject = Subject(model=model, title="t", source="t", family="rnn", read=lambda rows: values[rows], count=20)
    document, _ = measuring.inspect(subject, budget="standard", only=[], seed=0)
    own = {row["name"]: row.get("own", {}) for row in document["layers"]}
    table = next(table for table in document["tables"] if table["title"] == "Stability")
    forward, backward, gru = table["rows"]
    assert [row[:2] for row in table["rows"]] == [["both", "forward"], ["both", "backward"], ["gru", ""]]
    assert forward[2] != backward[2]
    assert own["both"]["lyapunov"] == forward[2] < 0
    assert own["gru"]["lyapunov"] == gru[2] < 0
    assert {row[-1] for row in table["rows"]} == {"16 of 16"}
    assert "Lyapunov exponent" in {method["name"] for method in document["methods"]}
