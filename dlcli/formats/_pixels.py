"""Arrays of any number type -> pictures of bytes."""

import numpy as np

from dlcli.errors import DataError


def pictures(x: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays of all splits, scaled alike, as uint8 (N, H, W, 1 or 3); and what was guessed.

    Raises: DataError for shapes and values that are none of pictures.
    """
    scale, remarks = _scale(x)
    pixels = {}
    for split, array in x.items():
        last = _channels_last(array)
        if last.ndim == array.ndim and last.shape != array.shape:
            remarks.append(f"x of {split} has its channels first; they were moved to the end.")
        pixels[split] = _on_white(_to_bytes(last, scale))
    if len({array.shape[3] for array in pixels.values()}) > 1:
        shapes = {split: array.shape for split, array in x.items()}
        raise DataError(f"the splits differ in their channels: {shapes}.")
    return pixels, remarks


def _scale(x: dict[str, np.ndarray]) -> tuple[tuple[float, float], list[str]]:
    """(factor, offset) that bring the values of all splits to 0..255, and a remark."""
    kinds = {array.dtype for array in x.values()}
    if kinds <= {np.dtype(np.uint8)}:
        return (1, 0), []
    if not all(np.isfinite(array).all() for array in x.values() if array.dtype.kind == "f"):
        raise DataError("x has values that are not finite (NaN or infinite).")
    low, high = min(array.min() for array in x.values()), max(array.max() for array in x.values())
    if kinds <= {np.dtype(np.uint16)} and high > 255:
        return (1 / 257, 0), []
    fractions = any(array.dtype.kind in "fb" for array in x.values())
    if low >= 0 and high <= 1 and fractions:
        return (255, 0), []
    if low >= 0 and high <= 255:
        return (1, 0), []
    if low >= -1 and high <= 1 and fractions:
        return (127.5, 127.5), ["x has values in [-1, 1]; they were read as black to white."]
    raise DataError(
        f"x has values from {low:g} to {high:g}.",
        "pixels are in 0..255, or in 0..1 (or -1..1) as fractions.",
    )


def _channels_last(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 4 and array.shape[3] in (1, 3, 4):
        return array
    if array.ndim == 4 and array.shape[1] in (1, 3, 4):
        return array.transpose(0, 2, 3, 1)
    raise DataError(f"x has shape {array.shape}.", "images are (N, H, W) or (N, H, W, C) with C 1, 3 or 4.")


def _to_bytes(array: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    pixels = np.empty(array.shape, np.uint8)
    for i in range(0, len(array), 1024):  # in parts: as float64 the whole might not fit
        part = array[i : i + 1024].astype(np.float32)
        pixels[i : i + 1024] = np.rint(part * scale[0] + scale[1]).clip(0, 255)
    return pixels


def _on_white(pixels: np.ndarray) -> np.ndarray:
    if pixels.shape[3] != 4:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
