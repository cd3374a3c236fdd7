"""Proof that a model package does on this machine what it did where it was tested."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_all.classification.classifier import Classifier
from edge_all.model.golden import GOLDEN_TOLERANCE, golden_crops
from edge_all.model.package import ModelPackage

__all__ = ["GoldenCheck", "check_golden", "check_networks"]


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """One network against its golden answers.

    Attributes:
        largest_difference: of the network's probabilities; None where the card carries no golden answers.
        tolerance: the difference that is allowed.
    """

    largest_difference: float | None
    tolerance: float

    @property
    def passed(self) -> bool:
        """True where nothing contradicts the card."""
        return self.largest_difference is None or self.largest_difference <= self.tolerance


def check_networks(package: ModelPackage) -> None:
    """Open every network of a package and compare it with the contract and with the card.

    Raises:
        ModelError: a foreign network, or one that the card is not about.
        RuntimeSetupError: no ONNX Runtime to open it with.
    """
    for variant in package.card.variants:
        Classifier(package, variant=variant, device="cpu")


def check_golden(classifier: Classifier) -> GoldenCheck:
    """Run the golden crops through the network.

    Args:
        classifier: on the device in question.

    Raises:
        ModelError: the network failed.
    """
    golden = classifier.card.variants[classifier.variant].golden
    answers = classifier.network_probability(golden_crops(classifier.spec.input_size))
    tolerance = GOLDEN_TOLERANCE[classifier.variant]
    if golden is None:
        return GoldenCheck(None, tolerance)
    if len(golden) != len(answers):
        return GoldenCheck(float("inf"), tolerance)
    return GoldenCheck(float(np.abs(answers.astype(np.float64) - np.array(golden)).max()), tolerance)
