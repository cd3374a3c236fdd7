"""What a variant decides about cells once its temperature and thresholds are fixed; the station decides alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.classifier import calibrated_probability
from edge_all.classifier import decide as decide_cell
from edge_all.model.card import Thresholds
from edge_all_calibration.inference import NetworkOutputs
from edge_all_calibration.operating_points import OperatingPolicy, fit_thresholds, match_cut, match_thresholds
from edge_all_calibration.out_of_distribution import FeatureStatistics, distance_limit, distances
from edge_all_calibration.temperature import fit_temperature, match_temperature

__all__ = ["DecisionRule", "Decisions", "OutOfFold", "decide", "fit_reference", "fit_variant"]


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """What turns a variant's outputs into decisions.

    Attributes:
        temperature: divides the logit.
        thresholds: on the calibrated probability and on the out-of-distribution distance.
    """

    temperature: float
    thresholds: Thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Decisions about cells.

    Attributes:
        probability: ``float64 [n]`` calibrated.
        label: ``str [n]``: ``ALL``, ``non-ALL`` or ``indeterminate``.
    """

    probability: NDArray[np.float64]
    label: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What the networks of a cross-validation said of cells that they had not seen.

    They are many more cells than one held-out part has, so the few numbers that are fitted to them are steadier. The
    network that ships was made by the same recipe from more data, so they err on the side of caution.

    Attributes:
        probabilities: ``float64 [n]``, as the networks gave them.
        labels: ``bool [n]``, True for ALL.
    """

    probabilities: NDArray[np.float64]
    labels: NDArray[np.bool_]


def fit_reference(
    outputs: NetworkOutputs,
    labels: NDArray[np.bool_],
    policy: OperatingPolicy,
    statistics: FeatureStatistics | None,
    out_of_fold: OutOfFold | None = None,
) -> DecisionRule:
    """The rule of the FP32 network, from labelled calibration cells.

    Args:
        outputs: of FP32 on the calibration cells.
        labels: ``bool [n]`` truth, both classes present.
        policy: how the thresholds are chosen.
        statistics: of the features; None where the network offers none.
        out_of_fold: predictions that fix temperature and thresholds instead of the calibration cells.
    """
    known = out_of_fold or OutOfFold(outputs.probability.astype(np.float64), labels)
    temperature = fit_temperature(known.probabilities, known.labels)
    thresholds = fit_thresholds(calibrated_probability(known.probabilities, temperature), known.labels, policy)
    if statistics is not None and outputs.features is not None:
        limit = distance_limit(outputs.features, statistics)
        thresholds = dataclasses.replace(thresholds, out_of_distribution=limit)
    return DecisionRule(temperature, thresholds)


def fit_variant(
    outputs: NetworkOutputs,
    reference: NetworkOutputs,
    rule: DecisionRule,
    statistics: FeatureStatistics | None,
) -> DecisionRule:
    """The rule of another precision: its own temperature, and thresholds at which it decides as FP32 does.

    Args:
        outputs: of the variant on the calibration cells.
        reference: of FP32 on the same cells.
        rule: of FP32.
        statistics: of the features; None where the network offers none.
    """
    expected = calibrated_probability(reference.probability, rule.temperature)
    # To FP32 and not to the labels anew: what they say is in its rule already, perhaps from many more cells than these.
    temperature = match_temperature(outputs.probability, expected)
    thresholds = match_thresholds(calibrated_probability(outputs.probability, temperature), expected, rule.thresholds)
    limit = rule.thresholds.out_of_distribution
    if limit is not None and statistics is not None and outputs.features is not None and reference.features is not None:
        before, after = (distances(features, statistics) for features in (reference.features, outputs.features))
        # Where nothing speaks against it, the limit stretches as the distances of all cells do. Its own quantile
        # would rest on a cell or two: on 142 test cells it sent two to a person that FP32 did not, this one none.
        stretch = float(np.median(after / np.maximum(before, np.finfo(np.float64).tiny)))
        own = match_cut(after, before > limit, limit * stretch)
        thresholds = dataclasses.replace(thresholds, out_of_distribution=own)
    return DecisionRule(temperature, thresholds)


def decide(outputs: NetworkOutputs, rule: DecisionRule, statistics: FeatureStatistics | None) -> Decisions:
    """Judge cells as `edge_all.classifier` does."""
    probability = calibrated_probability(outputs.probability, rule.temperature)
    limit = rule.thresholds.out_of_distribution
    unlike: list[float | None] = [None] * len(probability)
    if limit is not None and statistics is not None and outputs.features is not None:
        unlike = (distances(outputs.features, statistics) / limit).tolist()
    labels = [
        decide_cell(value, relative, rule.thresholds)
        for value, relative in zip(probability.tolist(), unlike, strict=True)
    ]
    return Decisions(probability, np.array(labels))
