"""The exact outline of nuclei that the field's colours have found."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.segmentation.colour_clustering import nearest_centre, weighted_kmeans

__all__ = ["refine_nucleus"]

REACH = 0.25
"""Width of the ring that is clustered with the nucleus, as a share of the root of its area. Nucleus Dice on
160 + 150 + 50 masked crops: 0.15 -> 0.962 0.955 0.975; 0.25 -> 0.9605 0.9605 0.983; 0.4 -> 0.958 0.958 0.985."""


def refine_nucleus(lab: NDArray[np.float32], seed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cluster the nucleus against its own surroundings: k-means with k = 3 near the first guess.

    Args:
        lab: ``float32 [height, width, 3]`` weighted Lab.
        seed: ``bool [height, width]`` first guess.

    Returns:
        ``bool [height, width]``.
    """
    area = int(np.count_nonzero(seed))
    reach = max(3, round(REACH * area**0.5))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    region = cv2.dilate(seed.astype(np.uint8), kernel).astype(bool)
    ring = region & ~seed
    points = lab[region]
    outside = lab[ring]
    if not len(outside):
        return seed
    order = np.argsort(outside[:, 0], kind="stable")
    half = len(order) // 2
    start = np.stack(
        [lab[seed].mean(axis=0), outside[order[half:]].mean(axis=0), outside[order[: half + 1]].mean(axis=0)]
    )
    stride = max(1, len(points) // 2000)
    sample = points[::stride]
    centres = weighted_kmeans(sample, np.ones(len(sample), np.float32), start.astype(np.float32))
    result = np.zeros(seed.shape, np.uint8)
    result[region] = nearest_centre(points, centres) == 0
    contours, _ = cv2.findContours(result, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(result, contours, -1, 1, -1)
    size = max(1, round(0.06 * (area / np.pi) ** 0.5))
    result = cv2.morphologyEx(
        result, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
    )
    return result.astype(bool)
