"""Chromatin and cytoplasm texture: tiles of smooth random grain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Textures", "make_textures", "texture_window"]

_TILE = 384
"""Side of a texture tile in pixels; cells take random windows out of it."""
_LARGEST_SIGMA = 4.0
"""Grain coarser than this is drawn small and enlarged: a wide blur costs more than all the rest of a small field."""


@dataclass(frozen=True, slots=True)
class Textures:
    """Tiles of grain about 0 with a standard deviation near 64, ``int16 [tile, tile]``.

    Attributes:
        fine: open chromatin of blasts.
        clumped: condensed chromatin of mature cells, dark blocks with pale channels between them.
        cloudy: slow variation of dye within a cell.
    """

    fine: NDArray[np.int16]
    clumped: NDArray[np.int16]
    cloudy: NDArray[np.int16]


def texture_window(tile: NDArray[np.int16], rng: np.random.Generator, height: int, width: int) -> NDArray[np.int32]:
    """A random window of a tile, ``int32 [height, width]``; a tile that is too small repeats."""
    top = int(rng.integers(0, max(1, _TILE - height)))
    left = int(rng.integers(0, max(1, _TILE - width)))
    rows = (np.arange(height) + top) % _TILE
    columns = (np.arange(width) + left) % _TILE
    return tile[rows[:, None], columns[None, :]].astype(np.int32)


def _grain(rng: np.random.Generator, sigma: float) -> NDArray[np.int32]:
    shrink = max(1, math.ceil(sigma / _LARGEST_SIGMA))
    side = -(-_TILE // shrink)
    sigma = max(0.6, sigma / shrink)
    noise = np.frombuffer(rng.bytes(2 * side * side), dtype="<u2").reshape(side, side)
    # 16-bit input: OpenCV smooths it in fixed point, which gives the same bits on every machine.
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)).astype(np.int32) - 32768
    # A Gaussian divides the standard deviation of white noise (65536 / sqrt 12) by 2 sigma sqrt(pi).
    spread = 65536.0 / math.sqrt(12.0) / max(1.0, 2.0 * sigma * math.sqrt(math.pi))
    # In fixed point of 12 bits.
    grain = np.asarray(np.clip((smooth * round(64 * 4096 / spread)) >> 12, -255, 255), np.int32)
    return grain if shrink == 1 else _enlarge(_enlarge(grain, shrink).T, shrink).T[:_TILE, :_TILE]


def _enlarge(grain: NDArray[np.int32], times: int) -> NDArray[np.int32]:
    """Linear interpolation down the rows, in integers."""
    following = np.roll(grain, -1, axis=0)
    steps = [(grain * (times - step) + following * step) // times for step in range(times)]
    return np.stack(steps, axis=1).reshape(grain.shape[0] * times, grain.shape[1])


def make_textures(rng: np.random.Generator, microns_per_pixel: float) -> Textures:
    """Draw the tiles of one field at its magnification."""
    fine = _grain(rng, 0.22 / microns_per_pixel)
    clumped = np.clip(_grain(rng, 0.42 / microns_per_pixel) * 2, -110, 75)
    cloudy = _grain(rng, 1.0 / microns_per_pixel)
    return Textures(fine=fine.astype(np.int16), clumped=clumped.astype(np.int16), cloudy=cloudy.astype(np.int16))
