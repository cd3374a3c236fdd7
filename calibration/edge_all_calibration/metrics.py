"""Figures of a binary classifier, each with its interval.

All intervals of differences are percentile bootstraps that draw whole groups: cells of one slide are no independent
witnesses, and drawing single cells would make the intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.verdict import wilson_interval

__all__ = ["Estimate", "auc", "bootstrap", "expected_calibration_error", "negative_log_likelihood", "proportion"]

RESAMPLES = 1000
"""Bootstrap resamples: 2.5 % tails then rest on 25 samples each."""
CALIBRATION_BINS = 10
"""Equally filled bins of the expected calibration error."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def proportion(hits: NDArray[np.bool_]) -> Estimate:
    """Share of True with its Wilson interval; of nothing it is unknown: 0 to 1."""
    if len(hits) == 0:
        return Estimate(float("nan"), 0.0, 1.0)
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return Estimate(float(hits.mean()), low, high)


def auc(probabilities: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic, ties counted half; NaN when a class is missing."""
    positives, negatives = np.sort(probabilities[labels]), np.sort(probabilities[~labels])
    if len(positives) == 0 or len(negatives) == 0:
        return float("nan")
    below = np.searchsorted(negatives, positives, "left")
    not_above = np.searchsorted(negatives, positives, "right")
    return float((below + not_above).mean() / 2 / len(negatives))


def expected_calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Mean distance between predicted probability and observed frequency over equally filled bins.

    Equal filling, because a good classifier leaves equally wide bins in the middle nearly empty, and their noise would
    outweigh what is measured (Nixon et al., CVPR Workshops 2019).
    """
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, min(CALIBRATION_BINS, len(order)))
    return float(sum(abs(probabilities[b].mean() - labels[b].mean()) * len(b) for b in bins) / len(order))


def negative_log_likelihood(probabilities: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Mean negative log-likelihood in nats."""
    chosen = np.where(labels, probabilities, 1.0 - probabilities)
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def bootstrap(figure: Callable[[NDArray[np.intp]], float], groups: NDArray[np.str_]) -> Estimate:
    """A figure of a sample with its 95 % percentile interval over resampled groups.

    Args:
        figure: computes the figure from the indices of the drawn cells; may give NaN where a draw lacks a class.
        groups: ``str [n]`` group of each cell.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    generator = np.random.default_rng(0)
    samples = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(0, len(members), len(members))
        samples.append(figure(np.concatenate([members[index] for index in drawn])))
    value = figure(np.arange(len(groups)))
    finite = np.array([sample for sample in samples if np.isfinite(sample)])
    if len(finite) == 0:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.percentile(finite, (2.5, 97.5))
    return Estimate(value, float(low), float(high))
