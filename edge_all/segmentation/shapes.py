"""Small operations on masks."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["depth_inside", "disc", "fill_holes"]


@functools.lru_cache(maxsize=64)
def _disc(radius: int) -> NDArray[np.uint8]:
    side = 2 * radius + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)


def disc(radius: float) -> NDArray[np.uint8]:
    """Disc-shaped structuring element of at least one pixel's radius."""
    return _disc(max(1, round(radius)))


def fill_holes(mask: NDArray[np.uint8], largest: float) -> None:
    """Set the holes of a 0/1 mask that are no larger than so many pixels to 1, in place."""
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if hierarchy is None:
        return
    inner = [contours[index] for index in np.flatnonzero(np.asarray(hierarchy)[0, :, 3] >= 0).tolist()]
    holes = [contour for contour in inner if cv2.contourArea(contour) <= largest]
    cv2.drawContours(mask, holes, -1, 1, -1)


def depth_inside(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Distance of each pixel of a 0/1 mask from the nearest 0: ``float32 [height, width]``.

    At most half the larger side, also where the mask has no 0 at all.
    """
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return np.asarray(np.minimum(distance, np.float32(max(mask.shape) / 2)), np.float32)
