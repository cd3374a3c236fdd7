"""Figures of a binary classifier that the gate and the evaluation both judge by, one definition of each."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CALIBRATION_BINS",
    "CALIBRATION_METHOD",
    "auc",
    "better_than_chance",
    "calibration_bins",
    "expected_calibration_error",
]

CALIBRATION_BINS = 15
"""Bins of the calibration error, of equal width, as in Guo et al., ICML 2017."""
CALIBRATION_METHOD = f"{CALIBRATION_BINS} bins of equal width on the probability of ALL"
"""For reports: figures by another definition are not comparable."""


def auc(probabilities: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic, ties counted half; NaN when a class is missing.

    Args:
        probabilities: ``float64 [n]`` of ALL.
        labels: ``bool [n]``, True is ALL.
    """
    positives, negatives = np.sort(probabilities[labels]), np.sort(probabilities[~labels])
    if len(positives) == 0 or len(negatives) == 0:
        return float("nan")
    below = np.searchsorted(negatives, positives, "left")
    not_above = np.searchsorted(negatives, positives, "right")
    return float((below + not_above).mean() / 2 / len(negatives))


def better_than_chance(probabilities: NDArray[np.float64], labels: NDArray[np.bool_]) -> bool:
    """Whether the AUC lies above one half by more than chance gives one time in twenty.

    Mann and Whitney (1947): without any relation the AUC has mean 1/2 and variance ``(n + m + 1) / (12 n m)``, and is
    nearly normal.

    Args:
        probabilities: ``float64 [n]`` of ALL.
        labels: ``bool [n]``, True is ALL, both classes present.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    deviation = math.sqrt((len(labels) + 1) / (12 * positives * negatives))
    return auc(probabilities, labels) - 0.5 > 1.645 * deviation


def calibration_bins(
    probabilities: NDArray[np.float64], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Sort cells into `CALIBRATION_BINS` bins of equal width by their probability of ALL.

    Args:
        probabilities: ``float64 [n]`` of ALL.
        labels: ``bool [n]``, True is ALL.

    Returns:
        Cells ``int64 [bins]``, sum of their probabilities ``float64 [bins]`` and number of ALL ``int64 [bins]``.
    """
    index = np.minimum((probabilities * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    count = np.bincount(index, minlength=CALIBRATION_BINS)
    total = np.bincount(index, weights=probabilities, minlength=CALIBRATION_BINS).astype(np.float64)
    positive = np.bincount(index[labels], minlength=CALIBRATION_BINS)
    return count.astype(np.int64), total, positive.astype(np.int64)


def expected_calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Mean distance of stated probability and observed share over bins, weighted by their cells.

    ``sum_b |sum of p in b - number of ALL in b| / n``, over the bins of `calibration_bins`: the binary form of Naeini,
    Cooper and Hauskrecht, AAAI 2015 (on the probability of ALL, not on the confidence of the decision), with the 15
    bins of Guo et al., ICML 2017, so that it can be laid beside published figures. It is biased upwards in small sets,
    where chance alone moves each bin; equally filled bins (Nixon et al., CVPR Workshops 2019) are less so, but they
    average doubtful cells with one another (a run's 584 held-out cells: 0.084, and 0.051 with ten equally filled bins),
    and cells of one and the same probability fall into this bin or that by the order of the rows.

    Args:
        probabilities: ``float64 [n]`` of ALL, n > 0.
        labels: ``bool [n]``, True is ALL.
    """
    _, total, positive = calibration_bins(probabilities, labels)
    return float(np.abs(total - positive).sum() / len(labels))
