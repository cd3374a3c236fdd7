"""Touching cells apart, lobes of one nucleus together.

Nuclei are first cut at every neck of their distance transform, then put together again where there is no neck in the
whole cell: two blasts that touch have a waist in nucleus and cytoplasm alike, the lobes of a neutrophil lie in one
convex cell.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.segmentation.colour_clustering import FloatArray
from edge_all.segmentation.shapes import disc

__all__ = ["separate"]

SMALL_PART = 0.55
LARGE_PART = 0.95
"""Radii of a nucleus part, in red cells, below which it is a lobe rather than a nucleus and above which a nucleus."""
LOBE_NECK = 0.45
NUCLEUS_NECK = 0.86
"""Neck of the whole cell over the radius of the thinner side, above which two parts are one cell: for lobes and for
full-sized nuclei, linear between."""
NUCLEUS_WAIST = 0.88
"""The same for the neck of the nucleus itself: a shallower waist is no boundary."""


def separate(
    nuclei: NDArray[np.uint8], whole: NDArray[np.uint8], red_radius: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Number the cells of one group.

    Args:
        nuclei: ``uint8 [height, width]``, 1 on nuclei.
        whole: ``uint8 [height, width]``, 1 on whole cells, holds the nuclei.
        red_radius: radius of a red cell.

    Returns:
        Nuclei and whole cells, ``int32 [height, width]`` each, the same number for the same cell, from 1.
    """
    depth = cv2.distanceTransform(nuclei, cv2.DIST_L2, 5)
    parts, count = cut_at_necks(nuclei, depth, red_radius)
    if count <= 1:
        return nuclei.astype(np.int32), whole.astype(np.int32)
    cells = nearest_part(parts, whole)
    while count > 1:
        pair = most_alike(parts, cells, depth, cv2.distanceTransform(whole, cv2.DIST_L2, 5), count, red_radius)
        if pair is None:
            break
        keep, drop = pair
        for labels in (parts, cells):
            labels[labels == drop] = keep
            labels[labels == count] = drop
        count -= 1
    return parts, cells


def cut_at_necks(
    nuclei: NDArray[np.uint8], depth: FloatArray, red_radius: float
) -> tuple[NDArray[np.int32], int]:
    """Cut nuclei into parts, one for each maximum of the distance transform."""
    smooth = cv2.GaussianBlur(depth, (0, 0), max(0.8, 0.08 * red_radius))
    peaks = (smooth >= cv2.dilate(smooth, disc(0.3 * red_radius))) & (depth > 0.2 * red_radius)
    count, markers = cv2.connectedComponents(peaks.astype(np.uint8))
    if count <= 2:
        return nuclei.astype(np.int32), count - 1
    relief = np.clip(255 - depth * (250 / max(1.0, float(depth.max()))), 0, 255).astype(np.uint8)
    markers[nuclei == 0] = count
    flooded = cv2.watershed(cv2.merge([relief, relief, relief]), markers)
    flooded[(flooded == count) | (flooded < 0)] = 0
    return nearest_part(flooded, nuclei), count - 1


def nearest_part(parts: NDArray[np.int32], mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Give each pixel of a mask the number of the part that lies nearest."""
    empty = (parts == 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = empty == 0
    table[nearest[inside]] = parts[inside]
    return np.where(mask > 0, table[nearest], 0).astype(np.int32)


def saddles(labels: NDArray[np.int32], depth: FloatArray, count: int) -> FloatArray:
    """Largest depth on the common boundary of each two parts: ``float32 [count + 1, count + 1]``, 0 where none."""
    result = np.zeros((count + 1, count + 1), np.float32)
    for first, second, low in (
        (labels[:, :-1], labels[:, 1:], np.minimum(depth[:, :-1], depth[:, 1:])),
        (labels[:-1], labels[1:], np.minimum(depth[:-1], depth[1:])),
    ):
        border = (first != second) & (first > 0) & (second > 0)
        np.maximum.at(result, (first[border], second[border]), low[border])
    return np.maximum(result, result.T)


def deepest(labels: NDArray[np.int32], depth: FloatArray, count: int) -> FloatArray:
    """Largest depth inside each part."""
    result = np.zeros(count + 1, np.float32)
    inside = labels > 0
    np.maximum.at(result, labels[inside], depth[inside])
    return result


def most_alike(
    parts: NDArray[np.int32],
    cells: NDArray[np.int32],
    depth: FloatArray,
    whole_depth: FloatArray,
    count: int,
    red_radius: float,
) -> tuple[int, int] | None:
    """The two parts that most clearly are one cell, or None where all are cells of their own."""
    nucleus_neck = saddles(parts, depth, count)
    cell_neck = saddles(cells, whole_depth, count)
    nucleus_radius = deepest(parts, depth, count)
    cell_radius = deepest(cells, whole_depth, count)
    size = np.sqrt(np.bincount(parts.ravel(), minlength=count + 1) / np.pi) / red_radius
    best, pair = 0.0, None
    for first in range(1, count + 1):
        for second in range(first + 1, count + 1):
            if cell_neck[first, second] <= 0:
                continue
            smaller = min(size[first], size[second])
            fullness = min(max((smaller - SMALL_PART) / (LARGE_PART - SMALL_PART), 0.0), 1.0)
            needed = LOBE_NECK + (NUCLEUS_NECK - LOBE_NECK) * fullness
            cell_ratio = cell_neck[first, second] / max(1.0, min(cell_radius[first], cell_radius[second]))
            waist_ratio = nucleus_neck[first, second] / max(1.0, min(nucleus_radius[first], nucleus_radius[second]))
            likeness = max(cell_ratio / needed, waist_ratio / NUCLEUS_WAIST)
            if likeness > max(1.0, best):
                best, pair = likeness, (first, second)
    return pair
