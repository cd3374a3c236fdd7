"""CIE Lab in 8 bits, to the bit as OpenCV's ``COLOR_RGB2LAB`` gives it.

OpenCV computes its tables for Lab and Luv once a process, all of them, which takes 90 ms: as long as four fields take
to be decoded. What 8 bits need of them is two short tables, and takes 0.3 ms.
The formulas: IEC 61966-2-1 (sRGB), CIE 15:2004 (Lab, D65), in the whole numbers in which OpenCV rounds.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage

__all__ = ["lab_levels"]

_FINER = 8
"""Steps of linear light to a level."""
_WHOLE = 1 << 12
"""What sums up to the whole of X, Y or Z."""
_ROOT_WHOLE = 1 << 15
"""The cube root of the whole."""


def _linear_light() -> NDArray[np.float32]:
    """For each level of sRGB its light, in steps."""
    level = np.arange(256) / 255
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.rint(255 * _FINER * light), np.float32)


def _cube_roots() -> NDArray[np.float64]:
    """For each step of X, Y or Z its root, straight near black, in whole numbers (rounded from 32 bits)."""
    share = np.arange(255 * _FINER + 1) / (255 * _FINER)
    root = np.where(share < 216 / 24389, 841 / 108 * share + 16 / 116, np.cbrt(share))
    return np.asarray(np.rint((_ROOT_WHOLE * root).astype(np.float32)), np.float64)


_LIGHT = _linear_light()
_ROOTS = _cube_roots()
_FROM_SRGB = np.array([[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]])
_WHITE = np.array([[0.950456], [1.0], [1.088754]])
# The halves in the last columns round: what comes out is cut off to whole numbers. All sums are exact.
_TO_XYZ = np.hstack([np.rint(_FROM_SRGB / _WHITE * _WHOLE) / _WHOLE, np.full((3, 1), 0.5)]).astype(np.float32)
_TO_LAB = np.array(
    [
        [0, 296 / _ROOT_WHOLE, 0, 0.5 - 1336934 / _ROOT_WHOLE],  # 116 * 255 / 100 of a root, less 16 * 255 / 100
        [500 / _ROOT_WHOLE, -500 / _ROOT_WHOLE, 0, 128.5],
        [0, 200 / _ROOT_WHOLE, -200 / _ROOT_WHOLE, 128.5],
    ]
)


def lab_levels(pixels: RgbImage) -> NDArray[np.uint8]:
    """L (255 is white), a and b (128 is grey) of sRGB ``uint8 [height, width, 3]``."""
    xyz = np.asarray(cv2.transform(cv2.LUT(pixels, _LIGHT), _TO_XYZ)).astype(np.uint16)
    return np.asarray(cv2.transform(_ROOTS.take(xyz), _TO_LAB)).astype(np.uint8)
