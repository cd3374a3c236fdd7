from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from edge_all_calibration.figures.intervals import bootstrap, proportion
from edge_all_calibration.figures.measures import auc, better_than_chance, expected_calibration_error
from edge_all_calibration.probability.reliability import reliability_bins

scored = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.booleans()), min_size=2, max_size=50).filter(
    lambda cells: len({label for _, label in cells}) == 2
)


@given(scored)
def test_auc_is_that_of_scikit_learn(cells: list[tuple[float, bool]]) -> None:
    values, labels = np.array([value for value, _ in cells]), np.array([label for _, label in cells])
    assert auc(values, labels) == pytest.approx(roc_auc_score(labels, values))


def test_auc_of_one_class_is_unknown() -> None:
    assert np.isnan(auc(np.array([0.1, 0.9]), np.array([True, True])))


def test_an_order_by_chance_seldom_passes_for_a_better_one() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(20) < 5
    passed = np.mean([better_than_chance(generator.random(20), labels) for _ in range(2000)])
    assert 0.03 < passed < 0.07
    assert better_than_chance(np.arange(8.0), np.arange(8) >= 4)
    assert not better_than_chance(np.arange(8.0), np.arange(8) < 4)
    assert not better_than_chance(np.full(8, 0.5), np.arange(8) < 4)


def test_calibration_error_is_the_distance_from_what_is_observed() -> None:
    labels = np.arange(1000) % 5 == 0
    assert expected_calibration_error(np.full(1000, 0.2), labels) == pytest.approx(0.0, abs=1e-9)
    assert expected_calibration_error(np.full(1000, 0.5), labels) == pytest.approx(0.3)


def test_calibration_error_weighs_each_bin_by_its_cells() -> None:
    # Two bins: 10 cells at 0.8 of which 6 are ALL, 30 at 0.1 of which none is.
    labels = np.arange(40) < 6
    probabilities = np.array([0.8] * 10 + [0.1] * 30)
    expected = (10 * abs(0.8 - 0.6) + 30 * abs(0.1 - 0.0)) / 40
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


@given(scored)
def test_a_reliability_plot_shows_the_bins_of_the_calibration_error(cells: list[tuple[float, bool]]) -> None:
    values, labels = np.array([value for value, _ in cells]), np.array([label for _, label in cells])
    bins = reliability_bins(values, labels)
    assert sum(one.cells for one in bins) == len(cells)
    assert all(one.observed.low <= one.observed.value <= one.observed.high for one in bins)
    apart = sum(abs(one.predicted - one.observed.value) * one.cells for one in bins) / len(cells)
    assert apart == pytest.approx(expected_calibration_error(values, labels))


def test_a_bootstrap_over_groups_is_wider_than_one_over_cells() -> None:
    groups = np.repeat(np.arange(12).astype(np.str_), 20)
    values = np.repeat(np.random.default_rng(1).normal(0, 1, 12), 20)
    by_group = bootstrap(lambda drawn: float(values[drawn].mean()), groups)
    by_cell = bootstrap(lambda drawn: float(values[drawn].mean()), np.arange(240).astype(np.str_))
    assert by_group.value == by_cell.value == pytest.approx(values.mean())
    assert by_group.high - by_group.low > 3 * (by_cell.high - by_cell.low)
    assert by_group == bootstrap(lambda drawn: float(values[drawn].mean()), groups)


def test_a_proportion_of_nothing_is_unknown() -> None:
    nothing = proportion(np.zeros(0, np.bool_))
    assert np.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0.0, 1.0)
