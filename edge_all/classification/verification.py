"""Proof that a model package does on this machine what it did where it was tested, and is what its maker signed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_all.classification.classifier import Classifier
from edge_all.model.card import VariantName
from edge_all.model.golden import GOLDEN_TOLERANCE, golden_crops
from edge_all.model.package import ModelPackage
from edge_all.model.trust import SignatureState, signature_state, signed_only
from edge_all.segmentation.outline_network import GOLDEN_DIFFERENCE, golden_answers, open_outlines

__all__ = [
    "GoldenCheck",
    "OutlinesCheck",
    "PackageCheck",
    "check_golden",
    "check_networks",
    "check_outlines",
    "check_package",
]


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

    @property
    def json_difference(self) -> float | None:
        """The difference for JSON, which knows no infinity: None also where there are more answers than crops."""
        found = self.largest_difference
        return found if found is not None and math.isfinite(found) else None

    def to_json(self, file: str, sha256: str) -> dict[str, Any]:
        """The check of the network in a file, as JSON-ready values."""
        return {
            "file": file,
            "sha256": sha256,
            "golden_answers": None if self.largest_difference is None else self.passed,
            "largest_difference": self.json_difference,
            "tolerance": self.tolerance,
        }


@dataclass(frozen=True, slots=True)
class OutlinesCheck:
    """The network of outlines of a package, or of the embedded one where it has none; its hash is right.

    Attributes:
        file: its file.
        sha256: of that file.
        golden: its golden answers.
    """

    file: str
    sha256: str
    golden: GoldenCheck


@dataclass(frozen=True, slots=True)
class PackageCheck:
    """What this machine makes of a package of which every hash is right.

    Attributes:
        package: the package.
        networks: the golden answers of each network.
        signature: what is known of its signature.
        accepted: whether this station takes a package with such a signature.
        outlines: the network by which cells are outlined before they are judged, and its golden answers.
    """

    package: ModelPackage
    networks: dict[VariantName, GoldenCheck]
    signature: SignatureState
    accepted: bool
    outlines: OutlinesCheck

    @property
    def passed(self) -> bool:
        """True where nothing contradicts the card or the signature, and the station takes the package."""
        answers = all(check.passed for check in (*self.networks.values(), self.outlines.golden))
        return answers and self.accepted and self.signature.status != "changed"

    def to_json(self) -> dict[str, Any]:
        """The check as JSON-ready values."""
        card = self.package.card
        return {
            "name": card.name,
            "version": card.version,
            "path": str(self.package.path),
            "passed": self.passed,
            "networks": {
                variant: check.to_json(card.variants[variant].file, card.variants[variant].sha256)
                for variant, check in self.networks.items()
            },
            "outlines": self.outlines.golden.to_json(self.outlines.file, self.outlines.sha256),
            "signature": {"status": self.signature.status, "key": self.signature.key, "signer": self.signature.signer},
            "accepted": self.accepted,
        }


def check_package(package: ModelPackage) -> PackageCheck:
    """Open every network of a package, compare each with its golden answers, and look at the signature.

    Args:
        package: as loaded, which compares every hash.

    Raises:
        ModelError: a foreign network, one that the card is not about, or one that fails.
        RuntimeSetupError: no ONNX Runtime to open it with.
        UsageError, InputNotFoundError: a file among the trusted keys is none.
    """
    networks = {
        variant: check_golden(Classifier(package, variant=variant, device="cpu")) for variant in package.card.variants
    }
    signature = signature_state(package)
    return PackageCheck(package, networks, signature, signature.accepted or not signed_only(), check_outlines(package))


def check_outlines(package: ModelPackage) -> OutlinesCheck:
    """Open a package's network of outlines, which compares its hash, and compare it with its golden answers.

    Raises:
        ModelError: it is not what its card says, or failed.
        RuntimeSetupError: no ONNX Runtime to open it with.
    """
    network = open_outlines(package.outlines_folder)
    difference = None
    if network.golden is not None:
        difference = float(np.abs(np.subtract(golden_answers(network), network.golden)).max())
    return OutlinesCheck(network.file, network.sha256, GoldenCheck(difference, GOLDEN_DIFFERENCE))


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
