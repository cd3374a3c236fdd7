"""How large a red cell is in this field: the yardstick by which everything else is large or small."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import median_of
from edge_all.segmentation.colour_clustering import FloatArray
from edge_all.segmentation.shapes import depth_inside, distance_from, extents_of

__all__ = ["NUCLEUS_IN_RED_CELLS", "RED_CELL_RADIUS_MICRONS", "Scale", "red_cell_scale"]

RED_CELL_RADIUS_MICRONS = 3.7
"""Radius of a red cell on a dried smear."""
NUCLEUS_IN_RED_CELLS = 1.25
"""Radius of a white cell's nucleus over that of a red cell: median 1.4 over 38 ALL-IDB1 fields, 1.2 over 44 normal
lymphocytes of PBC; used where no red cells can be measured."""
MEASURED_SHARE = 0.97
"""What the distance transform reads of a red cell's radius: the mode is 40.7 pixels where outlines of lone red cells
give 41.4, medians over 38 ALL-IDB1 fields."""
HALF_SHARE = 0.92
"""The same where the edge is put at `HALF_STAINED`: the median over 25 ALL-IDB1 fields of one magnification is 0.94 of
what any stain gives, over 47 of another 0.99, over 61 BCCD fields 0.97."""
MODE_WIDTH = 0.13
"""Standard deviation of the kernel of the density of log radius."""
HALF_STAINED = 0.5
"""Share of the red cells' own distance from the ground at which their edge is put, where that gives cells more alike:
it opens the narrow gaps of a crowded field, which a blur fills. Standard deviation of log radius over 25 ALL-IDB1
fields of one magnification, 47 of another, and 61 of BCCD: any stain 0.094, 0.064, 0.226; half of it 0.039, 0.031,
0.278 (pale centres break up); whichever has more alike, see the docs."""
LARGEST_PALLOR = 0.02
"""Share of a picture up to which a hole is the pale centre of a red cell. With 0.004 and 0.02 the radius is wrong by
more than a quarter in 0.12 and 0.08 of 225 BCCD fields."""
ROUND = 0.55
"""Share of its box that such a hole fills at least; a disc fills 0.79."""
RELIABLE = {"offset": -4.87, "alike": 1.61, "share alike": 3.78, "above the nuclei": -6.59, "below the nuclei": -8.52}
"""Log-odds that a measured radius is right within a fifth, by the logarithm of one more than the number of red cells
that have about it, the share of the area of all that those make up, and the logarithm of how far it lies above or below
what the nuclei allow: red cells are neither larger than the typical nucleus would have them, be it a clump, nor smaller
than the thickest. Logistic regression on two stains each of 118 Raabin and 225 BCCD fields whose red cells have boxes,
72 ALL-IDB1 fields of two magnifications, a window of 500 and one of 900 pixels around a clump of each with blasts, 67
fields of Taleqani and 100 crops of segmentation_wbc, each of one magnification, and 18 rendered fields. Within a fifth
are then 0.90 and 0.94 of Raabin's and BCCD's fields (fitted without the laboratory 0.90 and 0.94; by the rules before,
which nobody had fitted, 0.87 and 0.88), all of ALL-IDB1's, 0.86 and 1.00 of its windows, 0.78 of Taleqani's (0.81
without it), 0.69 and 0.84 of segmentation_wbc 1 and 2."""
THINNER = 0.2
"""Logarithm of how much smaller than by the thickest nucleus red cells may be."""
MEASURED_ERROR = 0.06
"""Standard error of the logarithm of a measured radius that is right."""
WRONG_ERROR = 1.2
"""The same of one that is not. In this way a twentieth of these fields lies beyond two standard errors."""
INFERRED_ERROR = 0.25
"""Standard error of the logarithm of a radius that was inferred from round nuclei: 0.27 over 75 ALL-IDB1 fields."""
CLUMP_ERROR = 0.5
"""How much larger that is for each factor e by which a nucleus is larger than the disc that fits into it: it may be a
clump. With 0, 0.5 and 1, of the windows of 500 pixels 0.83, 0.91 and all are right within two fifths, of the crops of
segmentation_wbc 1 0.91, 0.88 and 0.73."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a red cell is.

    Attributes:
        radius: of a red cell in pixels.
        error: standard error of its logarithm: 0.1 is about a tenth of the radius, 0 where the user said it.
    """

    radius: float
    error: float


@dataclass(frozen=True, slots=True)
class RedCellSizes:
    """What the distance transform says of the red cells.

    Attributes:
        radius: the typical one in pixels; 0 where none was found.
        alike: how many have about that radius.
        share: of the area of all, which those make up.
    """

    radius: float = 0.0
    alike: int = 0
    share: float = 0.0


def red_cell_scale(
    from_ground: FloatArray, stained: float, nuclei: NDArray[np.uint8], white_radius: float, white_depth: float
) -> Scale:
    """Radius of the red cells, from what the field shows of them and from its white cells, each by its certainty.

    The maxima of the distance transform of what is stained and no nucleus are the radii of red cells, also where they
    touch or overlap.

    Args:
        from_ground: ``float32 [height, width]``, distance of each pixel's colour from the ground's.
        stained: distance from which something lies there.
        nuclei: ``uint8 [height, width]``, 1 where nuclei are.
        white_radius: radius of a typical nucleus in the same pixels.
        white_depth: radius of the largest disc that fits into a nucleus.
    """
    inferred = white_radius / NUCLEUS_IN_RED_CELLS
    inferred_error = math.hypot(INFERRED_ERROR, CLUMP_ERROR * math.log(white_radius / white_depth))
    near_nuclei = np.asarray(cv2.dilate(nuclei, np.ones((5, 5), np.uint8)), np.uint8)
    red = from_ground[(from_ground > stained) & (near_nuclei == 0)]
    if not red.size:
        return Scale(inferred, inferred_error)
    half = max(stained, HALF_STAINED * median_of(red[:: max(1, red.size // 5000)]))
    depths = [depth_of_red((from_ground > level).view(np.uint8), near_nuclei) for level in (stained, half)]
    from_nuclei = distance_from(near_nuclei, max(float(depth.max()) for depth in depths) + 1, 5)
    seen = [sizes_of(*both, from_nuclei) for both in zip(depths, (MEASURED_SHARE, HALF_SHARE), strict=True)]
    thickest = white_depth / NUCLEUS_IN_RED_CELLS
    reliability, radius = max((reliability_of(sizes, inferred, thickest), sizes.radius) for sizes in seen)
    if not reliability:
        return Scale(inferred, inferred_error)
    weights = 1 / (MEASURED_ERROR**2 + ((1 - reliability) * WRONG_ERROR) ** 2), inferred_error**-2
    log_radius = np.average(np.log([radius, inferred]), weights=weights)
    return Scale(float(np.exp(log_radius)), sum(weights) ** -0.5)


def reliability_of(sizes: RedCellSizes, inferred: float, thickest: float) -> float:
    """Probability that a measured radius is right; 0 where nothing was measured.

    Args:
        sizes: what was measured.
        inferred: radius of red cells by a typical nucleus.
        thickest: the same by the largest disc that fits into a nucleus.
    """
    if not sizes.alike:
        return 0.0
    measured = {
        "alike": math.log1p(sizes.alike),
        "share alike": sizes.share,
        "above the nuclei": max(0.0, math.log(sizes.radius / inferred)),
        "below the nuclei": max(0.0, math.log(thickest / sizes.radius) - THINNER),
    }
    log_odds = RELIABLE["offset"] + sum(RELIABLE[name] * value for name, value in measured.items())
    return 1 / (1 + math.exp(-log_odds))


def depth_of_red(stained: NDArray[np.uint8], near_nuclei: NDArray[np.uint8]) -> FloatArray:
    """How deep each pixel lies in red cells: ``float32 [height, width]``.

    Args:
        stained: ``uint8 [height, width]``, 1 on what is stained.
        near_nuclei: ``uint8 [height, width]``, 1 on nuclei and their rims, which are none.
    """
    mask = fill_pallor(np.asarray(cv2.medianBlur(stained, 3), np.uint8)) & (1 - near_nuclei)
    return depth_inside(mask, max(mask.shape) / 2)


def sizes_of(distance: FloatArray, measured_share: float, from_nuclei: FloatArray) -> RedCellSizes:
    """Measure the red cells by the maxima of their depths.

    Args:
        distance: from `depth_of_red`.
        measured_share: what the distances show of the radius.
        from_nuclei: ``float32 [height, width]``, distance from nuclei and their rims, 0 on them.
    """
    limit = max(distance.shape) / 2
    peaks = (distance == cv2.dilate(distance, np.ones((7, 7), np.uint8))) & (distance > 2.5) & (distance < limit)
    # What ends at a nucleus is the cytoplasm around it.
    peaks &= from_nuclei > distance + 1
    radii = np.sort(distance[peaks])
    if not radii.size:
        return RedCellSizes()
    radius = typical_radius(radii) / measured_share
    alike = radii[(radii > 0.7 * radius) & (radii < 1.4 * radius)]
    return RedCellSizes(radius, len(alike), float((alike**2).sum() / (radii**2).sum()))


def typical_radius(radii: NDArray[np.float32]) -> float:
    """The commonest radius by area: the mode of the density of log radius, or the median where that is less.

    Stacks of red cells pull the median up, few large blots the mode; seldom both.

    Args:
        radii: ``float32 [n]``, sorted.
    """
    weights = radii**2
    median = float(radii[np.searchsorted(np.cumsum(weights), weights.sum() / 2)])
    logs = np.log(radii)
    grid = np.linspace(logs[0], logs[-1], 64, dtype=np.float32)
    density = np.exp(-0.5 * ((grid[:, None] - logs[None, :]) / MODE_WIDTH) ** 2) @ weights
    return min(median, float(np.exp(grid[density.argmax()])))


def fill_pallor(stained: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill the pale centres of red cells: small round holes."""
    # Numbers of 16 bits are enough for `pipeline.SCALE_PIXELS`.
    count, numbered = cv2.connectedComponents(1 - stained, connectivity=4, ltype=cv2.CV_16U)
    labels = np.asarray(numbered, np.uint16)
    small = cv2.calcHist([labels], [0], None, [count], [0, count]).ravel() < LARGEST_PALLOR * stained.size
    small[0] = False
    area, (top, bottom, left, right) = extents_of(labels, small.take(labels), count)
    hole = small & (area / ((bottom - top + 1) * (right - left + 1)) > ROUND)
    return np.asarray(stained | hole.take(labels), np.uint8)
