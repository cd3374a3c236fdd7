"""The part of a picture that shows the specimen."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from edge_all.imaging.shrinking import Shrinking, shrink
from edge_all.results import Mask
from edge_all.specimen.pen_strokes import pen_strokes
from edge_all.specimen.surrounds import within_surrounds

__all__ = ["Specimen", "find_specimen"]

OVERVIEW_SIDE = 220
"""Pixels of the longer side on which surrounds are looked for; the grain of a camera is gone there."""
PEN_SIDE = 650
"""The same for strokes of a pen, which are thin."""
SHARED_SIDE = 1300
"""Pixels of the longer side of the picture that the overviews are shrunk from."""
SMALLEST_SIDE = 130
"""Pixels of the shorter side below which a picture is the crop of one cell, whose glass may lie all on one side."""


@dataclass(frozen=True)
class Specimen:
    """Which part of a picture shows the specimen.

    Attributes:
        overview: ``uint8 [h, w]``, 1 where it does, in a picture of at most `PEN_SIDE` pixels a side.
        pen: share of the picture that strokes of a pen cover.
    """

    overview: Mask
    pen: float = 0.0

    @functools.cached_property
    def share(self) -> float:
        """Share of the picture that shows the specimen: 1 where nothing else was found."""
        return float(self.overview.mean())

    @property
    def whole(self) -> bool:
        """Whether all of the picture shows the specimen."""
        return self.share == 1.0

    def at(self, width: int, height: int) -> Mask:
        """The same mask at another size: ``uint8 [height, width]``."""
        return np.asarray(cv2.resize(self.overview, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def find_specimen(sizes: Shrinking, width: int, height: int) -> Specimen:
    """Find what a picture shows beside the specimen, and leave it out.

    Args:
        sizes: of the picture.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    # By way of sizes that other stages look at, too: shrinking a whole field anew takes 4 ms.
    whole = -(-max(width, height) // SHARED_SIDE)
    half = -(-max(sizes.by(whole).shape[:2]) // PEN_SIDE)
    finer = sizes.by(whole, half)
    overview = shrink(finer, -(-max(finer.shape[:2]) // OVERVIEW_SIDE))
    if min(width, height) < SMALLEST_SIDE:
        return Specimen(np.ones(overview.shape[:2], np.uint8))
    shown = within_surrounds(overview)
    finer_shown = np.asarray(cv2.resize(shown, finer.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    pen = pen_strokes(finer, finer_shown)
    if pen is None:
        return Specimen(shown)
    return Specimen(finer_shown & (1 - pen), float((finer_shown & pen).mean()))
