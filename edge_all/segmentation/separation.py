"""Touching cells apart, lobes of one nucleus together.

Nuclei are first cut at every neck of their distance transform, then put together again where there is no neck in the
whole cell: two blasts that touch have a waist in nucleus and cytoplasm alike, the lobes of a neutrophil lie in one
convex cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.segmentation.candidates import PLATELET_RADIUS
from edge_all.segmentation.colour_clustering import FloatArray
from edge_all.segmentation.shapes import depth_inside, disc

__all__ = ["LARGEST_NUCLEUS", "CutNuclei", "NumberedCells", "cut_nuclei", "nearest_part", "nucleus_parts", "separate"]

LARGEST_NUCLEUS = 1.5
"""Radius that one nucleus hardly exceeds, in red-cell radii."""
ONE_CELL = {"offset": 7.7, "thinner": -11.11, "nucleus waist": 1.60, "nucleus share": -6.91, "cell radius": 4.28}
"""Log-odds that two neighbouring parts of a nucleus are one cell, by what is measured of the pair (`most_alike`).
Logistic regression on 81 pairs of marked blasts and 247 pairs within one masked or boxed cell, from every second image
of ALL-IDB1, ALL-IDB2, segmentation_wbc 1 and 2 and BCCD: area under the curve 0.994 in tenfold cross-validation. The
fit's own offset is 6.72. Over all images, precision on BCCD's white cells is 0.949 at 7.3 and 0.960 at 7.7, and 0.971
and 0.966 of 349 blasts have a candidate of their own."""


@dataclass(frozen=True, slots=True)
class NumberedCells:
    """Cells of one group.

    Attributes:
        nuclei, cells: ``int32 [height, width]`` each, the same number for the same cell, from 1; 0 where none is.
        count: of them.
        undecided: of each, how wide the rim is in which the network is undecided (`learned_outlines.undecided_rim`): 0
            where colour alone was certain, infinite where the network does not know the cell; empty where none could be
            asked.
    """

    nuclei: NDArray[np.int32]
    cells: NDArray[np.int32]
    count: int
    undecided: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of numbered pieces of a mask; place n belongs to piece n, 0 to none.

    Attributes:
        area: ``float64``, pixels of each.
        depth: ``float32``, largest distance from the edge inside it.
        neck: ``float32 [count, count]``, the largest depth on the common boundary of each two; 0 where none is.
    """

    area: NDArray[np.float64]
    depth: FloatArray
    neck: FloatArray

    @classmethod
    def of(cls, labels: NDArray[np.int32], depth: FloatArray, count: int) -> Measured:
        """Measure ``int32 [height, width]`` pieces from 1 to ``count`` and their ``float32`` depths."""
        inside = np.flatnonzero(labels)
        numbers = labels.ravel().take(inside)
        deepest = np.zeros(count + 1, np.float32)
        np.maximum.at(deepest, numbers, depth.ravel().take(inside))
        area = np.bincount(numbers, minlength=count + 1).astype(np.float64)
        return cls(area, deepest, saddles(labels, depth, count))


@dataclass(slots=True)
class Parts:
    """What is measured of the parts of a group; row and column n belong to part n, 0 to none.

    Joining two parts needs no look at the pixels: areas add up, depths and necks are maxima.

    Attributes:
        area: pixels of each nucleus part.
        cell_area: pixels of the whole cell that lie nearest to it.
        depth: largest distance from the nucleus's edge inside it.
        cell_depth: largest distance from the whole cell's edge inside its share of the cell.
        neck: ``[count, count]`` the largest depth on the common boundary of each two parts, 0 where they do not touch.
        cell_neck: the same for their shares of the cell.
        alive: which parts are still there.
    """

    area: NDArray[np.float64]
    cell_area: NDArray[np.float64]
    depth: FloatArray
    cell_depth: FloatArray
    neck: FloatArray
    cell_neck: FloatArray
    alive: NDArray[np.bool_]

    @classmethod
    def of(cls, nuclei: Measured, cells: Measured) -> Parts:
        """The parts before any two are joined.

        Args:
            nuclei: of the parts of the nuclei.
            cells: of their shares of the cells.
        """
        return cls(
            area=nuclei.area.copy(),
            cell_area=cells.area.copy(),
            depth=nuclei.depth.copy(),
            cell_depth=cells.depth.copy(),
            neck=nuclei.neck.copy(),
            cell_neck=cells.neck.copy(),
            alive=nuclei.area > 0,
        )

    def join(self, keep: int, drop: int) -> None:
        """Make one part of two."""
        self.area[keep] += self.area[drop]
        self.cell_area[keep] += self.cell_area[drop]
        self.depth[keep] = max(self.depth[keep], self.depth[drop])
        self.cell_depth[keep] = max(self.cell_depth[keep], self.cell_depth[drop])
        for neck in (self.neck, self.cell_neck):
            neck[keep] = np.maximum(neck[keep], neck[drop])
            neck[:, keep] = neck[keep]
            neck[keep, keep] = 0
            neck[drop], neck[:, drop] = 0, 0
        self.alive[drop] = False


@dataclass(frozen=True, slots=True)
class CutNuclei:
    """The nuclei of a group, cut at every neck.

    Attributes:
        depth: ``float32 [height, width]``, distance from their edge.
        labels: ``int32 [height, width]``, the parts from 1.
        count: number of parts.
        measured: of each part; None where there is but one.
    """

    depth: FloatArray
    labels: NDArray[np.int32]
    count: int
    measured: Measured | None


def cut_nuclei(nuclei: NDArray[np.uint8], red_radius: float, depth_limit: float) -> CutNuclei:
    """Cut the nuclei of a group at every neck.

    Args:
        nuclei: ``uint8 [height, width]``, 1 on nuclei.
        red_radius: radius of a red cell.
        depth_limit: no distance from an edge counts for more, in pixels; it bounds what the border cuts.
    """
    depth = depth_inside(nuclei, depth_limit)
    labels, count = cut_at_necks(nuclei, depth, red_radius)
    return CutNuclei(depth, labels, count, None if count <= 1 else Measured.of(labels, depth, count))


def separate(cut: CutNuclei, whole: NDArray[np.uint8], red_radius: float, depth_limit: float) -> NumberedCells:
    """Number the cells of one group.

    Args:
        cut: its nuclei.
        whole: ``uint8 [height, width]``, 1 on whole cells, holds the nuclei.
        red_radius: as for `cut_nuclei`.
        depth_limit: as for `cut_nuclei`.
    """
    if cut.measured is None:
        return NumberedCells(cut.labels, whole.astype(np.int32), 1)
    cell_labels = nearest_part(cut.labels, whole)
    parts = Parts.of(cut.measured, Measured.of(cell_labels, depth_inside(whole, depth_limit), cut.count))
    owner = np.arange(cut.count + 1)
    while pair := touching_fragment(parts, red_radius) or most_alike(parts, red_radius):
        keep, drop = pair
        parts.join(keep, drop)
        owner[owner == drop] = keep
    numbers = np.zeros(cut.count + 1, np.int32)
    numbers[parts.alive] = np.arange(1, np.count_nonzero(parts.alive) + 1)
    table = numbers[owner]
    return NumberedCells(table.take(cut.labels), table.take(cell_labels), int(numbers.max()))


def nucleus_parts(cut: CutNuclei, red_radius: float) -> tuple[NDArray[np.int32], int]:
    """The parts of nuclei, small fragments joined to what they touch.

    Args:
        cut: the nuclei.
        red_radius: as for `cut_nuclei`.

    Returns:
        ``int32 [height, width]``, numbered from 1, and how many.
    """
    if cut.measured is None:
        return cut.labels, 1
    parts = Parts.of(cut.measured, cut.measured)
    owner = np.arange(cut.count + 1)
    while pair := touching_fragment(parts, red_radius):
        keep, drop = pair
        parts.join(keep, drop)
        owner[owner == drop] = keep
    numbers = np.zeros(cut.count + 1, np.int32)
    numbers[parts.alive] = np.arange(1, np.count_nonzero(parts.alive) + 1)
    return numbers[owner].take(cut.labels), int(numbers.max())


def touching_fragment(parts: Parts, red_radius: float) -> tuple[int, int] | None:
    """The smallest part that is no nucleus by itself, and before it the one that it touches most broadly."""
    small = np.flatnonzero(
        parts.alive & (parts.area < np.pi * (PLATELET_RADIUS * red_radius) ** 2) & (parts.neck.max(axis=1) > 0)
    )
    if not small.size:
        return None
    fragment = int(small[parts.area[small].argmin()])
    return int(parts.neck[fragment].argmax()), fragment


def cut_at_necks(nuclei: NDArray[np.uint8], depth: FloatArray, red_radius: float) -> tuple[NDArray[np.int32], int]:
    """Cut nuclei into parts, one for each maximum of the distance transform."""
    smooth = cv2.GaussianBlur(depth, (0, 0), max(0.8, 0.08 * red_radius))
    peaks = (smooth >= cv2.dilate(smooth, disc(0.3 * red_radius))) & (depth > 0.2 * red_radius)
    count, markers = cv2.connectedComponents(peaks.astype(np.uint8))
    if count <= 2:
        return nuclei.astype(np.int32), count - 1
    return by_power(nuclei, np.asarray(markers, np.int32), depth, count - 1), count - 1


def by_power(nuclei: NDArray[np.uint8], markers: NDArray[np.int32], depth: FloatArray, count: int) -> NDArray[np.int32]:
    """Give each pixel of the nuclei to the peak of least power distance.

    Around each peak lies a disc as large as the nucleus is deep there; the line of equal power of two overlapping discs
    runs through their two crossings, which is where the neck is (Laguerre-Voronoi diagram).
    """
    at_peak = np.flatnonzero(markers > 0)
    of_peak = markers.ravel().take(at_peak)
    peak_rows, peak_columns = np.divmod(at_peak, nuclei.shape[1])
    size = np.maximum(1, np.bincount(of_peak))
    centre_rows, centre_columns = np.bincount(of_peak, peak_rows) / size, np.bincount(of_peak, peak_columns) / size
    radii = np.zeros(count + 1, np.float32)
    np.maximum.at(radii, of_peak, depth.ravel().take(at_peak))
    inside = np.flatnonzero(nuclei > 0)
    rows, columns = (place.astype(np.float64) for place in np.divmod(inside, nuclei.shape[1]))
    best = np.full(len(inside), np.inf, np.float32)
    owner = np.zeros(len(inside), np.int32)
    for number in range(1, count + 1):
        power = (rows - centre_rows[number]) ** 2
        power += (columns - centre_columns[number]) ** 2
        power -= float(radii[number]) ** 2
        nearer = power < best
        np.copyto(best, power, where=nearer, casting="same_kind")
        owner[nearer] = number
    parts = np.zeros(nuclei.shape, np.int32)
    np.put(parts, inside, owner)
    return parts


def nearest_part(parts: NDArray[np.int32], mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Give each pixel of a mask the number of the part that lies nearest."""
    empty = (parts == 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = empty == 0
    table[nearest[inside]] = parts[inside]
    return table.take(nearest) * (mask > 0)


def saddles(labels: NDArray[np.int32], depth: FloatArray, count: int) -> FloatArray:
    """Largest depth on the common boundary of each two parts: ``float32 [count + 1, count + 1]``, 0 where none."""
    result = np.zeros((count + 1, count + 1), np.float32)
    width = labels.shape[1]
    numbers, depths = labels.ravel(), depth.ravel()
    for step in (1, width):
        # Few pixels lie on a border, and only there the depths matter.
        border = np.flatnonzero(numbers[:-step] != numbers[step:])
        first, second = numbers.take(border), numbers.take(border + step)
        inner = (first > 0) & (second > 0)
        if step == 1:  # the last of a row and the first of the next do not touch
            inner &= border % width != width - 1
        border = border.compress(inner)
        low = np.minimum(depths.take(border), depths.take(border + step))
        np.maximum.at(result, (first.compress(inner), second.compress(inner)), low)
    return np.maximum(result, result.T)


def most_alike(parts: Parts, red_radius: float) -> tuple[int, int] | None:
    """The two parts that most clearly are one cell, or None where all are cells of their own."""
    size = np.sqrt(parts.area / np.pi) / red_radius
    best, pair = 0.0, None
    for first, second in np.argwhere(parts.cell_neck).tolist():
        if first > second:
            continue
        waist = parts.neck[first, second] / max(1.0, min(parts.depth[first], parts.depth[second]))
        nucleus_area = parts.area[first] + parts.area[second]
        measured = {
            "thinner": min(size[first], size[second], LARGEST_NUCLEUS),
            "nucleus waist": waist,
            "nucleus share": nucleus_area / (parts.cell_area[first] + parts.cell_area[second]),
            "cell radius": min(parts.cell_depth[first], parts.cell_depth[second]) / red_radius,
        }
        likeness = ONE_CELL["offset"] + sum(ONE_CELL[name] * value for name, value in measured.items())
        if likeness > best:
            best, pair = float(likeness), (first, second)
    return pair
