"""Red cells: discs with a pale centre, drawn once as a set of stamps and laid down many times."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["RED_CELL_RADIUS", "Stamp", "draw_stamps", "lay_red_cells"]

RED_CELL_RADIUS = 3.6
"""Mean radius of a red cell on a dried film in micrometres."""

Stamp = NDArray[np.uint16]
"""``uint16 [size, size]``: thickness of haemoglobin, 256 being the stain's red cell."""

_STAMPS = 32
_SINGLE = np.uint16(220)
"""Thickness above which more of it counts for less: in ALL-IDB1 an overlap darkens by a third of one cell at most."""


def draw_stamps(rng: np.random.Generator, microns_per_pixel: float) -> list[Stamp]:
    """Red cells of slightly different size, outline, pallor and shade.

    The field's own mean pallor is drawn first: red cells of one slide resemble each other.
    """
    radius = RED_CELL_RADIUS / microns_per_pixel
    half = math.ceil(radius * 1.45) + 2
    axis = np.arange(-half, half + 1, dtype=np.float64)
    x, y = axis[None, :], axis[:, None]
    distance = np.sqrt(x * x + y * y)
    safe = np.maximum(distance, 1e-6)
    # cos and sin of 1, 2 and 3 times the bearing by the addition theorem: no trigonometry, the same on every machine.
    cos1, sin1 = x / safe, y / safe
    cos2, sin2 = cos1 * cos1 - sin1 * sin1, 2.0 * cos1 * sin1
    cos3, sin3 = cos2 * cos1 - sin2 * sin1, sin2 * cos1 + cos2 * sin1
    mean_pallor = 0.2 + 0.5 * float(rng.random())
    stamps: list[Stamp] = []
    for _ in range(_STAMPS):
        size = radius * (0.9 + 0.2 * float(rng.random()))
        a2, b2, a3, b3 = ((rng.random(4) - 0.5) * np.array([0.2, 0.2, 0.08, 0.08])).tolist()
        border = size * (1.0 + a2 * cos2 + b2 * sin2 + a3 * cos3 + b3 * sin3)
        relative = distance / border
        # A soft edge, about 0.25 micrometres wide, then a dome that is nearly flat.
        edge = np.clip((border - distance) * microns_per_pixel / 0.25 + 0.5, 0.0, 1.0)
        dome = np.clip(0.78 + (1.0 - relative) * 1.1, 0.0, 1.0)
        pallor = min(0.95, mean_pallor * (0.4 + 1.2 * float(rng.random())))
        width = 0.45 + 0.3 * float(rng.random())
        dx, dy = ((rng.random(2) - 0.5) * 0.24 * size).tolist()
        inner = np.clip(1.0 - ((x - dx) ** 2 + (y - dy) ** 2) / (border * width) ** 2, 0.0, 1.0)
        hollow = 1.0 - pallor * inner * inner * (3.0 - 2.0 * inner)
        shade = 0.84 + 0.24 * float(rng.random())
        stamps.append(np.round(256.0 * shade * edge * dome * hollow).astype(np.uint16))
    return stamps


def lay_red_cells(
    rng: np.random.Generator, stamps: list[Stamp], centres: list[tuple[int, int]], height: int, width: int
) -> NDArray[np.uint16]:
    """Thickness of haemoglobin over the field, ``uint16 [height, width]``; overlapping cells add up."""
    thickness = np.zeros((height, width), np.uint16)
    half = stamps[0].shape[0] // 2
    choices = rng.integers(0, len(stamps), size=len(centres)).tolist()
    turns = rng.integers(0, 8, size=len(centres)).tolist()
    for (x, y), choice, turn in zip(centres, choices, turns, strict=True):
        stamp = stamps[choice]
        stamp = np.rot90(stamp.T if turn & 4 else stamp, turn & 3)
        left, top = x - half, y - half
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(x + half + 1, width), min(y + half + 1, height)
        if x0 < x1 and y0 < y1:
            thickness[y0:y1, x0:x1] += stamp[y0 - top : y1 - top, x0 - left : x1 - left]
    # Cells that lie on each other are pressed flat, and a camera's tone curve compresses the dark end.
    return np.where(thickness > _SINGLE, _SINGLE + (thickness - _SINGLE) // 4, thickness)
