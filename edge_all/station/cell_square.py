"""How a cell of the station looks on its own: on the page and in reports alike."""

from __future__ import annotations

import numpy as np

from edge_all.imaging.display import resize_for_the_eye
from edge_all.outputs.pictures import jpeg_bytes
from edge_all.outputs.thumbnails import OUTSIDE
from edge_all.preprocessing import crop_square, crop_window
from edge_all.results import BoundingBox, RgbImage

__all__ = ["cell_jpeg"]

_ROOM = 1.5
"""Side of the square as a multiple of the cell's box, so that some of what surrounds it is seen."""


_LEAST_RADII = 3.0
"""Side of the square in red-cell radii, at least: enlarged until it fills its square, a platelet looks like a blurred
blast. Those of 32 platelets of the demonstration were 1.0 to 2.7, those of its 99 white cells 3.9 and more."""


def cell_jpeg(
    pixels: RgbImage, box: BoundingBox, side: int, quality: int, red_cell_radius: float | None = None
) -> bytes:
    """A square around a cell as JPEG; what of it lies outside the image is blank, for nothing is known of it.

    Args:
        pixels: of the field.
        box: around the cell.
        side: of the picture in pixels.
        quality: of the JPEG.
        red_cell_radius: of the field in pixels, where it is known: small things are shown small.
    """
    box = _widened(box, _LEAST_RADII / _ROOM * (red_cell_radius or 0.0))
    square = crop_window(pixels, box, _ROOM)
    left, top, length = crop_square(box, _ROOM)
    if min(left, top) < 0 or left + length > pixels.shape[1] or top + length > pixels.shape[0]:
        square = square.copy()
        rows, columns = np.arange(top, top + length), np.arange(left, left + length)
        square[(rows < 0) | (rows >= pixels.shape[0])] = OUTSIDE
        square[:, (columns < 0) | (columns >= pixels.shape[1])] = OUTSIDE
    return jpeg_bytes(resize_for_the_eye(square, side, side), quality)


def _widened(box: BoundingBox, least: float) -> BoundingBox:
    """The box, or one of this side around its middle where it is smaller."""
    x, y, width, height = box
    if max(width, height) >= least:
        return box
    side = round(least)
    return round(x + (width - side) / 2), round(y + (height - side) / 2), side, side
