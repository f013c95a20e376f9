"""How likely a variational autoencoder holds examples to be: what its two terms come to, and a bound of its evidence."""

import keras
import numpy as np

from dlcli.task import Source

_AT_ONCE = 10_000  # codes decoded together


def is_variational(model: keras.Model) -> bool:
    """Whether the model draws its code (architectures name that layer "latent")."""
    return "latent" in [layer.name for layer in model.layers]


def parts(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The encoder, input -> [mean (B, Z), log variance (B, Z)], and the decoder, code (B, Z) -> values."""
    latent = model.get_layer("latent")
    return keras.Model(model.input, latent.input), keras.Model(latent.output, model.output)


def divergence(model: keras.Model, source: Source) -> np.ndarray:
    """KL of every example's code from the standard normal, nats (n,)."""
    encoder, _ = parts(model)
    found = []
    for x, _ in _batches(source, 256):
        mean, log_variance = _codes(encoder, x)
        found.append(0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1))
    return np.concatenate(found)


def negative_log_likelihood(model: keras.Model, source: Source, *, samples: int, seed: int = 0) -> np.ndarray:
    """-ln of the mean over `samples` codes of p(x | z) p(z) / q(z | x), nats per example (n,).

    Burda et al. (2016), where it is L_k: never below the true value on average, and nearer to it with
    more samples. Values are 0 or 1, and what the model gives are their probabilities.
    """
    encoder, decoder = parts(model)
    rng = np.random.default_rng(seed)
    found = []
    for x, y in _batches(source, max(1, _AT_ONCE // samples)):
        mean, log_variance = _codes(encoder, x)
        noise = rng.standard_normal((samples, *mean.shape))
        codes = mean + np.exp(log_variance / 2) * noise  # (samples, B, Z)
        p = decoder.predict_on_batch(codes.reshape(-1, mean.shape[1]).astype(np.float32))
        p = np.clip(np.asarray(p, np.float64), 1e-7, 1 - 1e-7).reshape(samples, len(y), -1)
        y = y.reshape(len(y), -1)
        weight = np.log(np.where(y > 0.5, p, 1 - p)).sum(axis=2)
        weight += 0.5 * (noise**2 - codes**2 + log_variance).sum(axis=2)
        top = weight.max(axis=0)
        found.append(-(top + np.log(np.exp(weight - top).mean(axis=0))))
    return np.concatenate(found)


def _codes(encoder: keras.Model, x) -> tuple[np.ndarray, np.ndarray]:
    mean, log_variance = (np.asarray(part, np.float64) for part in encoder.predict_on_batch(x))
    return mean, np.clip(log_variance, -20, 20)  # as the layer does


def _batches(source: Source, size: int):
    """Yields (x, y), every example once, in order."""
    for number, start in enumerate(range(0, len(source), size)):
        chosen = np.arange(start, min(start + size, len(source)))
        x, y, *_ = source.batch(chosen, np.random.default_rng([0, number]))
        yield x, y
