"""Draw weights as Keras' initialisers do, from NumPy's generator: the same seed gives the same weights on every backend."""

import keras
import numpy as np
from keras import initializers

# Deviation of a standard normal cut at 2: VarianceScaling divides by it.
_CUT = 0.87962566103423978


def drawn(initializer: initializers.Initializer, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """float32 of this shape, of the distribution that the initialiser stands for.

    Those that draw nothing are asked themselves; so are those of somebody's own, with a seed where they take one.
    """
    if isinstance(initializer, initializers.VarianceScaling):
        values = _scaled(initializer, shape, rng)
    elif isinstance(initializer, initializers.Orthogonal):
        values = _orthogonal(initializer.gain, shape, rng)
    elif isinstance(initializer, initializers.TruncatedNormal):
        values = initializer.mean + initializer.stddev * _truncated(shape, rng)
    elif isinstance(initializer, initializers.RandomNormal):
        values = rng.normal(initializer.mean, initializer.stddev, shape)
    elif isinstance(initializer, initializers.RandomUniform):
        values = rng.uniform(initializer.minval, initializer.maxval, shape)
    else:
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = int(rng.integers(2**31))
        values = keras.ops.convert_to_numpy(type(initializer).from_config(config)(shape))
    return np.array(values, np.float32)


def _scaled(initializer, shape, rng: np.random.Generator) -> np.ndarray:
    """Glorot, He and LeCun: variance = scale / fan (Glorot & Bengio, 2010)."""
    taps = int(np.prod(shape[:-2]))  # of a convolution
    fan_in, fan_out = (taps * shape[-2], taps * shape[-1]) if len(shape) > 1 else (shape or (1,)) * 2
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[initializer.mode]
    variance = initializer.scale / max(1.0, fan)
    if initializer.distribution == "truncated_normal":
        return np.sqrt(variance) / _CUT * _truncated(shape, rng)
    if initializer.distribution == "uniform":
        return rng.uniform(-1, 1, shape) * np.sqrt(3 * variance)
    return np.sqrt(variance) * rng.normal(size=shape)


def _truncated(shape, rng: np.random.Generator) -> np.ndarray:
    """Standard normal; what lies beyond 2 is drawn anew."""
    values = rng.normal(size=shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.normal(size=int(far.sum()))
    return values


def _orthogonal(gain: float, shape, rng: np.random.Generator) -> np.ndarray:
    """Saxe et al., 2014: the Q of a Gaussian matrix, with the signs that make it uniform."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T).reshape(shape)
