"""Weights of untrained twins: of the distributions that Keras names, from NumPy's generator."""

import keras
import numpy as np
import pytest
from keras import initializers

from dlcli.inspection.drawing_weights import drawn

SHAPES = {"dense": (400, 300), "convolution": (3, 3, 60, 80), "tall": (300, 64)}
KINDS = {
    "glorot uniform": initializers.GlorotUniform(),
    "glorot normal": initializers.GlorotNormal(),
    "he normal": initializers.HeNormal(),
    "he uniform": initializers.HeUniform(),
    "lecun normal": initializers.LecunNormal(),
    "variance scaling": initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
    "normal": initializers.RandomNormal(0.3, 0.02),
    "truncated": initializers.TruncatedNormal(-0.1, 0.5),
    "uniform": initializers.RandomUniform(-0.2, 0.6),
    "orthogonal": initializers.Orthogonal(1.5),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", KINDS)
def test_weights_are_distributed_as_keras_draws_them(name, shape):
    """Against Keras' own draw: mean, deviation and every twentieth part of the distribution."""
    initializer = type(KINDS[name]).from_config({**KINDS[name].get_config(), "seed": 3})
    theirs = np.asarray(keras.ops.convert_to_numpy(initializer(shape)))
    ours = drawn(KINDS[name], shape, np.random.default_rng(0))
    assert (ours.shape, ours.dtype) == (theirs.shape, np.float32)
    size = theirs.std()
    parts = np.linspace(0.02, 0.98, 20)
    assert np.quantile(ours, parts) == pytest.approx(np.quantile(theirs, parts), abs=0.06 * float(size))
    assert ours.std() == pytest.approx(size, rel=0.02)
    bounded = name in ("glorot uniform", "he uniform", "uniform", "truncated", "he normal", "glorot normal")
    if bounded:  # nothing beyond the ends, and something near them
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.02)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (3, 3, 4, 20)])
def test_an_orthogonal_matrix_is_one(shape):
    """Its columns, or its rows where they are fewer, are of one length and at right angles."""
    matrix = drawn(initializers.Orthogonal(2.0), shape, np.random.default_rng(0)).reshape(-1, shape[-1])
    short = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    assert short.T @ short == pytest.approx(4 * np.eye(short.shape[1]), abs=1e-5)


def test_the_same_generator_gives_the_same_weights_and_another_others():
    """NumPy's generator alone decides: whatever the backend's own seed is."""
    keras.utils.set_random_seed(1)
    first = drawn(initializers.GlorotUniform(seed=5), (4, 3), np.random.default_rng(7))
    keras.utils.set_random_seed(2)
    again = drawn(initializers.GlorotUniform(seed=6), (4, 3), np.random.default_rng(7))
    other = drawn(initializers.GlorotUniform(seed=5), (4, 3), np.random.default_rng(8))
    assert np.array_equal(first, again)
    assert not np.isclose(first, other).any()
    limit = np.sqrt(6 / 7)
    expected = np.random.default_rng(7).uniform(-1, 1, (4, 3)) * limit
    assert first == pytest.approx(expected, abs=1e-6)


def test_what_draws_nothing_is_what_it_says():
    """Zeros, ones, a constant and the identity."""
    rng = np.random.default_rng(0)
    assert not drawn(initializers.Zeros(), (3,), rng).any()
    assert drawn(initializers.Constant(0.25), (2, 2), rng).tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert np.array_equal(drawn(initializers.IdentityInitializer(), (3, 3), rng), np.eye(3))
