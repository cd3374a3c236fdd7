"""Temperature scaling: one number that makes a network's probabilities honest.

The logit is divided by the temperature that minimises the negative log-likelihood of held-out cells (Guo et al., ICML
2017). It keeps the order of the cells, so it changes no AUC. Each precision variant gets its own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import logit

__all__ = ["fit_temperature", "lies_at_limit", "match_temperature"]

LIMITS = (0.05, 20.0)
"""Beyond these the network separates the cells perfectly or not at all, and neither is believed of so few cells."""
TOLERANCE = 1e-4
"""Of the logarithm of the temperature; its effect on any probability is under 1e-4."""


def fit_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """The temperature that makes held-out labels most likely.

    The targets are smoothed as Platt (1999) did: ``(n + 1) / (n + 2)`` instead of 1. Without it a perfectly separated
    set would call for a temperature of zero, that is, for certainty that a few hundred cells cannot give.

    Args:
        probabilities: ``float [n]`` of the network, uncalibrated.
        labels: ``bool [n]``, both classes present.

    Raises:
        ValueError: a class is missing.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        raise ValueError("temperature scaling needs cells of both classes")
    return match_temperature(probabilities, np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2)))


def match_temperature(probabilities: NDArray[np.floating], targets: NDArray[np.float64]) -> float:
    """The temperature that brings probabilities closest to others, in the mean cross-entropy.

    Args:
        probabilities: ``float [n]`` of the network, uncalibrated.
        targets: ``float64 [n]``, what they should be, for example the calibrated probabilities of FP32.
    """
    logits = logit(probabilities)

    def loss(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        return float(np.mean(np.logaddexp(0.0, scaled) - targets * scaled))

    # The loss is convex in 1/T, so it has one minimum along log T as well, and golden-section search finds it.
    low, high = (math.log(limit) for limit in LIMITS)
    shrink = (math.sqrt(5.0) - 1.0) / 2.0
    while high - low > TOLERANCE:
        left, right = high - shrink * (high - low), low + shrink * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2.0)


def lies_at_limit(temperature: float) -> bool:
    """Whether the search for a temperature ended at one of its limits, so that the best one lies beyond."""
    # The search ends within its tolerance of a limit, never on it.
    return min(abs(math.log(temperature / limit)) for limit in LIMITS) <= TOLERANCE
