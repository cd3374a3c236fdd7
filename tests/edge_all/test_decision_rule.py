"""The one rule from a network's outputs to decisions, held against its definition cell by cell."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.classification.decision_rule import (
    DecisionRule,
    calibrated_probability,
    is_out_of_distribution,
    labels_of,
    logit,
)
from edge_all.classification.feature_statistics import FeatureStatistics
from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, UsageError
from edge_all.model.card import Band, Thresholds
from edge_all.outputs.result_words import is_unlike
from edge_all.results import Cell, CellLabel

THRESHOLDS = Thresholds(non_all_below=0.3, all_from=0.7, out_of_distribution=10.0, false_positive_rate=0.05)
probabilities = st.floats(0, 1)


def as_defined(probability: float, distance: float | None, thresholds: Thresholds) -> CellLabel:
    """The rule for one cell, as the card's documentation puts it."""
    if distance is not None and distance > 1:
        return "indeterminate"
    if probability >= thresholds.all_from:
        return "ALL"
    return "non-ALL" if probability < thresholds.non_all_below else "indeterminate"


def one_label(probability: float, distance: float | None, band: Band) -> str:
    distances = None if distance is None else np.array([distance])
    return str(labels_of(np.array([probability]), distances, band)[0])


def drawn(count: int, width: int = 65) -> tuple[DecisionRule, np.ndarray, np.ndarray]:
    """A rule with statistics, and outputs of a network of which some lie beyond the limit."""
    random = np.random.default_rng(3)
    root = random.normal(size=(width, width)) / math.sqrt(width)
    statistics = FeatureStatistics(random.normal(size=width), root @ root.T + np.eye(width))
    features = (statistics.mean + random.normal(size=(count, width)) * random.uniform(0.2, 1.2, (count, 1))).astype(
        np.float32
    )
    thresholds = dataclasses.replace(THRESHOLDS, out_of_distribution=1.2 * width)
    return DecisionRule(1.7, thresholds, statistics), random.random(count).astype(np.float32), features


def test_many_cells_are_decided_bit_for_bit_as_each_by_itself_and_as_defined() -> None:
    rule, probability, features = drawn(300)
    together = rule.decide(probability, features)
    assert together.relative_distance is not None
    assert set(together.label) == {"ALL", "non-ALL", "indeterminate"}
    assert 30 < is_out_of_distribution(together.relative_distance).sum() < 270
    limit, statistics = rule.thresholds.out_of_distribution, rule.statistics
    assert limit is not None
    assert statistics is not None
    for index in range(300):
        alone = rule.decide(probability[index : index + 1], features[index : index + 1])
        assert alone.relative_distance is not None
        assert alone.probability[0] == together.probability[index]
        assert alone.relative_distance[0] == together.relative_distance[index]
        assert alone.label[0] == together.label[index]
        centred = features[index].astype(np.float64) - statistics.mean
        assert together.relative_distance[index] == float(centred @ statistics.precision @ centred) / limit
        assert together.label[index] == as_defined(
            float(together.probability[index]), float(together.relative_distance[index]), rule.thresholds
        )


def test_the_report_calls_unlike_what_the_rule_leaves_undecided() -> None:
    for distance in (0.0, 1.0, math.nextafter(1.0, 2.0), 7.0):
        cell = Cell(1, (0, 0, 1, 1), (0.0, 0.0), 1, (0, 0, 1, 1), (0.0, 0.0), 1, "candidate", contour=())
        unlike = is_unlike(dataclasses.replace(cell, out_of_distribution=distance))
        assert unlike == (one_label(0.99, distance, THRESHOLDS) == "indeterminate")


def test_no_cells_are_no_decisions() -> None:
    rule, _, _ = drawn(1)
    found = rule.decide(np.empty(0, np.float32), np.empty((0, 65), np.float32))
    assert found.relative_distance is not None
    assert len(found.probability) == len(found.relative_distance) == len(found.label) == 0


def test_without_limit_or_statistics_there_is_no_distance_and_no_feature_is_asked_for() -> None:
    rule, probability, features = drawn(5)
    assert rule.needed_outputs == ("probability", "features")
    for other in (
        dataclasses.replace(rule, statistics=None),
        dataclasses.replace(rule, thresholds=dataclasses.replace(rule.thresholds, out_of_distribution=None)),
    ):
        assert other.needed_outputs == ("probability",)
        assert other.decide(probability, features).relative_distance is None


@pytest.mark.parametrize("features", [None, np.zeros((5, 64), np.float32)])
def test_features_that_do_not_fit_the_statistics_are_refused(features: np.ndarray | None) -> None:
    rule, probability, _ = drawn(5)
    with pytest.raises(ModelIntegrityError, match="65 features"):
        rule.decide(probability, features)


@pytest.mark.parametrize(
    ("mean", "precision"),
    [
        (np.array([0.0, np.nan]), np.eye(2)),
        (np.zeros(2), np.array([[1.0, np.inf], [0.0, 1.0]])),
        (np.zeros(3), np.eye(2)),
        (np.zeros((2, 1)), np.eye(2)),
    ],
)
def test_statistics_that_would_let_every_cell_pass_are_refused(mean: np.ndarray, precision: np.ndarray) -> None:
    with pytest.raises(ModelIntegrityError, match="Feature statistics"):
        FeatureStatistics(mean, precision)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_is_a_positive_number(temperature: float) -> None:
    with pytest.raises(UsageError, match="temperature"):
        DecisionRule(temperature, THRESHOLDS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"non_all_below": 0.8}, "band"),
        ({"non_all_below": -0.1}, "band"),
        ({"all_from": 1.1}, "band"),
        ({"all_from": math.nan}, "band"),
        ({"out_of_distribution": 0.0}, "limit"),
        ({"out_of_distribution": math.nan}, "limit"),
        ({"false_positive_rate": math.nan}, "rate"),
        ({"false_positive_rate": 1.5}, "rate"),
    ],
)
def test_thresholds_that_decide_nothing_are_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(THRESHOLDS, **change)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused_instead_of_clipped(value: float) -> None:
    with pytest.raises(ModelIncompatibleError, match="no probabilities"):
        logit(np.array([0.5, value]))


@given(probabilities, st.floats(0.05, 20))
def test_the_temperature_keeps_probabilities_and_their_side_of_one_half(probability: float, temperature: float) -> None:
    (calibrated,) = calibrated_probability(np.array([probability]), temperature)
    assert 0 <= calibrated <= 1
    if abs(probability - 0.5) > 1e-9:
        assert (calibrated > 0.5) == (probability > 0.5)


@given(st.lists(probabilities, min_size=2, max_size=20), st.floats(0.05, 20))
def test_the_temperature_keeps_the_order(values: list[float], temperature: float) -> None:
    ordered = calibrated_probability(np.sort(np.array(values, np.float32)), temperature)
    assert (np.diff(ordered) >= 0).all()


@given(st.floats(1e-6, 1 - 1e-6))
def test_a_temperature_of_one_changes_nothing(probability: float) -> None:
    assert calibrated_probability(np.array([probability]), 1.0)[0] == pytest.approx(probability, abs=1e-12)


def test_certainty_is_softened_by_a_temperature_too() -> None:
    none, all_ = calibrated_probability(np.array([0.0, 1.0], np.float32), 4.0)
    assert 0 < none < 0.05
    assert 0.95 < all_ < 1


@given(probabilities, st.one_of(st.none(), st.floats(0, 5)))
def test_decisions_are_total_and_unlike_cells_are_never_decided(probability: float, distance: float | None) -> None:
    assert one_label(probability, distance, THRESHOLDS) == as_defined(probability, distance, THRESHOLDS)


def test_thresholds_belong_to_the_side_that_their_names_say() -> None:
    assert one_label(0.7, 1.0, THRESHOLDS) == "ALL"
    assert one_label(0.3, None, THRESHOLDS) == "indeterminate"
    assert one_label(math.nextafter(0.3, 0), None, THRESHOLDS) == "non-ALL"
    single = dataclasses.replace(THRESHOLDS, non_all_below=0.5, all_from=0.5)
    assert {one_label(0.5, None, single), one_label(math.nextafter(0.5, 0), None, single)} == {"ALL", "non-ALL"}
