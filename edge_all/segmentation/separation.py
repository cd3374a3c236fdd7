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

ONE_CELL = {
    "thinner": -6.13,
    "thicker": -3.78,
    "cell neck": 3.54,
    "nucleus waist": 2.26,
    "nucleus solidity": -8.43,
    "cell solidity": 13.11,
    "cell radius": 4.75,
}
"""Log-odds that two neighbouring parts of a nucleus are one cell, by what is measured of the pair (`likeness`).
Logistic regression on 67 pairs of marked blasts and 191 pairs within one masked or boxed cell, from every second image
of ALL-IDB1, ALL-IDB2, segmentation_wbc 1 and 2 and BCCD: area under the curve 0.981 in tenfold cross-validation."""
ONE_CELL_OFFSET = -6.15
FRAGMENT = 0.6
"""A part below this radius that touches another is a piece of it, whatever its shape."""
LARGEST_THINNER = 1.5
"""Above this radius a part is as large as any."""


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
    count = absorb_fragments(parts, depth, count, red_radius)
    cells = nearest_part(parts, whole)
    whole_depth = cv2.distanceTransform(whole, cv2.DIST_L2, 5)
    while count > 1:
        pair = most_alike(parts, cells, depth, whole_depth, count, red_radius)
        if pair is None:
            break
        for labels in (parts, cells):
            join(labels, *pair, count)
        count -= 1
    return parts, cells


def join(labels: NDArray[np.int32], keep: int, drop: int, count: int) -> None:
    """Give one part the number of another, in place; the last number takes the place of the one that is free."""
    labels[labels == drop] = keep
    labels[labels == count] = drop


def absorb_fragments(parts: NDArray[np.int32], depth: FloatArray, count: int, red_radius: float) -> int:
    """Join small parts to the neighbour that they touch most broadly, the smallest first, in place; the new count."""
    while count > 1:
        area = np.bincount(parts.ravel(), minlength=count + 1)
        neck = saddles(parts, depth, count)
        small = [
            number
            for number in np.argsort(area[1:], kind="stable") + 1
            if area[number] < np.pi * (FRAGMENT * red_radius) ** 2 and neck[number].max() > 0
        ]
        if not small:
            break
        join(parts, int(neck[small[0]].argmax()), int(small[0]), count)
        count -= 1
    return count


def cut_at_necks(
    nuclei: NDArray[np.uint8], depth: FloatArray, red_radius: float
) -> tuple[NDArray[np.int32], int]:
    """Cut nuclei into parts, one for each maximum of the distance transform."""
    smooth = cv2.GaussianBlur(depth, (0, 0), max(0.8, 0.08 * red_radius))
    peaks = (smooth >= cv2.dilate(smooth, disc(0.3 * red_radius))) & (depth > 0.2 * red_radius)
    count, markers = cv2.connectedComponents(peaks.astype(np.uint8))
    if count <= 2:
        return nuclei.astype(np.int32), count - 1
    return by_power(nuclei, markers, depth, count - 1), count - 1


def by_power(
    nuclei: NDArray[np.uint8], markers: NDArray[np.int32], depth: FloatArray, count: int
) -> NDArray[np.int32]:
    """Give each pixel of the nuclei to the peak of least power distance.

    Around each peak lies a disc as large as the nucleus is deep there; the line of equal power of two overlapping discs
    runs through their two crossings, which is where the neck is (Laguerre-Voronoi diagram).
    """
    rows, columns = np.nonzero(nuclei)
    best = np.full(len(rows), np.inf, np.float32)
    owner = np.zeros(len(rows), np.int32)
    for number in range(1, count + 1):
        peak_rows, peak_columns = np.nonzero(markers == number)
        row, column = peak_rows.mean(), peak_columns.mean()
        power = (rows - row) ** 2 + (columns - column) ** 2 - float(depth[peak_rows, peak_columns].max()) ** 2
        nearer = power < best
        best[nearer] = power[nearer]
        owner[nearer] = number
    parts = np.zeros(nuclei.shape, np.int32)
    parts[rows, columns] = owner
    return parts


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
    area = np.bincount(parts.ravel(), minlength=count + 1)
    size = np.sqrt(area / np.pi) / red_radius
    best, pair = 0.0, None
    for first in range(1, count + 1):
        for second in range(first + 1, count + 1):
            if cell_neck[first, second] <= 0:
                continue
            measured = {
                "thinner": min(size[first], size[second], LARGEST_THINNER),
                "thicker": max(size[first], size[second]),
                "cell neck": cell_neck[first, second] / max(1.0, min(cell_radius[first], cell_radius[second])),
                "nucleus waist": nucleus_neck[first, second]
                / max(1.0, min(nucleus_radius[first], nucleus_radius[second])),
                "nucleus solidity": solidity(parts, first, second),
                "cell solidity": solidity(cells, first, second),
                "cell radius": min(cell_radius[first], cell_radius[second]) / red_radius,
            }
            likeness = ONE_CELL_OFFSET + sum(weight * measured[name] for name, weight in ONE_CELL.items())
            if likeness > best:
                best, pair = likeness, (first, second)
    return pair


def solidity(labels: NDArray[np.int32], first: int, second: int) -> float:
    """Area of two parts together over that of their convex hull."""
    both = ((labels == first) | (labels == second)).astype(np.uint8)
    points = cv2.findNonZero(both)
    if points is None:
        return 1.0
    return len(points) / max(1.0, float(cv2.contourArea(cv2.convexHull(points))))
