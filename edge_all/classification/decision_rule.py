"""Outputs of a network to decisions: the one rule of stations, calibration, gate and evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_all.classification.appearance import Appearance, read_appearance, traits_of
from edge_all.classification.feature_statistics import FeatureStatistics, read_statistics
from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, UsageError
from edge_all.model.card import Band, Thresholds, VariantName
from edge_all.model.package import ModelPackage
from edge_all.results import RgbImage

__all__ = [
    "DecisionRule",
    "Decisions",
    "calibrated_probability",
    "is_out_of_distribution",
    "labels_of",
    "logit",
    "probability_of",
    "read_rule",
]

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are kept this far from 0 and 1: beyond, 32-bit sigmoids round to 0 or 1 and the logit is infinite."""
RELATIVE_LIMIT = 1.0
"""Of the relative distance, which is a distance divided by the package's limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Decisions about cells.

    Attributes:
        probability: ``float64 [n]`` of ALL, calibrated.
        relative_distance: ``float64 [n]``, see `is_out_of_distribution`; None where the package offers no such score.
        label: ``str [n]``: ``ALL``, ``non-ALL`` or ``indeterminate``.
    """

    probability: NDArray[np.float64]
    relative_distance: NDArray[np.float64] | None
    label: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRule:
    """What turns the outputs of a network into decisions; of one cell it says the same in any company.

    Attributes:
        temperature: divides the logit.
        thresholds: on the calibrated probability, and on the distance from the training cells.
        statistics: of the training cells; None where there are none, and then the limit is not applied.
        appearance: of the known laboratories; None where it is not known.

    Raises:
        UsageError: a temperature that is not a positive number.
    """

    temperature: float
    thresholds: Thresholds
    statistics: FeatureStatistics | None = None
    appearance: Appearance | None = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise UsageError(f"The temperature {self.temperature} is not one.", "Give a number above 0.")

    @property
    def needed_outputs(self) -> tuple[str, ...]:
        """The network's outputs that decisions rest on."""
        return ("probability",) if self._limits() is None else ("probability", "features")

    def decide(
        self,
        probability: NDArray[np.floating],
        features: NDArray[np.float32] | None,
        crops: RgbImage | None = None,
    ) -> Decisions:
        """Judge cells.

        Args:
            probability: ``float [n]`` of the network, before the temperature.
            features: ``float32 [n, d]`` of the network; read only where `needed_outputs` names them.
            crops: ``uint8 [n, side, side, 3]`` RGB, for the appearance; None leaves it out, as the gate does, to which
                it would say the same of every precision.

        Raises:
            ModelIncompatibleError: the network answers with something that is no probability.
            ModelIntegrityError: the features do not fit the statistics.
        """
        calibrated = calibrated_probability(probability, self.temperature)
        distance = self.relative_distance(features)
        if self.appearance is not None and crops is not None:
            unlike = self.appearance.relative_distances(traits_of(crops))
            distance = unlike if distance is None else np.maximum(distance, unlike)
        return Decisions(calibrated, distance, labels_of(calibrated, distance, self.thresholds))

    def near_threshold(self, probability: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which cells ``bool [n]`` lie so near a threshold that they are looked at a second time.

        Args:
            probability: ``float [n]`` of the network, before the temperature.

        Raises:
            ModelIncompatibleError: the network answers with something that is no probability.
        """
        ends = logit(np.array([self.thresholds.non_all_below, self.thresholds.all_from]))
        away = np.abs(logit(probability)[:, None] / self.temperature - ends).min(axis=1)
        return np.asarray(away < self.thresholds.second_look)

    def relative_distance(self, features: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """How far cells lie from the training cells, ``float64 [n]`` in units of the limit; None without such a score.

        Raises:
            ModelIntegrityError: the features do not fit the statistics.
        """
        limits = self._limits()
        if limits is None:
            return None
        statistics, limit = limits
        width = 0 if features is None else features.shape[1]
        if features is None or width != statistics.width:
            raise ModelIntegrityError(
                f"The feature statistics are of {statistics.width} features, the network has {width or 'none'}.",
                "Export the model again.",
            )
        return statistics.squared_distances(features) / limit

    def _limits(self) -> tuple[FeatureStatistics, float] | None:
        limit = self.thresholds.out_of_distribution
        return None if self.statistics is None or limit is None else (self.statistics, limit)


def read_rule(package: ModelPackage, variant: VariantName) -> DecisionRule:
    """The rule of one variant of a package.

    Raises:
        ModelNotFoundError: the package lacks the variant.
        ModelIntegrityError: its feature statistics are damaged.
    """
    block = package.variant(variant)
    statistics = None if block.thresholds.out_of_distribution is None else read_statistics(package)
    return DecisionRule(block.temperature, block.thresholds, statistics, read_appearance(package))


def calibrated_probability(probability: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Divide the logits by the temperature (Guo et al., ICML 2017).

    Args:
        probability: ``float [n]`` of the network, 0 to 1.
        temperature: above 0; 1 changes nothing.

    Returns:
        ``float64 [n]``, never outside 0 to 1 and in the same order.

    Raises:
        ModelIncompatibleError: a value is no probability.
    """
    return probability_of(logit(probability) / temperature)


def probability_of(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities ``float64 [n]`` of logits ``float64 [n]``."""
    # The hyperbolic form of the sigmoid cannot overflow.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float64)


def logit(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits ``float64 [n]`` of a network's probabilities ``float [n]``, `SMALLEST_PROBABILITY` away from 0 and 1.

    Raises:
        ModelIncompatibleError: a value is no probability.
    """
    values = np.asarray(probability, np.float64)
    wrong = values[~((values >= 0) & (values <= 1))]
    if wrong.size:
        raise ModelIncompatibleError(
            f"The network answers with values outside 0 to 1, which are no probabilities ({wrong[0]:.4g}).",
            "Export the model again with a sigmoid or softmax at its end; `edge-all wrap --logits` puts one behind it.",
        )
    clipped = np.clip(values, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float64)


def labels_of(
    probability: NDArray[np.float64], relative_distance: NDArray[np.float64] | None, band: Band
) -> NDArray[np.str_]:
    """Labels ``str [n]`` of cells; one that is out of distribution is ``indeterminate`` whatever its probability.

    Args:
        probability: ``float64 [n]``, calibrated.
        relative_distance: ``float64 [n]``; None where there is no such score.
        band: between its ends a cell is ``indeterminate``.
    """
    labels = np.where(
        probability >= band.all_from, "ALL", np.where(probability < band.non_all_below, "non-ALL", "indeterminate")
    )
    return (
        labels
        if relative_distance is None
        else np.where(is_out_of_distribution(relative_distance), "indeterminate", labels)
    )


def is_out_of_distribution(relative_distance: ArrayLike) -> NDArray[np.bool_]:
    """Whether cells are so unlike the training cells that a person must look at them.

    Args:
        relative_distance: squared distance divided by the package's limit, of one cell or of many; NaN where it is not
            known, and then nothing is said against the cell.
    """
    return np.asarray(np.asarray(relative_distance, np.float64) > RELATIVE_LIMIT)
