"""The exact outline of nuclei that the field's colours have found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import median_of
from edge_all.segmentation.colour_clustering import (
    FloatArray,
    mean_of,
    nearest_centre,
    weighted_kmeans,
)
from edge_all.segmentation.shapes import around, disc, fill_holes

__all__ = ["HOLE", "SMOOTHING", "refine_nuclei", "ring_width", "without_rims", "without_threads"]

REACH = 0.25
"""Width of the ring in which a nucleus's surroundings are looked at, as a share of the root of its area. Nucleus Dice
on every second mask of ALL-IDB2, segmentation_wbc 1 and 2: 0.15 -> 0.951 0.951 0.963; 0.2 -> 0.952 0.955 0.965; 0.25 ->
0.953 0.956 0.963."""
SAMPLE = 600
"""Pixels that are enough to find three centres."""
HOLE = 0.05
"""Holes up to this share of the nucleus are filled: nucleoli, not the middle of a ring."""
RIM = 0.35
"""Pieces below this share of the thickest piece's depth are no lobes."""
SMOOTHING = 0.06
"""Radius of the opening that removes threads, as a share of the nucleus's radius; whole cells are closed by it."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Nuclei and a ring around them, which are clustered together.

    Attributes:
        place: rows and columns of the window that hold them.
        chosen: ``intp [n]``: which pixels of that place, counted row by row.
        points: ``float32 [n, 3]``: Lab of these pixels.
        start: ``float32 [3, 3]``: mean colour of the nuclei, of what is brighter in the ring, of what is darker.
        area: of the nuclei in pixels, at most that of one nucleus.
    """

    place: tuple[slice, slice]
    chosen: NDArray[np.intp]
    points: FloatArray
    start: FloatArray
    area: float


def refine_nuclei(
    windows: Sequence[tuple[FloatArray, NDArray[np.uint8]]], cell_radius: float
) -> list[NDArray[np.uint8]]:
    """Cluster nuclei against their own surroundings: k-means with k = 3 near the first guess.

    The field's clusters find a nucleus; where it ends depends on how dark its own cytoplasm is.

    Args:
        windows: each ``float32 [height, width, 3]`` Lab, and ``uint8 [height, width]`` the first guess, 1 on
            nuclei.
        cell_radius: radius that one nucleus hardly exceeds; bounds the ring around a clump.

    Returns:
        ``uint8 [height, width]`` for each window, 1 on nuclei.
    """
    refined = [seed for _, seed in windows]
    around_seeds = [ring_around(lab, seed, cell_radius) for lab, seed in windows]
    rings = {index: ring for index, ring in enumerate(around_seeds) if ring is not None}
    for (index, ring), centres in zip(rings.items(), local_centres(list(rings.values())), strict=True):
        seed = refined[index][ring.place]
        found = nuclei_in(ring, centres)
        result = np.zeros_like(refined[index])
        result[ring.place] = found | pieces_without(without_threads(seed, ring.area), found)
        refined[index] = result
    return refined


def pieces_without(seed: NDArray[np.uint8], found: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pieces of the first guess, without threads, of which nothing was found again; rims left out.

    Beside a darker nucleus a pale one may be nearer to cytoplasm; it keeps the outline that the field's colours gave.
    """
    nuclei = without_rims(seed)
    count, numbered = cv2.connectedComponents(nuclei)
    if count <= 2:
        return np.zeros_like(seed)
    labels = np.asarray(numbered, np.int32)
    lost = np.ones(count, np.uint8)
    lost[labels[found > 0]] = 0
    lost[0] = 0
    return np.asarray(lost.take(labels), np.uint8)


def ring_width(area: float) -> float:
    """How far the surroundings of a nucleus of so many pixels are looked at, in pixels."""
    return max(3.0, REACH * math.sqrt(area))


def ring_around(lab: FloatArray, seed: NDArray[np.uint8], cell_radius: float) -> Ring | None:
    """The surroundings of one window's nuclei; None where there are none, or no nuclei."""
    area = min(float(np.count_nonzero(seed)), np.pi * cell_radius**2)
    reach = ring_width(area)
    # The window holds whole cells, and the ring is often in a quarter of it. OpenCV's distances are up to 5 % short,
    # and a rim of one pixel bounds the opening.
    place = around(seed, math.ceil(1.05 * reach) + 1)
    lab, seed = lab[place], seed[place]
    # Indices, not masks: a mask over pixels of three values takes four times as long.
    chosen = np.flatnonzero(cv2.distanceTransform(1 - seed, cv2.DIST_L2, 3) <= reach)
    points = lab.reshape(-1, 3).take(chosen, axis=0)
    inside = seed.ravel().take(chosen) > 0
    outside = points.compress(~inside, axis=0)
    if not len(outside) or not inside.any():
        return None
    brighter = outside[:, 0] > median_of(outside[:, 0])
    if not brighter.any():
        brighter[0] = True
    darker = ~brighter if not brighter.all() else brighter
    parts = (points.compress(inside, axis=0), *(outside.compress(side, axis=0) for side in (brighter, darker)))
    return Ring(place, chosen, points, np.array([mean_of(part) for part in parts]), area)


def local_centres(rings: Sequence[Ring]) -> FloatArray:
    """Centres of nuclei, of what is brighter around them, of what is darker: ``float32 [rings, 3, 3]``."""
    samples = [ring.points[:: max(1, len(ring.points) // SAMPLE)] for ring in rings]
    points = np.zeros((len(rings), max(map(len, samples), default=0), 3), np.float32)
    weights = np.zeros(points.shape[:2], np.float32)
    for index, sample in enumerate(samples):
        points[index, : len(sample)], weights[index, : len(sample)] = sample, 1
    return weighted_kmeans(points, weights, np.array([ring.start for ring in rings]).reshape(-1, 3, 3))


def nuclei_in(ring: Ring, centres: FloatArray) -> NDArray[np.uint8]:
    """The pixels of the place of a ring that are nuclei, by their colours, without threads and rims."""
    rows, columns = ring.place
    result = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    np.put(result, ring.chosen, nearest_centre(ring.points, centres) == 0)
    fill_holes(result, HOLE * ring.area)
    return without_rims(without_threads(result, ring.area))


def without_threads(nuclei: NDArray[np.uint8], area: float) -> NDArray[np.uint8]:
    """Leave out what is thin, for nuclei of so many pixels."""
    radius = SMOOTHING * (area / np.pi) ** 0.5
    return np.asarray(cv2.morphologyEx(nuclei, cv2.MORPH_OPEN, disc(radius)), np.uint8)


def without_rims(nuclei: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out pieces that are thin beside the thickest: dark rims of cytoplasm."""
    count, found = cv2.connectedComponents(nuclei)
    labels = np.asarray(found, np.int32)
    if count <= 2:
        return nuclei
    depth = np.asarray(cv2.distanceTransform(nuclei, cv2.DIST_L2, 3), np.float32)
    thickness = np.zeros(count, np.float32)
    np.maximum.at(thickness, labels[nuclei > 0], depth[nuclei > 0])
    keep = (thickness >= RIM * thickness.max()).astype(np.uint8)
    keep[0] = 0
    return np.asarray(keep.take(labels), np.uint8)
