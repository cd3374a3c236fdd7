"""Outlines of cells and nuclei as polygons in micrometres.

Sine and cosine may differ in the last bit from one machine to the next; they are rounded here, so that everything
built on them is the same everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cut", "Points", "cut_outline", "direction", "indent", "rounded_outline"]

Points = NDArray[np.float64]
"""``float64 [n, 2]``: x, y in micrometres from the centre of the cell."""

_CORNERS = 96
_DECIMALS = 9
_ANGLES: NDArray[np.float64] = np.arange(_CORNERS, dtype=np.float64) * (2.0 * math.pi / _CORNERS)


@dataclass(frozen=True, slots=True)
class Cut:
    """A straight border with a neighbour: nothing of the cell lies beyond ``distance`` along ``normal``."""

    normal: tuple[float, float]
    distance: float


def direction(angle: float) -> tuple[float, float]:
    """The unit vector at an angle in radians."""
    return round(math.cos(angle), _DECIMALS), round(math.sin(angle), _DECIMALS)


def _cosine(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.round(np.cos(angles), _DECIMALS), np.float64)


def rounded_outline(
    rng: np.random.Generator,
    radius: float,
    *,
    irregularity: float,
    elongation: float = 1.0,
    angle: float = 0.0,
    waves: tuple[int, ...] = (2, 3, 4, 5),
) -> Points:
    """A closed, irregular outline about the origin.

    Args:
        rng: source of the shape.
        radius: mean radius in micrometres.
        irregularity: amplitude of each wave as a fraction of the radius.
        elongation: long axis over short axis, at constant area.
        angle: direction of the long axis in radians.
        waves: the numbers of waves round the outline.
    """
    factor = np.ones(_CORNERS)
    for count in waves:
        amplitude = irregularity * rng.random() * (2.0 / count if count > 2 else 1.0)
        factor += amplitude * _cosine(count * _ANGLES + 2.0 * math.pi * rng.random())
    stretch = math.sqrt(elongation)
    along = radius * stretch * factor * _cosine(_ANGLES)
    across = radius / stretch * factor * _cosine(_ANGLES - math.pi / 2.0)
    cosine, sine = direction(angle)
    return np.stack([along * cosine - across * sine, along * sine + across * cosine], axis=1)


def indent(outline: Points, angle: float, *, depth: float, width: float) -> Points:
    """Press a notch into an outline: ``depth`` as a fraction of the radius, ``width`` in radians (half-width)."""
    offset = np.abs((_ANGLES - angle + math.pi) % (2.0 * math.pi) - math.pi)
    notch = np.clip(1.0 - offset / width, 0.0, 1.0)
    notch = notch * notch * (3.0 - 2.0 * notch)
    notched: Points = outline * (1.0 - depth * notch)[:, None]
    return notched


def cut_outline(outline: Points, cuts: tuple[Cut, ...], *, gap: float = 0.0) -> Points:
    """Flatten an outline against its neighbours, ``gap`` micrometres short of each border."""
    points = outline.copy()
    for cut in cuts:
        normal = np.array(cut.normal)
        beyond = points[:, 0] * normal[0] + points[:, 1] * normal[1] - (cut.distance - gap)
        points -= np.clip(beyond, 0.0, None)[:, None] * normal
    return points
