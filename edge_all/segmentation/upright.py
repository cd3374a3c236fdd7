"""One orientation for every field and every crop, so that one that is turned or mirrored gives the very same answer.

Where k-means starts, which pixels a sample takes, what a network answers and where a line of equal power is rounded to
depends on which way up a picture is. So every field is looked at lengthwise, with what is stained most to the left and
above, and what was found is turned back; and so may be the crop of a cell, which has no length
(`edge_all.preprocessing`). No smear has a right way up, and no cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import Mask, Point, RgbImage

__all__ = ["Upright", "moments_of"]

Level = TypeVar("Level", np.uint8, np.float32)


@dataclass(frozen=True, slots=True)
class Upright:
    """How a field, or the crop of a cell, is turned.

    Attributes:
        transposed: whether rows and columns change places, before all else.
        across, down: whether it is then mirrored left to right, and top to bottom.
    """

    transposed: bool
    across: bool
    down: bool

    @classmethod
    def of(cls, picture: RgbImage, specimen: Mask | None = None) -> Upright:
        """How this picture is to be turned.

        All sums are of whole numbers and exact: each of its eight orientations comes to the same picture.

        Args:
            picture: ``uint8 [height, width, 3]`` RGB, the field at any size.
            specimen: ``uint8 [height, width]``, 1 where it shows specimen, so that a frame turns nothing; None for
                everywhere.
        """
        height, width = picture.shape[:2]
        right, below = _lean(picture, specimen)
        return cls._by(right, below, transposed=height > width or (height == width and abs(below) > abs(right)))

    @classmethod
    def of_cell(cls, window: RgbImage) -> Upright:
        """How the crop of a cell is to be turned: along the way in which its stain lies off its middle most.

        Not by its length, of which it may have a pixel more either way. As exact as `of`.

        Args:
            window: ``uint8 [height, width, 3]`` RGB.
        """
        right, below = _lean(window, None)
        return cls._by(right, below, transposed=abs(below) > abs(right))

    @classmethod
    def _by(cls, right: int, below: int, *, transposed: bool) -> Upright:
        if transposed:
            right, below = below, right
        return cls(transposed, right < 0, below < 0)

    def turned(self, image: NDArray[Level]) -> NDArray[Level]:
        """The field, or a mask of it, as it is looked at."""
        return self._mirrored(np.asarray(cv2.transpose(image), image.dtype) if self.transposed else image)

    def turned_back(self, image: NDArray[Level]) -> NDArray[Level]:
        """What was found, as the field lies."""
        mirrored = self._mirrored(image)
        return np.asarray(cv2.transpose(mirrored), image.dtype) if self.transposed else mirrored

    def corner_back(self, left: int, top: int, mask: NDArray[Any], shape: tuple[int, int]) -> tuple[int, int]:
        """Where the upper left corner of a window lies in the field.

        Args:
            left: of that corner in the field as it is looked at.
            top: of the same.
            mask: ``[height, width]``, of that window's size.
            shape: height and width of the field as it is looked at.
        """
        height, width = mask.shape
        left = shape[1] - left - width if self.across else left
        top = shape[0] - top - height if self.down else top
        return (top, left) if self.transposed else (left, top)

    def place(self, place: Point, shape: tuple[int, int]) -> tuple[Point, tuple[int, int]]:
        """Where a place of the field is looked at, and the height and width of the field there.

        Args:
            place: column and row.
            shape: height and width of the field.
        """
        x, y = place
        height, width = shape
        if self.transposed:
            x, y, width, height = y, x, height, width
        return (width - 1 - x if self.across else x, height - 1 - y if self.down else y), (height, width)

    def _mirrored(self, image: NDArray[Level]) -> NDArray[Level]:
        if not (self.across or self.down):
            return image
        code = -1 if self.across and self.down else 1 if self.across else 0
        return np.asarray(cv2.flip(image, code), image.dtype)


def _lean(picture: RgbImage, specimen: Mask | None) -> tuple[int, int]:
    """How far what is stained lies to the left of the middle of what is shown, and how far above it."""
    # Every stain absorbs green.
    green = np.asarray(cv2.extractChannel(picture, 1), np.uint8)
    if specimen is None:
        height, width = green.shape
        share = height * width
        places = [share * (width - 1) // 2, share * (height - 1) // 2]
    else:
        share, *places = moments_of(specimen)
        green = green * specimen
    level, *levels = moments_of(green)
    right, below = (share * one - level * other for one, other in zip(levels, places, strict=True))
    return right, below


def moments_of(plane: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Sum of a plane ``uint8 [height, width]``, and its first moments by columns and by rows.

    Added up along the lines first, which OpenCV does ten times as fast as its moments.
    """
    lines = (cv2.reduce(plane, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel().astype(np.int64) for axis in (0, 1))
    columns, rows = lines
    return int(rows.sum()), int(np.arange(len(columns)) @ columns), int(np.arange(len(rows)) @ rows)
