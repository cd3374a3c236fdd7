"""The surround of a round field, a frame, a bar: what begins at the border of a picture and is no specimen.

Such a surround begins at the picture's border and is either opaque (a diaphragm seen through the eyepiece, a black bar)
or of one level throughout (white, grey, transparent corners), unlike the glass between the cells. What it cuts off from
the rest, such as the letters on a bar, is no specimen either. Empty glass at the border is even, too, but it has the
glass's colour and is kept.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import percentile_of_levels
from edge_all.results import Mask, RgbImage

__all__ = ["within_surrounds"]

FLAT = 7
"""Levels by which a pixel may differ from its eight neighbours inside a surround of one level."""
ONE_LEVEL, CONSTANT = 9, 1.5
"""Levels by which a surround may differ from where it begins, and their largest standard deviation: JPEG and the grain
of a camera stay below it, glass under uneven light and even red cells in crops do not (2 of 616 pictures of nine sets,
of which 5 and 1 % are then left out)."""
OPAQUE = 0.25
"""Share of the glass's brightness below which, in all channels, no stain but something opaque is seen."""
UNLIKE_GLASS = 0.1
"""Share of the glass's level by which a surround differs from it, in one channel at least."""
GLASS_LEFT = 0.1
"""Share of what is of no level throughout that has to be glass; else the even patches are a single cell's glass."""
ALIKE, SEEN_ELSEWHERE = 8.0, 0.02
"""What so large a share of the rest has the colour of, up to so many levels, is glass or stain, however even."""
ALONG_BORDER = 0.08
"""Share of the picture's border from which a patch is no stain, even of a colour that is seen elsewhere, as red cells
have that of many a grey frame."""
SMALLEST_SURROUND = 0.008
"""Share of the picture below which a surround is none."""
SMALLEST_PANEL = 0.05
"""Share of the picture from which what surrounds leave is a part of the specimen of its own."""
GLASS_SHARE = 90
"""Percentile of what is no surround that stands for its glass."""
NUMBERS = 255
"""The highest by which flooded pixels can be told apart, in 8 bits."""


def within_surrounds(overview: RgbImage) -> Mask:
    """``uint8 [h, w]``, 1 where a small picture shows the specimen and no surround."""
    everywhere: Mask = np.ones(overview.shape[:2], np.uint8)
    patches = patches_of_one_level(overview)
    brightest = brightest_channel(overview)
    bright = percentile_of_levels(np.ascontiguousarray(brightest[::2, ::2]), 99)
    dark = at_border(np.asarray(brightest < OPAQUE * bright, np.uint8))
    if not patches and not dark.any():
        return everywhere
    # What is of one level is left out of the glass at first, be it glass itself: some lies between the cells, too.
    rest = cv2.dilate(np.maximum.reduce([dark, *patches]), np.ones((3, 3), np.uint8)) == 0
    if np.count_nonzero(rest) < SMALLEST_PANEL * rest.size:
        return everywhere
    elsewhere = rest.view(np.uint8)
    glass = levels_at(overview, elsewhere, GLASS_SHARE).astype(np.float32)
    if share_alike(overview, elsewhere, glass) < GLASS_LEFT:
        patches = []
    surround = at_border(np.asarray(brightest < OPAQUE * glass.max(), np.uint8))
    for patch in patches:
        level = levels_at(overview, patch, 50)
        # What is brighter than the rest is glass that was left out of it, as in a dim field without grain.
        along_border = share_of_border(patch) >= ALONG_BORDER and bool((level < glass).any())
        seen_elsewhere = share_alike(overview, elsewhere, level) >= SEEN_ELSEWHERE and not along_border
        if (np.abs(level - glass) > UNLIKE_GLASS * glass).any() and not seen_elsewhere:
            surround |= patch
    if not surround.any():
        return everywhere
    shown = cv2.dilate(surround, np.ones((3, 3), np.uint8)) == 0
    return panels(shown.view(np.uint8))


def levels_at(overview: RgbImage, where: Mask, percent: float) -> NDArray[np.float64]:
    """A percentile of red, of green and of blue where a 0/1 mask is 1: ``float64 [3]``."""
    return np.array([percentile_of_levels(np.asarray(one, np.uint8), percent, where) for one in cv2.split(overview)])


def share_alike(overview: RgbImage, where: Mask, level: NDArray[np.floating[Any]]) -> float:
    """Share of the ones of a 0/1 mask whose colours differ from this one by no more than `ALIKE` in any channel."""
    near = cv2.inRange(overview, np.ceil(level - ALIKE), np.floor(level + ALIKE))
    return cv2.countNonZero(cv2.bitwise_and(near, where)) / cv2.countNonZero(where)


def brightest_channel(pixels: RgbImage) -> NDArray[np.uint8]:
    """The highest of red, green and blue: ``uint8 [height, width]``, in a fifteenth of the time of ``max(axis=2)``."""
    red, green, blue = cv2.split(pixels)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def patches_of_one_level(overview: RgbImage) -> list[Mask]:
    """What begins at the border and is of one level throughout, each patch as ``uint8 [h, w]``."""
    square = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(overview, square), cv2.erode(overview, square))
    contrast = brightest_channel(np.asarray(spread, np.uint8))
    uneven = np.asarray(contrast > FLAT, np.uint8)
    height, width = uneven.shape
    # The border of `cv2.floodFill`'s mask; what is set there is not flooded.
    barrier = np.zeros((height + 2, width + 2), np.uint8)
    barrier[1:-1, 1:-1] = uneven
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY
    reach = (ONE_LEVEL,) * 3
    patches: list[Mask] = []
    number = 1
    for x, y in border_points(width, height):
        if barrier[y + 1, x + 1]:
            continue
        if number == NUMBERS:
            np.minimum(barrier, 1, out=barrier)
            number = 1
        number += 1
        area, *_, (left, top, w, h) = cv2.floodFill(overview, barrier, (x, y), 0, reach, reach, flags | number << 8)
        if area < SMALLEST_SURROUND * uneven.size:
            continue
        patch = np.zeros_like(uneven)
        patch[top : top + h, left : left + w] = barrier[1 + top : 1 + top + h, 1 + left : 1 + left + w] == number
        if np.asarray(cv2.meanStdDev(overview, mask=patch)[1]).max() < CONSTANT:
            patches.append(patch)
    return patches


@functools.lru_cache(maxsize=8)
def border_points(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Every fourth pixel of the border, and the corners."""
    columns, rows = (sorted({*range(0, side, 4), side - 1}) for side in (width, height))
    return (*((x, y) for x in columns for y in (0, height - 1)), *((x, y) for y in rows for x in (0, width - 1)))


def share_of_border(patch: Mask) -> float:
    """Share of the picture's border that a 0/1 mask covers."""
    return float(np.concatenate([patch[0], patch[-1], patch[:, 0], patch[:, -1]]).mean())


def at_border(mask: Mask) -> Mask:
    """The pieces of a 0/1 mask that reach the border and are large enough for a surround."""
    if not any(side.any() for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])):
        return np.zeros_like(mask)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask)
    keep = np.zeros(count, np.uint8)
    numbers: NDArray[np.int32] = np.asarray(labels, np.int32)
    keep[np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]])] = 1
    keep[np.asarray(statistics)[:, cv2.CC_STAT_AREA] < SMALLEST_SURROUND * mask.size] = 0
    keep[0] = 0
    return np.asarray(keep.take(numbers), np.uint8)


def panels(shown: Mask) -> Mask:
    """The large pieces of a 0/1 mask; all of it where none is large."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(shown, connectivity=4)
    keep = np.asarray(np.asarray(statistics)[:, cv2.CC_STAT_AREA] >= SMALLEST_PANEL * shown.size, np.uint8)
    keep[0] = 0
    return np.asarray(keep.take(np.asarray(labels, np.int32)), np.uint8) if keep.any() else np.ones_like(shown)
