"""Nuclei that could belong together, and the cells that they turn out to be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage
from edge_all.segmentation.colour_clustering import ColourModel, FloatArray, lab_of, mean_of
from edge_all.segmentation.numbered_cells import Found
from edge_all.segmentation.own_cytoplasm import CellColours
from edge_all.segmentation.separation import LARGEST_NUCLEUS, NumberedCells
from edge_all.segmentation.shapes import around
from edge_all.segmentation.whole_cells import RedCells, grow_cells

__all__ = ["LOBE_GAP", "Group", "OutlinedGroup", "cells_of_group", "group_in", "outline_group"]

LOBE_GAP = 0.5
"""Nuclei nearer than twice this many red-cell radii are looked at together. It is also more than the surroundings of a
cell over which its depths are smoothed (`separation.cut_at_necks`)."""
BOX_GRID = 3
"""Of so many pixels one a side is enough to find a cell."""
BLUR = 0.8
"""Sigma in working pixels: takes the grain of the camera and of JPEG off the colours."""


@dataclass(frozen=True, slots=True)
class Group:
    """Nuclei that could belong together, and what surrounds them.

    Attributes:
        left, top: corner of the window in the working image.
        lab: ``float32 [height, width, 3]`` Lab of the window.
        own: ``uint8 [height, width]``, 1 on these nuclei, as the field's colours found them.
        other: ``uint8 [height, width]``, 1 on nuclei of other groups.
    """

    left: int
    top: int
    lab: FloatArray
    own: NDArray[np.uint8]
    other: NDArray[np.uint8]


def group_in(
    window: RgbImage,
    left: int,
    top: int,
    own: NDArray[np.uint8],
    other: NDArray[np.uint8],
    model: ColourModel,
    *,
    grain: bool,
) -> Group:
    """The group in a window of the working image; its masks may be smaller than the window."""
    size = (window.shape[1], window.shape[0])
    if own.shape != window.shape[:2]:
        own = cv2.resize(own, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
        other = cv2.resize(other, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    if grain:
        window = cv2.GaussianBlur(window, (0, 0), BLUR).astype(np.uint8, copy=False)
    lab = lab_of(cv2.LUT(window, model.balance).astype(np.uint8, copy=False))
    return Group(left, top, lab, own, other)


@dataclass(frozen=True, slots=True)
class OutlinedGroup:
    """A group whose nuclei and whole cells are outlined by their colours, all of them together.

    Attributes:
        left, top: corner of what follows in the working image.
        lab: ``float32 [height, width, 3]`` Lab.
        nuclei, whole: ``uint8 [height, width]``, 1 on nuclei, and on whole cells.
        depth_limit: no distance from an edge counts for more, in pixels; it bounds what the border cuts.
    """

    left: int
    top: int
    lab: FloatArray
    nuclei: NDArray[np.uint8]
    whole: NDArray[np.uint8]
    depth_limit: float


def outline_group(
    group: Group, nuclei: NDArray[np.uint8], red_cells: RedCells | None, red_radius: float
) -> OutlinedGroup | None:
    """Grow the cells of one group, whose nuclei are outlined; None where nothing is left of these."""
    if not nuclei.any():
        return None
    whole = grow_cells(group.lab, nuclei, group.other, red_cells, LARGEST_NUCLEUS * red_radius)
    # From here on the surroundings do not matter, but for the little over which `separate` smooths.
    rows, columns = around(whole, math.ceil(LOBE_GAP * red_radius) + 3, grid=BOX_GRID)
    return OutlinedGroup(
        group.left + columns.start,
        group.top + rows.start,
        group.lab[rows, columns],
        nuclei[rows, columns],
        whole[rows, columns],
        max(nuclei.shape) / 2,
    )


def cells_of_group(group: OutlinedGroup, numbered: NumberedCells) -> list[tuple[Found, CellColours]]:
    """The cells of one group, each by itself, and the colours of each."""
    result = []
    for number, (rows, columns) in enumerate(boxes(numbered.cells, numbered.count), start=1):
        inside_nucleus = numbered.nuclei[rows, columns] == number
        nucleus = inside_nucleus.astype(np.uint8)
        cell = connected_to(nucleus, (numbered.cells[rows, columns] == number).astype(np.uint8))
        x, y, w, h = cv2.boundingRect(cell)
        if w:
            inside = (slice(y, y + h), slice(x, x + w))
            lab = group.lab[rows, columns]
            hue = nucleus_hue(lab.reshape(-1, 3).compress(inside_nucleus.ravel(), axis=0))
            left, top = group.left + columns.start + x, group.top + rows.start + y
            undecided = numbered.undecided[number - 1] if numbered.undecided else None
            found = Found(nucleus[inside], cell[inside], left, top, hue, undecided)
            result.append((found, CellColours(lab[inside], found.nucleus, found.whole)))
    return result


def nucleus_hue(lab: FloatArray) -> float:
    """Angle from magenta (0) towards blue of the mean colour of ``float32 [n, 3]`` pixels, in radians.

    Not of the median: the levels of a and b are whole numbers, one of which is a hundredth of a radian.
    """
    _, a, b = mean_of(lab).tolist()
    return math.atan2(-b, a)


def boxes(labels: NDArray[np.int32], count: int) -> list[tuple[slice, slice]]:
    """Rows and columns that hold each of the numbers 1 to ``count``, with a little to spare."""
    if count == 1:
        return [(slice(0, labels.shape[0]), slice(0, labels.shape[1]))]
    # Few pixels tell where a cell lies; what is thinner was opened away.
    few = np.ascontiguousarray(labels[::BOX_GRID, ::BOX_GRID])
    result = []
    for number in range(1, count + 1):
        x, y, w, h = (BOX_GRID * value for value in cv2.boundingRect((few == number).view(np.uint8)))
        result.append((slice(max(0, y - BOX_GRID), y + h + BOX_GRID), slice(max(0, x - BOX_GRID), x + w + BOX_GRID)))
    return result


def connected_to(nucleus: NDArray[np.uint8], cell: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pieces of a cell that hold a piece of its nucleus."""
    count, numbered = cv2.connectedComponents(cell)
    if count <= 2:
        return cell
    labels = np.asarray(numbered, np.int32)
    keep = np.zeros(count, np.uint8)
    keep[labels[nucleus > 0]] = 1
    keep[0] = 0
    return np.asarray(keep.take(labels), np.uint8)
