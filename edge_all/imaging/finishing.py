"""From a decoded raster to the pixels that everything else sees: 8 bits, sRGB, RGB, opaque, upright."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.colour import Conversion, to_eight_bits
from edge_all.imaging.forms import Raster
from edge_all.results import RgbImage

__all__ = ["finished", "upright"]

_BAND_PIXELS = 1_000_000
"""Pixels that are worked on at a time; what is needed in between takes up to 24 bytes each."""
_CAMERA_BITS = (10, 12, 14)


def finished(raster: Raster, conversion: Conversion | None, notes: list[str]) -> RgbImage:
    """``uint8 [height, width, 3]`` RGB, C-contiguous, laid over white where it is transparent.

    Args:
        raster: the decoded image.
        conversion: of its colours to sRGB; None where they are.
        notes: takes what the reader of the results should know.
    """
    colours, alpha = raster.colours, raster.alpha
    if alpha is not None and not alpha.any():
        notes.append("Its transparency would hide the whole picture and was ignored.")
        alpha = None
    elif alpha is not None and int(alpha.min()) == np.iinfo(alpha.dtype).max:
        alpha = None  # opaque everywhere
    _say_what_fills_the_low_end(colours, notes)
    if colours.dtype == np.uint8 and colours.ndim == 3 and alpha is None and conversion is None:
        return np.ascontiguousarray(colours)
    height, width = colours.shape[:2]
    out = np.empty((height, width, 3), np.uint8)
    rows = max(1, _BAND_PIXELS // width)
    for start in range(0, height, rows):
        band = slice(start, start + rows)
        piece = _three_channels(np.ascontiguousarray(colours[band]))
        eight_bit = to_eight_bits(piece) if conversion is None else conversion(piece)
        if alpha is not None:
            eight_bit = _over_white(eight_bit, to_eight_bits(alpha[band]), multiplied=raster.multiplied)
        out[band] = eight_bit
    return out


def upright(pixels: RgbImage, orientation: int) -> RgbImage:
    """Applies an Exif orientation, 1 to 8."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    # After the transposition, which axes are still to be mirrored.
    vertically = orientation in (3, 4, 7, 8)
    horizontally = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:: -1 if vertically else 1, :: -1 if horizontally else 1])


def _three_channels(colours: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_GRAY2RGB)) if colours.ndim == 2 else colours


def _over_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8], *, multiplied: bool) -> NDArray[np.uint8]:
    if multiplied:
        return np.asarray(cv2.add(colours, cv2.cvtColor(255 - alpha, cv2.COLOR_GRAY2RGB)), np.uint8)
    weight = alpha[..., None].astype(np.uint16)  # the largest sum is 65152
    return ((colours * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)


def _say_what_fills_the_low_end(colours: NDArray[Any], notes: list[str]) -> None:
    if colours.dtype != np.uint16:
        return
    most = max(int(colours[start : start + 64].max()) for start in range(0, len(colours), 64))
    bits = next((bits for bits in _CAMERA_BITS if most < 1 << bits), 16)
    if most and bits < 16:
        notes.append(
            f"Its 16-bit values stay below {1 << bits}, as those of a camera with {bits} bits do. "
            "Export it with 8 bits, or over the full range of 16."
        )
