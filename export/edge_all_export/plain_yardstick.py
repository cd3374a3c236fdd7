"""The plain way to do what edge-all does, as a yardstick of ``edge-all benchmark``.

Full-pixel k-means in Lab on each field, as tutorials do it, then one ``predict`` of Keras a cell. It is flattered: its
segmentation ends with k-means, the cells are those that edge-all has found and cut, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_all.errors import CorruptImageError, MissingPackageError
from edge_all_export.cli.backend import quiet_backend

if TYPE_CHECKING:
    from pathlib import Path

    from edge_all.benchmark.workload import Workload

__all__ = ["CLUSTERS", "plain_way"]

CLUSTERS = 3
"""Ground, red cells, nuclei."""
CRITERIA = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
"""Those of OpenCV's own tutorial on k-means."""


def plain_way(workload: Workload) -> Callable[[], None]:
    """Build an InceptionV3 in Keras for the size of the workload's crops, and return the work to be timed.

    The weights are random: they do not change how long it takes.

    Args:
        workload: images, and the cells that edge-all found in them.

    Raises:
        MissingPackageError: TensorFlow is not installed.
        UsageError: the crops are too small for InceptionV3.
    """
    try:
        with quiet_backend():
            import tensorflow as tf  # noqa: F401 - Keras would end with a traceback of its own

            from edge_all_export.network import build_network
    except ImportError as error:
        raise MissingPackageError(
            f"The plain way needs TensorFlow ({error}).", "Run: pip install tensorflow-cpu"
        ) from error
    network = build_network(workload.crops.shape[1], "none")
    paths = [source.path for source in workload.images.sources]

    def run() -> None:
        start = 0
        for path, cells in zip(paths, workload.cells_per_field, strict=True):
            cluster_pixels(path)
            for crop in workload.crops[start : start + cells]:
                network.predict(crop[None], verbose=0)
            start += cells

    return run


def cluster_pixels(path: Path) -> np.ndarray:
    """Read a field and give every pixel one of `CLUSTERS` colours.

    Args:
        path: the image.

    Returns:
        ``int32 [height, width]`` cluster of each pixel.

    Raises:
        CorruptImageError: OpenCV cannot read the image.
    """
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise CorruptImageError(f"{path} cannot be read by OpenCV.", "Leave it out of the benchmark.")
    colours = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB).reshape(-1, 3).astype(np.float32)
    cv2.setRNGSeed(0)
    _, labels, _ = cv2.kmeans(colours, CLUSTERS, np.empty(0, np.int32), CRITERIA, 1, cv2.KMEANS_PP_CENTERS)
    return labels.reshape(pixels.shape[:2])
