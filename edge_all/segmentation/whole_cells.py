"""From nuclei to whole cells, also where red cells touch.

Around a nucleus lie three colours: cytoplasm, red cells, ground. The red cells' colour is known from the rest of the
field, the cytoplasm's from the nucleus's surroundings, and a linear discriminant (Fisher 1936) between the two
decides pixel by pixel; the ground is told by its distance from both.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import median_of
from edge_all.segmentation.colour_clustering import (
    GROUND,
    NUCLEUS_CHROMA,
    STAINED,
    FloatArray,
    mean_of,
    squared_distance,
)
from edge_all.segmentation.nuclei import SMOOTHING, ring_width
from edge_all.segmentation.shapes import around, disc, fill_holes

__all__ = ["REGULARISATION", "RedCells", "cytoplasm_reach", "grow_cells", "red_cell_colour"]

GROUND_SHARE = 0.4
"""Cytoplasm begins at this share of its own distance from the ground. Whole-cell Dice on every second mask of
segmentation_wbc 1 and 2, grown from the true nuclei: 0.3 -> 0.943 0.962; 0.4 -> 0.951 0.957; 0.5 -> 0.955 0.950."""
PRIOR = (5.0, 3.0)
"""Log-odds of cytoplasm against red cell before the colour is seen: at the nucleus, and the loss per radius of it.
Whole-cell Dice on those masks: (4, 3) -> 0.952 0.924; (5, 3) -> 0.963 0.923; (5, 4) -> 0.962 0.924."""
OPENING = 0.5
"""Radius of the opening of the whole cell, in radii of the nucleus, cutting leaks; it is closed as nuclei are opened.
Whole-cell Dice on those masks with an opening of 0.3, 0.5, 0.6: 0.963 0.936; 0.963 0.934; 0.964 0.940; mean overlap
with BCCD's boxes 0.800, 0.799, 0.794."""
REGULARISATION: FloatArray = 4.0 * np.eye(3, dtype=np.float32)
"""Added to each variance (Lab), so that few pixels do not make a certain answer."""


def cytoplasm_reach() -> float:
    """How far from the nucleus cytoplasm is likelier than a red cell before the colour is seen, in radii of nuclei."""
    at_nucleus, per_radius = PRIOR
    return at_nucleus / per_radius


@dataclass(frozen=True, slots=True)
class RedCells:
    """Colour of a field's red cells: mean and covariance in Lab."""

    mean: FloatArray
    covariance: FloatArray


def red_cell_colour(lab: FloatArray) -> RedCells | None:
    """Colour of the red cells.

    Args:
        lab: ``float32 [n, 3]`` Lab of pixels far from any nucleus.

    Returns:
        None where too few of the pixels are stained.
    """
    stained = squared_distance(lab, GROUND) > STAINED**2
    stained &= lab[:, 1] - lab[:, 2] < NUCLEUS_CHROMA
    chosen = lab[stained]
    if len(chosen) < max(50, 0.02 * len(lab)):
        return None
    return RedCells(*moments_of(chosen))


def moments_of(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and regularised covariance of ``float32 [n, 3]`` points."""
    mean = mean_of(points)
    centred = points - mean
    covariance = centred.T @ centred / len(points) + REGULARISATION
    return mean, covariance.astype(np.float32)


def grow_cells(
    lab: FloatArray,
    nuclei: NDArray[np.uint8],
    others: NDArray[np.uint8],
    red_cells: RedCells | None,
    cell_radius: float,
) -> NDArray[np.uint8]:
    """Grow nuclei over their cytoplasm.

    Args:
        lab: ``float32 [height, width, 3]`` Lab.
        nuclei: ``uint8 [height, width]``, 1 on the nuclei to grow.
        others: ``uint8 [height, width]``, 1 on nuclei that belong elsewhere and keep their surroundings.
        red_cells: colour of the red cells, where there are any.
        cell_radius: radius that one nucleus hardly exceeds.

    Returns:
        ``uint8 [height, width]``, 1 on whole cells.
    """
    area = float(np.count_nonzero(nuclei))
    radius = min((area / np.pi) ** 0.5, cell_radius)
    distance_map = cv2.distanceTransform(1 - nuclei, cv2.DIST_L2, 3)
    within = (distance_map < cytoplasm_reach() * radius) & (nuclei == 0)
    if others.any():
        within &= cv2.distanceTransform(1 - others, cv2.DIST_L2, 3) > distance_map
    allowed = np.flatnonzero(within)
    points, distance = lab.reshape(-1, 3).take(allowed, axis=0), distance_map.ravel().take(allowed)
    from_ground = squared_distance(points, GROUND)
    ring = (distance > 1) & (distance < ring_width(np.pi * radius**2)) & (from_ground > STAINED**2)
    whole = nuclei.copy()
    if np.count_nonzero(ring) > 20:
        typical = median_of(from_ground[ring]) ** 0.5
        cytoplasm = from_ground > max(GROUND_SHARE * typical, STAINED) ** 2
        if red_cells is not None:
            prior = PRIOR[0] - PRIOR[1] / radius * distance
            cytoplasm &= not_red_cell(points, points.compress(ring & cytoplasm, axis=0), red_cells, prior)
        np.put(whole, allowed, cytoplasm)
    place = around(whole, max(1, round(SMOOTHING * radius)) + 1)
    whole[place] = smooth(whole[place], radius)
    return whole | nuclei


def smooth(whole: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Close a mask of whole cells, fill its holes and cut its leaks."""
    closed = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, disc(SMOOTHING * radius)).astype(np.uint8, copy=False)
    fill_holes(closed, 0.3 * np.pi * radius**2)
    return cv2.morphologyEx(closed, cv2.MORPH_OPEN, disc(OPENING * radius)).astype(np.uint8, copy=False)


def not_red_cell(lab: FloatArray, ring: FloatArray, red_cells: RedCells, prior: FloatArray) -> NDArray[np.bool_]:
    """Which pixels are cytoplasm rather than red cell: ``bool [n]``.

    Args:
        lab: ``float32 [n, 3]`` Lab of the pixels in question.
        ring: ``float32 [m, 3]`` stained pixels next to the nucleus: cytoplasm, and red cells where they touch.
        red_cells: colour of the red cells.
        prior: ``float32 [n]``, log-odds of cytoplasm before the colour is seen.
    """
    ring = ring[:: max(1, len(ring) // 600)]
    if len(ring) < 10:
        return np.ones(len(lab), np.bool_)
    # Blue dye is what cytoplasm has and red cells have not: the bluer half of the ring starts as cytoplasm.
    hue = np.arctan2(-ring[:, 2], ring[:, 1])
    chosen = hue > median_of(hue)
    # Where the two cannot be told apart, the prior decides; what then reaches over a red cell is no ellipse, and the
    # network is asked.
    direction, threshold = np.zeros(3, np.float32), 0.0
    for _ in range(4):
        if np.count_nonzero(chosen) < 10:
            chosen = np.ones(len(ring), np.bool_)
        mean, covariance = moments_of(ring.compress(chosen, axis=0))
        difference = mean - red_cells.mean
        # In a tenth of the time of NumPy's.
        _, solved = cv2.solve((covariance + red_cells.covariance) / 2, difference[:, None])
        direction = np.asarray(solved, np.float32)[:, 0]
        threshold = float(direction @ (mean + red_cells.mean)) / 2
        chosen = ring @ direction > threshold
    return lab @ direction + prior > threshold
