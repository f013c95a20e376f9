"""Small pictures for a report: tiles side by side, as PNG in base64."""

import base64
import io

import numpy as np
from keras import tree
from PIL import Image

LARGEST = 60_000  # bytes of one picture
_GAP = 2


def picture(title: str, pixels: np.ndarray, *, caption: str, alt: str) -> dict[str, str]:
    """pixels uint8 (H, W, 3) -> the document's entry. In fewer colours, then smaller, until it is small enough."""
    image = Image.fromarray(pixels)
    for colours, share in ((256, 1), (64, 1), (64, 0.7), (32, 0.5), (16, 0.3)):
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        stream = io.BytesIO()
        image.resize(size).quantize(colours, Image.Quantize.MEDIANCUT).save(stream, "PNG", optimize=True)
        if stream.tell() <= LARGEST:
            break
    return {"title": title, "caption": caption, "alt": alt, "png": base64.b64encode(stream.getvalue()).decode("ascii")}


def sheet(rows: list[list[np.ndarray]], side: int) -> np.ndarray:
    """Tiles (h, w, 1 or 3) uint8 in rows -> one picture (H, W, 3); small tiles are enlarged pixel by pixel."""
    columns = max(len(row) for row in rows)
    step = side + _GAP
    drawn = np.full((len(rows) * step - _GAP, columns * step - _GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, one in enumerate(row):
            drawn[i * step : i * step + side, j * step : j * step + side] = tile(one, side)
    return drawn


def tile(pixels: np.ndarray, side: int) -> np.ndarray:
    """(h, w, 1 or 3) uint8 -> (side, side, 3): nearest when enlarged, averaged when made smaller."""
    pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    method = Image.Resampling.NEAREST if max(pixels.shape[:2]) <= side else Image.Resampling.BOX
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((side, side), method))


def glow(pixels: np.ndarray, heat: np.ndarray, side: int) -> np.ndarray:
    """What is above 0 in a map (h, w), enlarged, as red light over the picture (H, W, 1 or 3) in grey."""
    heat = np.maximum(heat, 0)
    image = Image.fromarray((heat / max(heat.max(), 1e-12)).astype(np.float32))
    heat = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))[..., None]
    grey = tile(pixels, side).mean(axis=-1, keepdims=True) * 0.6
    return np.round(np.clip(grey + heat * (np.array([255, 120, 0]) - 0.6 * grey), 0, 255)).astype(np.uint8)


def curve(heights: np.ndarray, side: int, *, marked: int | None = None) -> np.ndarray:
    """A line through heights (n,) in 0..1 -> (side, side, 3) on light grey; dark grey where values are unknown (NaN).

    marked: the index of a value that gets a red line of its own.
    """
    drawn = np.full((side, side, 3), 240, np.uint8)
    known = np.flatnonzero(np.isfinite(heights))
    if not len(known):
        return drawn
    x = np.linspace(0, len(heights) - 1, side)
    row = np.round((1 - np.clip(np.interp(x, known, heights[known]), 0, 1)) * (side - 1)).astype(int)
    outside = (x < known[0]) | (x > known[-1])
    if marked is not None:
        drawn[:, round(marked / max(len(heights) - 1, 1) * (side - 1))] = (230, 120, 110)
    for i in range(side):
        if not outside[i]:
            low, high = sorted((row[i], row[max(i - 1, 0)]))
            drawn[low : high + 1, i] = (30, 50, 90)
    drawn[:, outside] = 128
    return drawn


def visible(x: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """Pictures as a model takes or gives them (n, H, W, C) -> uint8; the scale is told from `like` (default: x itself).

    0..255, 0..1 and -1..1 are known by their range; anything else is stretched, each channel by itself.
    """
    x, like = np.asarray(x, np.float32), np.asarray(x if like is None else like, np.float32)
    low, high = scale(like)
    x = (x - low) / np.maximum(high - low, 1e-6)
    return np.clip(np.round(255 * x), 0, 255).astype(np.uint8)


def scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What black and white are in pictures (n, H, W, C): two arrays that go with them."""
    low, high = float(x.min()), float(x.max())
    if low >= -0.02:
        return np.float32(0), np.float32(1 if high <= 1.02 else 255)
    if low >= -1.02 and high <= 1.02:
        return np.float32(-1), np.float32(1)
    # noisy pictures of 0..255 have a few values beyond; so the ends are where nearly all are within
    return np.quantile(x, 0.005, axis=(0, 1, 2)), np.quantile(x, 0.995, axis=(0, 1, 2))


def drawable(x) -> bool:
    """Whether x is a batch of pictures with one or three channels."""
    return len(getattr(x, "shape", ())) == 4 and x.shape[-1] in (1, 3)


def pictures_in(x) -> np.ndarray | None:
    """The one batch of pictures among what goes into a model; None where there is none, or more than one."""
    found = [leaf for leaf in tree.flatten(x) if drawable(leaf)]
    return found[0] if len(found) == 1 else None
