"""What an attention head looks at, told from its maps."""

import base64
import io

import numpy as np
from PIL import Image

# A head has the role that takes more than this share of its attention.
ROLE = 0.4
_SIDE, _GAP, _ACROSS, _MOST = 128, 4, 4, 16  # of a picture of heads: pixels, pixels, heads, heads


def fixed(maps: np.ndarray, mask: np.ndarray | None, distance: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (heads,) that need no tokens, means over the positions that count.

    maps (B, heads, T, T): rows sum to 1.  mask: bool (B, T), the tokens that are no padding, or None.
    distance (T, T), NaN where there is none (a class token).  The first position is left out of previous,
    self and first, and the second out of first: a causal head has no choice there.
    """
    maps = maps.astype(np.float64)
    size = maps.shape[-1]
    mask = np.ones((len(maps), size), bool) if mask is None else mask
    place = np.arange(size)
    pairs = np.broadcast_to(np.isfinite(distance), maps.shape)
    known = np.where(pairs, maps, 0.0)
    held = known.sum(axis=-1)
    away = (known * np.nan_to_num(distance)).sum(axis=-1) / np.maximum(held, 1e-9)
    entropy = -(maps * np.log(np.maximum(maps, 1e-30))).sum(axis=-1)
    before = np.zeros_like(entropy)
    before[:, :, 1:] = maps[:, :, place[1:], place[:-1]]
    return {
        "prev": _mean(before, mask & (place >= 1)),
        "self": _mean(maps[:, :, place, place], mask & (place >= 1)),
        "first": _mean(maps[:, :, :, 0], mask & (place >= 2)),
        "entropy": _mean(entropy, mask),
        "distance": _mean(away, mask & np.isfinite(distance).any(axis=-1)),
    }


def of_tokens(maps: np.ndarray, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (heads,): attention to other occurrences of the same token, and to the tokens behind those.

    maps (B, heads, T, T); tokens (B, T). Only positions count at which there is such a token to be seen:
    before them, where no head of the layer looks ahead.
    """
    maps = maps.astype(np.float64)
    size = maps.shape[-1]
    seen = np.tri(size, dtype=bool) if causal(maps) else np.ones((size, size), bool)
    same = tokens[:, :, None] == tokens[:, None, :]  # (B, t, s)
    same &= ~np.eye(size, dtype=bool)
    behind = np.zeros_like(same)
    behind[:, :, 1:] = same[:, :, :-1]
    behind &= ~np.eye(size, dtype=bool)
    found = {}
    for name, wanted in (("dup", same & seen), ("induct", behind & seen)):
        mass = (maps * wanted[:, None]).sum(axis=-1)
        found[name] = _mean(mass, wanted.any(axis=-1))
    return found


def causal(maps: np.ndarray) -> bool:
    """Whether no head looks ahead."""
    return bool(np.triu(maps, 1).max() < 1e-6)


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """values (B, heads, T) -> (heads,), over the positions (B, T) that count."""
    weight = np.broadcast_to(counted[:, None], values.shape)
    return (values * weight).sum(axis=(0, 2)) / np.maximum(weight.sum(axis=(0, 2)), 1)


def roles(scores: dict[str, np.ndarray]) -> list[str]:
    """Of each head the name of its strongest score among the shares of attention, or "other"."""
    names = [name for name in scores if name not in ("entropy", "distance")]
    shares = np.stack([scores[name] for name in names])
    best = shares.argmax(axis=0)
    return [names[i] if shares[i, head] > ROLE else "other" for head, i in enumerate(best)]


def tokens_apart(size: int) -> np.ndarray:
    """|t - s| (T, T)"""
    place = np.arange(size)
    return np.abs(place[:, None] - place).astype(float)


def pixels_apart(size: int, height: int, width: int) -> np.ndarray | None:
    """Distances (T, T) between the centres of patches in row order, a class token before them allowed (NaN);
    None where the patches make no grid of squares."""
    for extra in (0, 1):
        side = np.sqrt(height * width / max(size - extra, 1))  # of a patch
        rows, columns = round(height / side), round(width / side)
        if rows * columns == size - extra and np.isclose(rows * side, height) and np.isclose(columns * side, width):
            y, x = np.divmod(np.arange(size - extra), columns)
            apart = np.full((size, size), np.nan)
            apart[extra:, extra:] = side * np.hypot(y[:, None] - y, x[:, None] - x)
            return apart
    return None


def drawn(maps: np.ndarray) -> str:
    """Maps (heads, T, T) of one sequence as a PNG in base64: one square per head, white 0, each to its own maximum."""
    maps = maps[:_MOST]
    across = min(_ACROSS, len(maps))
    down = -(-len(maps) // across)
    sheet = np.full((down * (_SIDE + _GAP) - _GAP, across * (_SIDE + _GAP) - _GAP), 63, np.uint8)
    at = np.arange(_SIDE) * maps.shape[-1] // _SIDE
    for i, one in enumerate(maps):
        # the root, since most of a map is nearly 0;  63 greys: fewer make smaller files
        shade = 62 - np.round(62 * np.sqrt(one / max(float(one.max()), 1e-9))).astype(np.uint8)
        y, x = (i // across) * (_SIDE + _GAP), (i % across) * (_SIDE + _GAP)
        sheet[y : y + _SIDE, x : x + _SIDE] = shade[np.ix_(at, at)]
    image = Image.fromarray(sheet)
    image.putpalette([v for i in range(63) for v in (i * 4, i * 4, min(255, 70 + i * 3))] + [127, 127, 127])
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")
