"""Rendering many stimuli of one size: signals in -1..1 times colours, in chunks."""

from collections.abc import Callable

import numpy as np

from dlcli.stimuli._balanced import Draws

PIXELS = 1 << 19  # per chunk: a dozen planes of this size fit 32 MB


class Sheet:
    """Pictures of one size and what they have in common. Lengths are in pixels."""

    def __init__(self, height: int, width: int, channels: int):
        self.height, self.width, self.channels = height, width, channels
        self.side = min(height, width)
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        self.x, self.y = x.astype("float32")[None], y.astype("float32")[None]  # (1, H, W)

    def stroke(self, share: float) -> float:
        """Width of a line that is that share of the side; thinner than 1.2 pixels it would fade."""
        return max(1.2, share * self.side)

    def places(self, draws: Draws, reach):
        """Centres (n,), (n,) that keep things of that reach (n,) inside."""
        return tuple(
            length / 2 + draws.uniform(-0.5, 0.5) * np.maximum(length - 2 * reach, 0)
            for length in (self.width, self.height)
        )

    def ground(self, draws: Draws, room) -> np.ndarray:
        """A mean colour (n, C) that leaves `room`, a number or (n, C), on both sides within 0..1."""
        free = np.stack([draws.uniform(-0.5, 0.5) for _ in range(self.channels)], axis=1)
        return 0.5 + free * (1 - 2 * room)

    def axis(self, draws: Draws, low: float, high: float) -> np.ndarray:
        """A step in colour (n, C), its largest part low..high in size.

        It goes up as often as down, so the mean of every pixel is the same in every class and a
        linear probe on pixels has nothing to read.
        """
        step = np.stack([1 + draws.normal(0.9) for _ in range(self.channels)], axis=1)
        step /= np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-3)
        return step * (draws.sign() * draws.uniform(low, high))[:, None]

    def render(self, n: int, paint: Callable) -> np.ndarray:
        """Pictures, uint8 (n, H, W, C).

        `paint(rows)` gives the colour (B, C) of the ground for a slice of the stimuli and a list of
        (signal (B, H, W), colour (B, C)) to add to it.
        """
        pictures = np.empty((n, self.height, self.width, self.channels), dtype=np.uint8)
        chunk = max(1, PIXELS // (self.height * self.width))
        for start in range(0, n, chunk):
            rows = slice(start, min(start + chunk, n))
            ground, layers = paint(rows)
            for channel in range(self.channels):
                plane = layers[0][0] * each(layers[0][1][:, channel] * 255)
                for signal, colour in layers[1:]:
                    plane += signal * each(colour[:, channel] * 255)
                plane += each(ground[:, channel] * 255 + 0.5)
                pictures[rows, :, :, channel] = np.clip(plane, 0, 255, out=plane)
        return pictures


def each(values) -> np.ndarray:
    """(B,) -> (B, 1, 1) in single precision."""
    return np.asarray(values, dtype="float32")[:, None, None]


def seen(sheet: Sheet, x, y, angle, size):
    """Coordinates (B, H, W) as a thing sees them at that place (B,), turned by radians, of that size."""
    u, v = sheet.x - each(x), sheet.y - each(y)
    cos, sin = each(np.cos(angle) / size), each(np.sin(angle) / size)
    return u * cos + v * sin, v * cos - u * sin
