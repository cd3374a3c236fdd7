"""From outlined objects to numbered cells at the field's size."""

from __future__ import annotations

import math
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
from edge_all.segmentation.upright import Upright

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
        nucleus, whole: ``uint8 [height, width]`` masks of the same window.
        left, top: corner of that window.
        hue: of the nucleus, see `pipeline.nucleus_hue`; None for specks.
        undecided: see `separation.NumberedCells`; None where no network could be asked.
    """

    nucleus: Mask
    whole: Mask
    left: int
    top: int
    hue: float | None
    undecided: float | None = None

    def turned_back(self, upright: Upright, shape: tuple[int, int]) -> Found:
        """The same object as the field lies.

        Args:
            upright: how the field was turned to be looked at.
            shape: height and width of the working image that this was found in.
        """
        left, top = upright.corner_back(self.left, self.top, self.whole, shape)
        nucleus, whole = upright.turned_back(self.nucleus), upright.turned_back(self.whole)
        return replace(self, nucleus=nucleus, whole=whole, left=left, top=top)


def assemble(found: list[Found], factor: int, red_radius: float, shape: tuple[int, int]) -> Segmentation:
    """Number the cells from top to bottom and outline them at the field's size.

    Args:
        found: the objects.
        factor: how much smaller than the field the working image is.
        red_radius: radius of a red cell in pixels of the field.
        shape: height and width of the field.
    """
    taken: Mask = np.zeros(shape, np.uint8)
    placed: list[tuple[Found, Region, Region]] = []
    # In the order in which they were found, so that what two claim goes to the same one however the field is turned.
    for item in found[:MAX_OBJECTS]:
        whole, nucleus = at_full_size(item, factor, taken)
        if nucleus.area:
            x, y, width, height = whole.box
            taken[y : y + height, x : x + width] |= whole.mask
            placed.append((item, whole, nucleus))
    cells: list[Cell] = []
    cell_masks: list[Mask] = []
    nucleus_masks: list[Mask] = []
    hues: list[float | None] = []
    for item, whole, nucleus in sorted(placed, key=lambda one: one[1].centroid[::-1]):
        cell = cell_of(len(cells) + 1, whole, nucleus, red_radius, shape, factor)
        at_border = reaches_border(whole.box, shape[::-1], factor)
        unsure = None if item.undecided is None else item.undecided > MOST_UNDECIDED
        cells.append(replace(cell, outline_unsure=at_border or unsure))
        cell_masks.append(whole.mask)
        nucleus_masks.append(nucleus.mask)
        hues.append(item.hue)
    for index in too_large_for_platelets([cell.nucleus_area for cell in cells], [cell.reason for cell in cells]):
        cells[index] = replace(cells[index], kind="candidate", reason=None)
    of_candidates = [hue if cell.kind == "candidate" else None for hue, cell in zip(hues, cells, strict=True)]
    for index in more_magenta(of_candidates):
        if roughness(nucleus_masks[index]) > SMUDGE_ROUGHNESS:
            cells[index] = replace(cells[index], kind="rejected", reason="smudge")
    known = [hue for hue in hues if hue is not None]
    nucleus_hue = median_of(np.array(known, np.float64)) if known else None
    return Segmentation(shape, tuple(cells), tuple(cell_masks), tuple(nucleus_masks), nucleus_hue=nucleus_hue)


def roughness(nucleus: Mask) -> float:
    """Squared outline of the largest piece of a nucleus over that of the disc of its area: 1 is a disc."""
    contours, _ = cv2.findContours(nucleus, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    return cv2.arcLength(largest, True) ** 2 / (4 * math.pi * max(1.0, cv2.contourArea(largest)))


def at_full_size(item: Found, factor: int, taken: Mask) -> tuple[Region, Region]:
    """Enlarge one object to the field's size; pixels already taken are left out.

    Returns:
        Whole cell and nucleus.
    """
    height, width = taken.shape
    x, y = item.left * factor, item.top * factor
    whole = enlarge(item.whole, factor)[: height - y, : width - x]
    whole = (whole > taken[y : y + whole.shape[0], x : x + whole.shape[1]]).view(np.uint8)
    # Enlarging a pixel looks at the two beside it.
    rows, columns = around(item.nucleus, 2)
    top, left = rows.start * factor, columns.start * factor
    nucleus = enlarge(item.nucleus[rows, columns], factor)[: whole.shape[0] - top, : whole.shape[1] - left]
    nucleus = nucleus & whole[top : top + nucleus.shape[0], left : left + nucleus.shape[1]]
    return measure(whole, x, y), measure(nucleus, x, y, left, top)


def cell_of(
    number: int, whole: Region, nucleus: Region, red_radius: float, shape: tuple[int, int], tolerance: int
) -> Cell:
    """Describe one cell.

    Args:
        number: its number.
        whole: the whole cell.
        nucleus: its nucleus.
        red_radius: radius of a red cell.
        shape: height and width of the field.
        tolerance: pixels from the border within which a cell counts as touching it.
    """
    contours, _ = cv2.findContours(whole.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=whole.box[:2])
    outline = cv2.approxPolyDP(max(contours, key=len), OUTLINE_TOLERANCE, closed=True)[:, 0]
    reason = rejection_reason(math.sqrt(nucleus.area / math.pi) / red_radius, whole.box, shape[::-1], tolerance)
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
    moments = cv2.moments(mask)
    area = moments["m00"]
    centroid = ((moments["m10"] + left * area) / area + x, (moments["m01"] + top * area) / area + y)
    return Region(mask, (left + x, top + y, width, height), centroid, int(area))
