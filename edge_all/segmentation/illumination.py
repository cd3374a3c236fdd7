"""Light that falls off towards the corners, evened out before colours are compared.

The glass between the cells is as bright as the light that falls through it. Its brightness over the field is fitted by
a smooth surface, and the field is divided by that; tiles without glass, darker than the surface, hardly count. All
channels are treated alike: a vignette is grey.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.shrinking import shrink
from edge_all.results import Point, RgbImage

__all__ = ["EvenLight", "light_of"]

OVERVIEW_SIDE = 192
"""Pixels of the longer side on which the glass is looked for."""
SMALLEST_SIDE = 100
"""Pixels of the shorter side below which a picture shows no more than one cell."""
TILES = 6
"""Tiles a side, each with one reading."""
GLASS = 92
"""Percentile of green in a tile that is taken for its glass."""
UNEVEN = 1.2
"""Brightest over darkest glass above which the light is evened out. Over 75 ALL-IDB1 and 41 BCCD fields 1.19."""
GLASSY = 0.7
"""Share of the tiles that have to lie on the surface; else it is guessed, as in a crop that one cell fills."""
SHADE = 0.03
"""A tile so much below the surface (natural logarithm) has no glass, and weighs the less the darker it is."""
MOST_ROUNDS = 8
LEAST_WEIGHT = 1e-9
GRID = 21
"""Places a side at which the surface is read to find its highest and lowest."""

FloatArray = NDArray[np.float32]


class EvenLight:
    """How the light falls on a field: a quadratic surface of the logarithm of brightness.

    Args:
        coefficients: ``float64 [6]`` of 1, x, y, x^2, xy, y^2, where x and y run from -1 to 1 over the field.
    """

    def __init__(self, coefficients: NDArray[np.float64]) -> None:
        self._coefficients = coefficients
        x, y = np.linspace(-1, 1, GRID), np.linspace(-1, 1, GRID)[:, None]
        self._highest = float(surface_at(coefficients, x, y).max())

    def at(self, place: Point, shape: tuple[int, int]) -> float:
        """How bright the light is there, as a share of the brightest.

        Args:
            place: column and row in pixels of the field.
            shape: height and width of the field.
        """
        height, width = shape
        x, y = (np.array([2 * value / side - 1]) for value, side in zip(place, (width, height), strict=True))
        return math.exp(float(surface_at(self._coefficients, x, y)[0]) - self._highest)

    def evened(self, pixels: RgbImage) -> RgbImage:
        """The field at any size as if all of it were lit as brightly as its brightest part."""
        height, width = pixels.shape[:2]
        x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
        surface = surface_at(self._coefficients, x, y)
        gain = np.exp(surface.max() - surface).astype(np.float32)
        return np.asarray(cv2.multiply(pixels, cv2.merge([gain, gain, gain]), dtype=cv2.CV_8U), np.uint8)


def light_of(pixels: RgbImage, specimen: NDArray[np.uint8] | None = None) -> EvenLight | None:
    """The light of a field; None where it is even enough.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB, at any size.
        specimen: ``uint8 [height, width]``, 1 where there is specimen; None for everywhere.
    """
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        return None
    factor = max(1, -(-max(pixels.shape[:2]) // OVERVIEW_SIDE))
    green = shrink(np.asarray(cv2.extractChannel(pixels, 1), np.uint8), factor)
    green = np.asarray(cv2.GaussianBlur(green, (3, 3), 0), np.uint8)
    shown = np.ones_like(green)
    if specimen is not None:
        size = green.shape[1], green.shape[0]
        shown = np.asarray(cv2.resize(specimen, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    readings = glass_of_tiles(green, shown)
    if len(readings) < TILES * TILES // 2:
        return None
    coefficients, glass = fit_surface(readings)
    if glass < GLASSY * len(readings):
        return None
    x, y = np.linspace(-1, 1, GRID), np.linspace(-1, 1, GRID)[:, None]
    surface = surface_at(coefficients, x, y)
    return EvenLight(coefficients) if surface.max() - surface.min() > np.log(UNEVEN) else None


def glass_of_tiles(green: NDArray[np.uint8], shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Place (-1 to 1) and logarithm of brightness of the glass of each tile that shows specimen: ``float64 [n, 3]``."""
    # What fills no whole tile at the end is left out.
    height, width = (max(1, side // TILES) for side in green.shape)
    tiles = [
        np.ascontiguousarray(
            part[: height * TILES, : width * TILES].reshape(TILES, height, TILES, width).swapaxes(1, 2)
        )
        for part in (green * shown, shown)
    ]
    levels, counts = (part.reshape(TILES * TILES, -1) for part in tiles)
    covered = levels.shape[1] - counts.sum(axis=1, dtype=np.int64)
    # What is not shown was set to 0 and comes first.
    place = covered + (levels.shape[1] - 1 - covered) * GLASS // 100
    place = np.minimum(place, levels.shape[1] - 1)
    levels.partition(sorted(set(place.tolist())), axis=1)
    centres = (np.arange(TILES) + 0.5) * 2 / TILES - 1
    x, y = np.tile(centres, TILES), np.repeat(centres, TILES)
    level = np.log1p(levels[np.arange(len(levels)), place].astype(np.float64))
    return np.asarray(np.stack([x, y, level], axis=1)[2 * covered <= levels.shape[1]], np.float64)


def fit_surface(readings: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Fit a quadratic surface from above to ``[n, 3]`` x, y and reading, by reweighted least squares.

    Returns:
        Its coefficients, and how many of the readings lie on it.
    """
    x, y, level = readings.T
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    weights = np.ones_like(level)
    coefficients, below = np.zeros(6), np.zeros_like(level)
    for _ in range(MOST_ROUNDS):
        weighted = terms * (weights * weights)[:, None]
        # The normal equations, in a part of the time of NumPy's own least squares; the last term keeps them solvable
        # where nearly all tiles are dark.
        coefficients = np.linalg.solve(weighted.T @ terms + LEAST_WEIGHT * np.eye(6), weighted.T @ level)
        below = coefficients @ terms.T - level - SHADE
        weights = np.exp(-np.maximum(below, 0) / SHADE)
    return coefficients, int(np.count_nonzero(np.abs(below + SHADE) < 2 * SHADE))


def surface_at(
    coefficients: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Height of the surface; x and y broadcast."""
    one, along, down, along2, both, down2 = coefficients
    return np.asarray(one + along * x + down * y + along2 * x * x + both * x * y + down2 * y * y, np.float64)
