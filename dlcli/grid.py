"""Many pictures as one."""

import math

import numpy as np


def grid(images: np.ndarray, columns: int | None = None, *, gap: int = 2) -> np.ndarray:
    """Pictures uint8 (n, H, W, C) in rows, with white lines between -> (rows, across), or (rows, across, 3).

    columns: default, as near to a square as n allows.
    """
    n, height, width, channels = images.shape
    columns = min(n, columns or math.ceil(math.sqrt(n)))
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet[..., 0] if channels == 1 else sheet
