"""Painting many small pictures at once: shapes are signed distances, edges are smooth.

A distance is negative inside the shape. All functions work on coordinates (B, H, W) in units of
the shape; `u` goes right, `v` goes down.
"""

import numpy as np


def box(u, v):
    """A square from -1 to 1."""
    return np.maximum(np.abs(u), np.abs(v)) - 1


def disc(u, v):
    """A disc of radius 1."""
    return np.hypot(u, v) - 1


def triangle(u, v, half_base: float = 1.0, height: float = 2.0):
    """Isosceles, tip up, centred in its bounding box."""
    slant = np.float32(np.hypot(height, half_base))
    sides = (np.abs(u) * height + (-v - height / 2) * half_base) / slant
    return np.maximum(sides, v - height / 2)


def star(u, v):
    """Five points of radius 1, tip up."""
    sector = 2 * np.pi / 5
    angle = np.abs((np.arctan2(u, -v) + sector / 2) % sector - sector / 2)
    radius = np.hypot(u, v)
    # the edge from the tip (radius 1, angle 0) to the notch (radius 0.4, half a sector)
    tip_x, notch_x, notch_y = 1.0, 0.4 * np.cos(sector / 2), 0.4 * np.sin(sector / 2)
    edge = np.hypot(tip_x - notch_x, notch_y)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return ((x - tip_x) * notch_y + y * (tip_x - notch_x)) / edge


def stroke(u, v, start, stop):
    """Distance to the line from start to stop; subtract half of the wanted width."""
    (u0, v0), (du, dv) = start, (stop[0] - start[0], stop[1] - start[1])
    along = np.clip(((u - u0) * du + (v - v0) * dv) / (du * du + dv * dv), 0, 1)
    return np.hypot(u - u0 - along * du, v - v0 - along * dv)


def corner(u, v):
    """An L of two strokes."""
    return np.minimum(stroke(u, v, (-0.8, -0.8), (-0.8, 0.8)), stroke(u, v, (-0.8, 0.8), (0.8, 0.8)))


def tee(u, v):
    """A T of two strokes."""
    return np.minimum(stroke(u, v, (-0.9, -0.7), (0.9, -0.7)), stroke(u, v, (0, -0.7), (0, 0.9)))


def cross(u, v):
    """An X of two strokes."""
    return np.minimum(stroke(u, v, (-0.8, -0.8), (0.8, 0.8)), stroke(u, v, (-0.8, 0.8), (0.8, -0.8)))


def arc(u, v):
    """The upper half of a circle line."""
    ring = np.abs(np.hypot(u, v - 0.4) - 0.9)
    ends = np.minimum(np.hypot(u - 0.9, v - 0.4), np.hypot(u + 0.9, v - 0.4))
    return np.where(v < 0.4, ring, ends)


def turned(u, v, angle):
    """Coordinates as a shape sees them that was turned clockwise by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return u * cos + v * sin, v * cos - u * sin


def cover(distance):
    """Share of each pixel that lies inside; `distance` in pixels."""
    return np.clip(0.5 - distance, 0, 1)


def paint(images, share, colours):
    """Lay colours (B, 3) or (B, H, W, 3) over images (B, H, W, 3), in place, and return them."""
    if colours.ndim == 2:
        colours = colours[:, None, None, :]
    images += share[..., None] * (colours - images)
    return images


def colour(hue, saturation, value):
    """Hue in turns, the rest in 0..1 -> red, green, blue (..., 3)."""
    third = (hue[..., None] * 6 + np.array([5.0, 3.0, 1.0])) % 6
    fall = np.clip(np.minimum(third, 4 - third), 0, 1)
    return (value[..., None] * (1 - saturation[..., None] * fall)).astype("float32")


def texture(kind: str, u, v, phase):
    """Brightness 0..1 of a surface pattern with a period of one unit."""
    turns = 2 * np.pi
    if kind == "stripes":
        wave = np.sin(turns * (u + phase))
    elif kind == "checks":
        wave = 1.4 * np.sin(turns * (u + phase)) * np.sin(turns * (v + phase))
    elif kind == "dots":
        wave = np.cos(turns * (u + phase)) + np.cos(turns * (v + phase)) - 0.6
    elif kind == "waves":
        wave = np.sin(turns * (u + phase + 0.25 * np.sin(turns * v / 2)))
    else:
        return np.ones_like(u)
    return np.clip(0.5 + 0.9 * wave, 0, 1)
