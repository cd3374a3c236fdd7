"""From nuclei to whole cells."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.segmentation.colour_clustering import nearest_centre

__all__ = ["grow_cells"]


def grow_cells(
    lab: NDArray[np.float32], parts: NDArray[np.int32], centres: NDArray[np.float32], radius: float
) -> NDArray[np.int32]:
    """Grow each nucleus over its cytoplasm; ``int32 [height, width]`` with the numbers of the nuclei."""
    nuclei = (parts > 0).astype(np.uint8)
    near = cv2.distanceTransform(1 - nuclei, cv2.DIST_L2, 5) < 0.8 * radius
    nearest = nearest_centre(lab.reshape(-1, 3), centres).reshape(parts.shape)
    stained = ((nearest == 0) | (lab[..., 1] - lab[..., 2] > 16) & (lab[..., 0] < 63)) & near
    whole = (
        cv2.morphologyEx((stained | (nuclei > 0)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) | nuclei
    )
    _, labels = cv2.distanceTransformWithLabels(1 - nuclei, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(labels.max()) + 1, np.int32)
    table[labels[nuclei > 0]] = parts[nuclei > 0]
    return np.where(whole > 0, table[labels], 0).astype(np.int32)
