"""From outlined objects to numbered cells and label images at the field's size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import BoundingBox, Cell, LabelImage, Point, Segmentation
from edge_all.segmentation.candidates import SMUDGE_ROUGHNESS, more_magenta, rejection_reason

__all__ = ["Found", "assemble", "enlarge"]

MAX_OBJECTS = 65535
"""The label images have 16 bits."""
OUTLINE_TOLERANCE = 1.0
"""Pixels by which the polygon of a contour may miss the mask."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object in pixels of the working image.

    Attributes:
        nucleus, whole: ``uint8 [height, width]`` masks of the same window.
        left, top: corner of that window.
        hue: of the nucleus, see `pipeline.nucleus_hue`; None for specks.
    """

    nucleus: NDArray[np.uint8]
    whole: NDArray[np.uint8]
    left: int
    top: int
    hue: float | None


def assemble(found: list[Found], factor: int, red_radius: float, shape: tuple[int, int]) -> Segmentation:
    """Number the cells from top to bottom and paint them at the field's size.

    Args:
        found: the objects.
        factor: how much smaller than the field the working image is.
        red_radius: radius of a red cell in pixels of the field.
        shape: height and width of the field.
    """
    cell_labels: LabelImage = np.zeros(shape, np.uint16)
    nucleus_labels: LabelImage = np.zeros(shape, np.uint16)
    cells: list[Cell] = []
    hues: list[float | None] = []
    for item in sorted(found, key=centre_of)[:MAX_OBJECTS]:
        cell = paint(item, len(cells) + 1, factor, red_radius, cell_labels, nucleus_labels)
        if cell is not None:
            cells.append(cell)
            hues.append(item.hue if cell.kind == "candidate" else None)
    for index in more_magenta(hues):
        if roughness(cells[index], nucleus_labels) > SMUDGE_ROUGHNESS:
            cells[index] = replace(cells[index], kind="rejected", reason="smudge")
    return Segmentation(tuple(cells), cell_labels, nucleus_labels)


def roughness(cell: Cell, nucleus_labels: LabelImage) -> float:
    """Squared outline of the largest piece of a nucleus over that of the disc of its area: 1 is a disc."""
    x, y, width, height = cell.nucleus_bbox
    mask = (nucleus_labels[y : y + height, x : x + width] == cell.id).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    return cv2.arcLength(largest, True) ** 2 / (4 * math.pi * max(1.0, cv2.contourArea(largest)))


def centre_of(item: Found) -> tuple[float, float]:
    """Row and column of the centroid of the whole cell."""
    _, (x, y), _ = measure(item.whole, item.left, item.top)
    return y, x


def paint(
    item: Found, number: int, factor: int, red_radius: float, cell_labels: LabelImage, nucleus_labels: LabelImage
) -> Cell | None:
    """Enlarge one object to the field's size and enter it; None where nothing of it is left."""
    height, width = cell_labels.shape
    x, y = item.left * factor, item.top * factor
    whole, nucleus = (enlarge(mask, factor)[: height - y, : width - x] for mask in (item.whole, item.nucleus))
    rows, columns = slice(y, y + whole.shape[0]), slice(x, x + whole.shape[1])
    cell_window, nucleus_window = cell_labels[rows, columns], nucleus_labels[rows, columns]
    whole = whole & (cell_window == 0)
    nucleus = nucleus & whole
    if not nucleus.any():
        return None
    np.copyto(cell_window, number, where=whole.view(np.bool_))
    np.copyto(nucleus_window, number, where=nucleus.view(np.bool_))
    contours, _ = cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    outline = cv2.approxPolyDP(max(contours, key=len), OUTLINE_TOLERANCE, closed=True)[:, 0]
    box, centroid, area = measure(whole, x, y)
    nucleus_box, nucleus_centroid, nucleus_area = measure(nucleus, x, y)
    reason = rejection_reason(math.sqrt(nucleus_area / math.pi) / red_radius, box, (width, height), factor)
    return Cell(
        id=number,
        bbox=box,
        centroid=centroid,
        area=area,
        nucleus_bbox=nucleus_box,
        nucleus_centroid=nucleus_centroid,
        nucleus_area=nucleus_area,
        contour=tuple((px, py) for px, py in outline.tolist()),
        kind="candidate" if reason is None else "rejected",
        reason=reason,
    )


def enlarge(mask: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Enlarge a 0/1 mask by a whole number, rounding its corners."""
    if factor == 1:
        return mask
    size = (mask.shape[1] * factor, mask.shape[0] * factor)
    smooth = cv2.resize(mask * np.uint8(255), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.threshold(smooth, 127, 1, cv2.THRESH_BINARY)[1], np.uint8)


def measure(mask: NDArray[np.uint8], x: int, y: int) -> tuple[BoundingBox, Point, int]:
    """Box, centroid and area of a 0/1 mask whose corner lies at x, y."""
    moments = cv2.moments(mask)
    left, top, width, height = (int(value) for value in cv2.boundingRect(mask))
    area = moments["m00"]
    return (left + x, top + y, width, height), (moments["m10"] / area + x, moments["m01"] / area + y), int(area)
