"""What the network of outlines is shown of a cell: one window, cut alike in training and on the station.

The field is put on one grey (`colour_clustering.balance_table`) and brought to a size at which every red cell has the
same radius, so that a white cell is equally large from every camera. A fourth channel marks which cell is meant: a disc
in the middle of the window, as large as fits into the nucleus there.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage
from edge_all.segmentation.colour_clustering import GROUND_LEVEL

__all__ = ["CHANNELS", "RED_CELL_PIXELS", "WINDOW", "lay_around", "scaled_view", "seed_disc", "window_around"]

WINDOW = 64
"""Side of a window in pixels."""
RED_CELL_PIXELS = 8.0
"""Radius of a red cell in a window. A window then reaches four of them from its middle; 99 of 100 whole cells of
segmentation_wbc reach at most 3.5 from the deepest point of their nucleus."""
CHANNELS = 4
"""Red, green, blue, and the disc that says which cell is meant."""


def scaled_view(
    picture: RgbImage,
    balance: NDArray[np.uint8],
    red_radius: float,
    pixels: float = RED_CELL_PIXELS,
    *,
    averaged: bool = False,
) -> tuple[RgbImage, float]:
    """A picture at the size of the windows, with its ground at `GROUND_LEVEL`.

    Args:
        picture: ``uint8 [height, width, 3]`` RGB.
        balance: table for `cv2.LUT`, see `colour_clustering.balance_table`.
        red_radius: radius of a red cell in it.
        pixels: radius that a red cell is to have.
        averaged: whether each pixel is to be the mean of those that it replaces, down to half the size, too, where one
            between them does: seven times as long.

    Returns:
        The picture, and by what lengths in the first are to be multiplied.
    """
    scale = pixels / red_radius
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Below half the size some pixels would not be looked at.
    interpolation = cv2.INTER_AREA if scale < (1.0 if averaged else 0.5) else cv2.INTER_LINEAR
    scaled = cv2.resize(picture, size, interpolation=interpolation)
    return cv2.LUT(scaled, balance).astype(np.uint8, copy=False), scale


_OFFSETS = ((np.arange(WINDOW) - WINDOW // 2) ** 2).astype(np.int32)
_from_middle = _OFFSETS[:, None] + _OFFSETS[None, :]
"""Squared distance of each pixel of a window from its middle."""


def window_around(view: NDArray[np.uint8], x: int, y: int, side: int = WINDOW) -> NDArray[np.uint8]:
    """The square of which one pixel is the middle; what lies beyond the picture is empty glass.

    Args:
        view: ``uint8 [height, width, 3]`` at the size of the windows.
        x: column of that pixel.
        y: its row.
        side: of the square.

    Returns:
        ``uint8 [side, side, 3]``.
    """
    result = np.full((side, side, *view.shape[2:]), GROUND_LEVEL, np.uint8)
    lay_around(view, x, y, result)
    return result


def lay_around(view: NDArray[np.uint8], x: int, y: int, window: NDArray[np.uint8]) -> None:
    """Lay what is around one pixel into a square, which is left as it is where that is beyond the picture.

    Args:
        view: as for `window_around`.
        x: column of that pixel.
        y: its row.
        window: ``uint8 [side, side, 3]``.
    """
    side = len(window)
    top, left = y - side // 2, x - side // 2
    rows = slice(max(0, top), min(view.shape[0], top + side))
    columns = slice(max(0, left), min(view.shape[1], left + side))
    window[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = view[rows, columns]


def seed_disc(radius: float) -> NDArray[np.uint8]:
    """The fourth channel: 255 within so many pixels of the middle, else 0; ``uint8 [WINDOW, WINDOW]``."""
    return np.multiply(_from_middle <= int(max(1.0, radius) ** 2), np.uint8(255), dtype=np.uint8)
