"""At which sizes people are shown fields and cells, and how pictures are brought to them."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge_all.results import RgbImage

__all__ = [
    "CELL_SIDE",
    "LARGEST_SIDE",
    "READABLE_SIDE",
    "SHOWN_SIDE",
    "display_scale",
    "display_size",
    "resize_for_the_eye",
    "whole_reduction",
]

READABLE_SIDE = 640
"""Longer side in pixels under which a picture is enlarged before it is drawn on: below, 60 letters of intended use in
the smallest readable type do not fit into the width (measured: 395 px at 11 px per line)."""
LARGEST_SIDE = 1400
"""Longer side in pixels of the largest picture: what a screen and the report show. Drawing and encoding a 5-megapixel
field at its own size took 50 ms, at this one 9 ms (AVX2, one core); the field itself stays with the user."""
SHOWN_SIDE = 1130
"""Width in pixels at which the report shows a field."""
CELL_SIDE = 160
"""Pixels of the square around one cell, shown 112 wide; about 4 kB each."""


def display_scale(width: int, height: int) -> float:
    """How many times its own size a field of this size is shown.

    A whole number for single cells and small crops, below 1 for fields that are larger than `LARGEST_SIDE`: one over a
    whole number, which is the fastest to compute, where that leaves `SHOWN_SIDE`.
    """
    side = max(width, height, 1)
    if side <= LARGEST_SIDE:
        return max(1, math.ceil(READABLE_SIDE / side))
    whole = whole_reduction(width, height)
    return 1 / whole if side / whole <= LARGEST_SIDE else LARGEST_SIDE / side


def display_size(width: int, height: int) -> tuple[int, int]:
    """Width and height in pixels of a field of this size when it is shown at its `display_scale`."""
    scale, whole = display_scale(width, height), whole_reduction(width, height)
    if scale == 1 / whole:
        return max(1, width // whole), max(1, height // whole)
    return max(1, round(width * scale)), max(1, round(height * scale))


def whole_reduction(width: int, height: int) -> int:
    """The largest whole number by which a field of this size can be shrunk and still be shown at `display_scale`."""
    side = max(width, height, 1)
    whole = math.ceil(side / LARGEST_SIDE)
    return whole if side / whole >= SHOWN_SIDE else max(1, whole - 1)


def resize_for_the_eye(pixels: RgbImage, width: int, height: int, out: RgbImage | None = None) -> RgbImage:
    """A picture at another size, to look at, not to compute with.

    Averaging whole blocks of pixels is fast, averaging fractions of pixels is not (1.4 against 17 ms for 5 megapixels,
    AVX2, one core); what is left to shrink is less than half and needs no average.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
        width: of the picture.
        height: of the picture.
        out: where to put it, ``uint8 [height, width, 3]``.

    Returns:
        ``uint8 [height, width, 3]`` RGB, never `pixels` itself.
    """
    block = min(pixels.shape[1] // width, pixels.shape[0] // height)
    if block > 1:
        exactly = pixels.shape[1] // block == width and pixels.shape[0] // block == height
        pixels = pixels[: pixels.shape[0] // block * block, : pixels.shape[1] // block * block]
        size = (pixels.shape[1] // block, pixels.shape[0] // block)
        pixels = np.asarray(cv2.resize(pixels, size, out if exactly else None, interpolation=cv2.INTER_AREA), np.uint8)
        if exactly:
            return pixels
    return np.asarray(cv2.resize(pixels, (width, height), out, interpolation=cv2.INTER_LINEAR), np.uint8)
