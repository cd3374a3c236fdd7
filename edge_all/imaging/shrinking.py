"""Images at whole fractions of their size, each computed once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage

__all__ = ["Shrinking", "shrink"]


def shrink(pixels: RgbImage, factor: int) -> RgbImage:
    """Shrink by a whole number, each pixel the mean of those that it replaces.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB, or one channel of it.
        factor: 1 or more.

    Returns:
        ``uint8 [height // factor, width // factor, 3]``, or one channel of it, at least one pixel a side; for a factor
        of 1, `pixels` itself.
    """
    if factor == 1:
        return np.ascontiguousarray(pixels)
    width, height = max(1, pixels.shape[1] // factor), max(1, pixels.shape[0] // factor)
    # Without the odd rows and columns at the end the factor is a whole number, which OpenCV does several times faster,
    # and a pixel here is exactly a block there.
    whole = pixels[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


class Shrinking:
    """One image at several sizes, for stages that look at the same fraction of it.

    Not for several threads at once.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
    """

    def __init__(self, pixels: RgbImage) -> None:
        self._sizes: dict[tuple[int, ...], RgbImage] = {(): shrink(pixels, 1)}
        self._greens: dict[tuple[int, ...], NDArray[np.uint8]] = {}

    def by(self, *factors: int) -> RgbImage:
        """`shrink` by these factors, one after the other; do not write into what it returns."""
        steps = tuple(factor for factor in factors if factor > 1)
        if steps not in self._sizes:
            self._sizes[steps] = shrink(self.by(*steps[:-1]), steps[-1])
        return self._sizes[steps]

    def green_by(self, *factors: int) -> NDArray[np.uint8]:
        """The green channel of the same, in which stains differ most: ``uint8 [height, width]``; as with `by`."""
        steps = tuple(factor for factor in factors if factor > 1)
        if steps not in self._greens:
            self._greens[steps] = np.asarray(cv2.extractChannel(self.by(*steps), 1), np.uint8)
        return self._greens[steps]
