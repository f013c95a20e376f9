"""Draw text from a language model, token by token."""

import keras
import numpy as np

from dlcli.errors import DlcliError


def sample(
    model: keras.Model,
    start: np.ndarray,
    *,
    n: int,
    length: int,
    context: int,
    forbidden: list[int],
    end: int,
    temperature: float,
    top_k: int | None,
    top_p: float,
    seed: int,
) -> list[np.ndarray]:
    """n rows of at most `length` ids that go on from `start`; a row that draws `end` stops there.

    The model sees the last `context` ids, padded on the right: one shape, compiled once. With
    learned positions every step is a whole forward pass, as nothing of the last one stays valid
    once the window moves.
    """
    if temperature < 0 or not 0 < top_p <= 1 or (top_k is not None and top_k < 1):
        raise DlcliError(
            f"temperature {temperature}, top_k {top_k}, top_p {top_p}: cannot draw like that.",
            "temperature is 0 or more, top_k 1 or more, top_p in (0, 1].",
        )
    rng = np.random.default_rng(seed)
    ids = np.zeros((n, len(start) + length), np.int32)
    ids[:, : len(start)] = start
    alive = np.ones(n, bool)
    lengths = np.full(n, length)
    for step in range(length):
        known = len(start) + step
        first = max(0, known - context)
        window = np.zeros((n, context), np.int32)
        window[:, : known - first] = ids[:, first:known]
        logits = np.asarray(model.predict_on_batch(window), np.float64)[:, known - first - 1]
        logits[:, forbidden] = -np.inf
        # every row draws at every step, so that no text depends on when another ends
        drawn = _draw(logits, rng.random(n), temperature=temperature, top_k=top_k, top_p=top_p)
        ids[:, known] = drawn
        ended = alive & (drawn == end)
        lengths[ended] = step
        alive &= ~ended
        if not alive.any():
            break
    return [row[len(start) : len(start) + count] for row, count in zip(ids, lengths, strict=True)]


def _draw(logits: np.ndarray, chance: np.ndarray, *, temperature: float, top_k: int | None, top_p: float) -> np.ndarray:
    """One id per row. logits (n, V), chance (n,) in [0, 1)."""
    if temperature == 0:
        return logits.argmax(axis=1)
    order = np.argsort(-logits, axis=1, kind="stable")
    scaled = np.take_along_axis(logits, order, axis=1) / temperature
    p = np.exp(scaled - scaled[:, :1])
    p /= p.sum(axis=1, keepdims=True)
    # kept: until the share before a token has reached top_p (Holtzman et al., 2020); always the first
    p[np.cumsum(p, axis=1) - p >= top_p] = 0.0
    if top_k is not None:
        p[:, top_k:] = 0.0
    below = np.cumsum(p, axis=1)
    picked = (below <= chance[:, None] * below[:, -1:]).sum(axis=1)
    return order[np.arange(len(order)), picked]
