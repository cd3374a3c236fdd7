"""Labelled cells to the rule by which a variant decides: its temperature, its thresholds, its distances."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import DecisionRule, calibrated_probability, is_out_of_distribution
from edge_all.classification.feature_statistics import FeatureStatistics
from edge_all.errors import UsageError
from edge_all_calibration.figures.measures import auc, better_than_chance
from edge_all_calibration.probability.operating_points import (
    OperatingPolicy,
    fit_thresholds,
    match_cut,
    match_thresholds,
)
from edge_all_calibration.probability.out_of_distribution import distance_limit
from edge_all_calibration.probability.temperature import fit_temperature, lies_at_limit, match_temperature
from edge_all_calibration.quantizing.inference import NetworkOutputs

__all__ = ["OutOfFold", "fit_reference", "fit_variant"]


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

    Raises:
        UsageError: the labels contradict the network, so that no honest rule follows from them.
    """
    known = out_of_fold or OutOfFold(outputs.probability.astype(np.float64), labels)
    temperature = fit_temperature(known.probabilities, known.labels)
    thresholds = fit_thresholds(calibrated_probability(known.probabilities, temperature), known.labels, policy)
    if statistics is not None and outputs.features is not None:
        limit = distance_limit(outputs.features, statistics)
        thresholds = dataclasses.replace(thresholds, out_of_distribution=limit)
    rule = DecisionRule(temperature, thresholds, statistics)
    _require_usable(rule, known, policy)
    return rule


def _require_usable(rule: DecisionRule, known: OutOfFold, policy: OperatingPolicy) -> None:
    """Refuse a rule that decides nothing: the gate would pass it, since every variant decides alike.

    A temperature at a limit alone is no reason: a network that leans towards one class, as a foreign one may, gets it
    too, and its thresholds divide the cells all the same.

    Raises:
        UsageError: the network orders the cells no better than chance, and the temperature ended at a limit or no
            threshold was fixed by hand; or one of the two labels can never be given, and none was fixed by hand.
    """
    wrong = ""
    remedy = (
        "Check their labels, and with `edge-all evaluate` that the network tells the classes apart; give more "
        "cells, 15 of each class at least."
    )
    useless = not better_than_chance(known.probabilities, known.labels)
    if useless and (not policy.by_hand or lies_at_limit(rule.temperature)):
        wrong = f"its probabilities order them no better than chance (AUC {auc(known.probabilities, known.labels):.2f})"
        if better_than_chance(1 - known.probabilities, known.labels):
            wrong += ", but well the other way round: the classes are swapped"
            remedy = (
                "Check their labels, and which output of the network is about ALL (`edge-all wrap --positive`; its "
                "outputs count from 0)."
            )
    elif not policy.by_hand and rule.thresholds.all_from >= 1.0:
        wrong = "by the thresholds that suit them no cell could ever be called ALL"
    elif not policy.by_hand and rule.thresholds.non_all_below <= 0.0:
        wrong = "by the thresholds that suit them no cell could ever be called non-ALL"
    if wrong:
        blasts = int(known.labels.sum())
        raise UsageError(
            f"The {len(known.labels)} cells for calibration ({blasts} ALL) do not fit the network: {wrong}.",
            remedy,
        )


def fit_variant(
    outputs: NetworkOutputs,
    reference: NetworkOutputs,
    rule: DecisionRule,
) -> DecisionRule:
    """The rule of another precision: its own temperature, and thresholds at which it decides as FP32 does.

    Args:
        outputs: of the variant on the calibration cells.
        reference: of FP32 on the same cells.
        rule: of FP32; its feature statistics hold for the variant too.
    """
    expected = calibrated_probability(reference.probability, rule.temperature)
    # To FP32 and not to the labels anew: what they say is in its rule already, perhaps from many more cells than these.
    temperature = match_temperature(outputs.probability, expected)
    thresholds = match_thresholds(calibrated_probability(outputs.probability, temperature), expected, rule.thresholds)
    limit, statistics = rule.thresholds.out_of_distribution, rule.statistics
    if limit is not None and statistics is not None and outputs.features is not None and reference.features is not None:
        after = statistics.squared_distances(outputs.features)
        # Where nothing speaks against it, the limit stretches as the distances of all cells do. Its own quantile
        # would rest on a cell or two: on 142 test cells it sent two to a person that FP32 did not, this one none.
        before = statistics.squared_distances(reference.features)
        stretch = float(np.median(after / np.maximum(before, np.finfo(np.float64).tiny)))
        own = match_cut(after, is_out_of_distribution(before / limit), limit * stretch)
        thresholds = dataclasses.replace(thresholds, out_of_distribution=own)
    return DecisionRule(temperature, thresholds, statistics)
