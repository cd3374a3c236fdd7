"""Medians and percentiles: NumPy's, in a part of their time, and without its masked arrays, which its own import.

Between two ranks the value is interpolated linearly, as `numpy.percentile` does.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import Mask

__all__ = ["median_of", "percentile_of", "percentile_of_levels"]


def median_of(values: NDArray[np.floating[Any]]) -> float:
    """Median of values of any shape, at least one."""
    low, high = (values.size - 1) // 2, values.size // 2
    ordered = np.partition(values, (low, high), axis=None)
    return float((ordered[low] + ordered[high]) / 2)


def percentile_of(values: NDArray[np.floating[Any]], percent: float) -> float:
    """Percentile of values of any shape, at least one.

    Args:
        values: ``float32`` or ``float64``, in which it is interpolated, too.
        percent: 0 to 100.
    """
    place = (values.size - 1) * (percent / 100)
    low, share = int(place), place - int(place)
    high = min(low + 1, values.size - 1)
    ordered = np.partition(values, (low, high), axis=None)
    return float(between(ordered[low], ordered[high], share))


def percentile_of_levels(levels: NDArray[np.uint8], percent: float, mask: Mask | None = None) -> float:
    """Percentile of the grey levels of a picture, by counting them.

    Args:
        levels: ``uint8 [height, width]``.
        percent: 0 to 100.
        mask: ``uint8 [height, width]``, not 0 on the pixels that count, at least one; None for all.
    """
    counts = cv2.calcHist([levels], [0], mask, [256], [0, 256])
    up_to = np.cumsum(counts.astype(np.int64))
    place = (int(up_to[-1]) - 1) * (percent / 100)
    low, share = int(place), place - int(place)
    high = min(low + 1, int(up_to[-1]) - 1)
    first, second = np.searchsorted(up_to, (low, high), side="right").tolist()
    return float(between(first, second, share))


def between(first: float, second: float, share: float) -> float:
    """The value that lies this share of the way from one to the other; from the nearer of them, as NumPy rounds."""
    step = second - first
    return first + step * share if share < 0.5 else second - step * (1 - share)
