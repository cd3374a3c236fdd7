"""From outlined objects to numbered cells at the field's size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge_all.imaging.ranks import median_of
from edge_all.results import BoundingBox, Cell, Mask, Point, Segmentation
from edge_all.segmentation.candidates import (
    SMUDGE_ROUGHNESS,
    more_magenta,
    reaches_border,
    rejection_reason,
    too_large_for_platelets,
)
from edge_all.segmentation.shapes import around
from edge_all.segmentation.upright import Upright, moments_of

__all__ = ["Found", "assemble", "enlarge"]

MAX_OBJECTS = 65535
"""The label images have 16 bits."""
MOST_UNDECIDED = 0.3
"""Width of the rim in which the network is undecided, in red-cell radii, above which an outline is doubtful. In
composed clumps of ALL-IDB1, segmentation_wbc 2, BCCD and Raabin, each by a network that never saw them, 14, 26, 39 and
29 % of the cells lie above; of these 59, 49, 47 and 38 % overlap the truth by less than 0.8, and these are 46, 62, 80
and 68 % of all that do. With 0.25: 56, 34, 40, 33 % and 70, 68, 87, 79 %; with 0.35: 64, 58, 51, 45 % and 37, 47, 72,
62 %."""
OUTLINE_TOLERANCE = 1.0
"""Pixels by which the polygon of a contour may miss the mask."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object in pixels of the working image.

    Attributes:
        nucleus, whole: ``uint8 [height, width]`` masks of the same window; what an object is, is told by this nucleus,
            which was told from its surroundings.
        left, top: corner of that window.
        hue: of the nucleus, see `pipeline.nucleus_hue`; None for specks.
        undecided: see `separation.NumberedCells`; None where no network could be asked.
        exact: the nucleus as it was told from the cell's own cytoplasm, which is the one reported; None where it is
            the same.
    """

    nucleus: Mask
    whole: Mask
    left: int
    top: int
    hue: float | None
    undecided: float | None = None
    exact: Mask | None = None

    def turned_back(self, upright: Upright, shape: tuple[int, int]) -> Found:
        """The same object as the field lies.

        Args:
            upright: how the field was turned to be looked at.
            shape: height and width of the working image that this was found in.
        """
        left, top = upright.corner_back(self.left, self.top, self.whole, shape)
        nucleus, whole = upright.turned_back(self.nucleus), upright.turned_back(self.whole)
        exact = None if self.exact is None else upright.turned_back(self.exact)
        return replace(self, nucleus=nucleus, whole=whole, left=left, top=top, exact=exact)


def assemble(
    found: list[Found],
    factor: int,
    red_radius: float,
    shape: tuple[int, int],
    glass_at: Callable[[Point], tuple[float, float, float]] | None = None,
) -> Segmentation:
    """Number the cells from top to bottom and outline them at the field's size.

    Args:
        found: the objects.
        factor: how much smaller than the field the working image is.
        red_radius: radius of a red cell in pixels of the field.
        shape: height and width of the field.
        glass_at: colour of the glass at a place of the field; None where nobody asks.
    """
    taken: Mask = np.zeros(shape, np.uint8)
    placed: list[Placed] = []
    # In the order in which they were found, so that what two claim goes to the same one however the field is turned.
    for item in found[:MAX_OBJECTS]:
        whole, nucleus, exact = at_full_size(item, factor, taken)
        if nucleus.area:
            x, y, width, height = whole.box
            taken[y : y + height, x : x + width] |= whole.mask
            placed.append(Placed(item, whole, nucleus, exact if exact.area else nucleus))
    placed.sort(key=lambda one: one.whole.centroid[::-1])
    reasons = reasons_against(placed, red_radius, shape[::-1], factor)
    cells = tuple(
        cell_of(number, one, reason, reaches_border(one.whole.box, shape[::-1], factor), glass_at)
        for number, (one, reason) in enumerate(zip(placed, reasons, strict=True), start=1)
    )
    known = [one.item.hue for one in placed if one.item.hue is not None]
    nucleus_hue = median_of(np.array(known, np.float64)) if known else None
    masks = tuple(one.whole.mask for one in placed), tuple(one.exact.mask for one in placed)
    return Segmentation(shape, cells, *masks, red_radius, nucleus_hue=nucleus_hue)


def reasons_against(
    placed: Sequence[Placed], red_radius: float, field_size: tuple[int, int], tolerance: int
) -> list[str | None]:
    """Why each object is not a candidate, from itself and from what else lies in the field; None where it is one.

    Args:
        placed: the objects.
        red_radius: radius of a red cell in pixels of the field.
        field_size: width and height of the field.
        tolerance: pixels from the border within which a cell counts as touching it.
    """
    areas = [one.nucleus.area for one in placed]
    reasons = [
        rejection_reason(math.sqrt(area / math.pi) / red_radius, one.whole.box, field_size, tolerance)
        for area, one in zip(areas, placed, strict=True)
    ]
    for index in too_large_for_platelets(areas, reasons):
        reasons[index] = None
    hues = [one.item.hue if reason is None else None for one, reason in zip(placed, reasons, strict=True)]
    for index in more_magenta(hues):
        if roughness(placed[index].nucleus.mask) > SMUDGE_ROUGHNESS:
            reasons[index] = "smudge"
    return reasons


def roughness(nucleus: Mask) -> float:
    """Squared outline of the largest piece of a nucleus over that of the disc of its area: 1 is a disc."""
    contours, _ = cv2.findContours(nucleus, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    return cv2.arcLength(largest, True) ** 2 / (4 * math.pi * max(1.0, cv2.contourArea(largest)))


def at_full_size(item: Found, factor: int, taken: Mask) -> tuple[Region, Region, Region]:
    """Enlarge one object to the field's size; pixels already taken are left out.

    Returns:
        Whole cell, nucleus and exact nucleus.
    """
    height, width = taken.shape
    x, y = item.left * factor, item.top * factor
    whole = enlarge(item.whole, factor)[: height - y, : width - x]
    whole = (whole > taken[y : y + whole.shape[0], x : x + whole.shape[1]]).view(np.uint8)
    nucleus = nucleus_at_full_size(item.nucleus, whole, factor, x, y)
    exact = nucleus if item.exact is None else nucleus_at_full_size(item.exact, whole, factor, x, y)
    return measure(whole, x, y), nucleus, exact


def nucleus_at_full_size(nucleus: Mask, whole: Mask, factor: int, x: int, y: int) -> Region:
    """What of an enlarged nucleus lies in its enlarged cell, whose window begins at x, y in the image."""
    # Enlarging a pixel looks at the two beside it.
    rows, columns = around(nucleus, 2)
    top, left = rows.start * factor, columns.start * factor
    inside = enlarge(nucleus[rows, columns], factor)[: whole.shape[0] - top, : whole.shape[1] - left]
    inside = inside & whole[top : top + inside.shape[0], left : left + inside.shape[1]]
    return measure(inside, x, y, left, top)


def cell_of(
    number: int,
    placed: Placed,
    reason: str | None,
    at_border: bool,
    glass_at: Callable[[Point], tuple[float, float, float]] | None,
) -> Cell:
    """Describe one cell.

    Args:
        number: its number.
        placed: where it lies.
        reason: why it is no candidate; None where it is one.
        at_border: whether it may go on beyond the field.
        glass_at: as of `assemble`.
    """
    whole, nucleus, undecided = placed.whole, placed.exact, placed.item.undecided
    contours, _ = cv2.findContours(whole.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=whole.box[:2])
    outline = cv2.approxPolyDP(max(contours, key=len), OUTLINE_TOLERANCE, closed=True)[:, 0]
    return Cell(
        id=number,
        bbox=whole.box,
        centroid=whole.centroid,
        area=whole.area,
        nucleus_bbox=nucleus.box,
        nucleus_centroid=nucleus.centroid,
        nucleus_area=nucleus.area,
        contour=tuple(map(tuple, outline.tolist())),
        kind="candidate" if reason is None else "rejected",
        reason=reason,
        outline_unsure=at_border or (None if undecided is None else undecided > MOST_UNDECIDED),
        glass=None if glass_at is None else glass_at(nucleus.centroid),
    )


def enlarge(mask: Mask, factor: int) -> Mask:
    """Enlarge a 0/1 mask by a whole number, rounding its corners."""
    if factor == 1:
        return mask
    size = (mask.shape[1] * factor, mask.shape[0] * factor)
    smooth = cv2.resize(mask * np.uint8(255), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.threshold(smooth, 127, 1, cv2.THRESH_BINARY)[1], np.uint8)


@dataclass(frozen=True, slots=True)
class Region:
    """Some pixels of an image.

    Attributes:
        mask: ``uint8 [height, width]``, 1 on the pixels, in their box.
        box, centroid, area: where they lie in the image, and how many they are; the centroid only where there are any.
    """

    mask: Mask
    box: BoundingBox
    centroid: Point
    area: int


def measure(mask: Mask, x: int, y: int, left: int = 0, top: int = 0) -> Region:
    """The ones of a 0/1 mask whose corner lies at left, top in a window whose corner lies at x, y in the image."""
    column, row, width, height = cv2.boundingRect(mask)
    mask = mask[row : row + height, column : column + width]
    left, top = left + column, top + row
    if not width:
        return Region(mask, (left + x, top + y, 0, 0), (left + x, top + y), 0)
    area, along_columns, along_rows = moments_of(mask)
    centroid = ((along_columns + left * area) / area + x, (along_rows + top * area) / area + y)
    return Region(mask, (left + x, top + y, width, height), centroid, area)


@dataclass(frozen=True, slots=True)
class Placed:
    """One object in pixels of the field.

    Attributes:
        item: as it was found.
        whole, nucleus, exact: where these lie.
    """

    item: Found
    whole: Region
    nucleus: Region
    exact: Region
