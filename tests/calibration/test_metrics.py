from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from edge_all_calibration.metrics import auc, bootstrap, expected_calibration_error, proportion

scored = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.booleans()), min_size=2, max_size=50).filter(
    lambda cells: len({label for _, label in cells}) == 2
)


@given(scored)
def test_auc_is_that_of_scikit_learn(cells: list[tuple[float, bool]]) -> None:
    values, labels = np.array([value for value, _ in cells]), np.array([label for _, label in cells])
    assert auc(values, labels) == pytest.approx(roc_auc_score(labels, values))


def test_auc_of_one_class_is_unknown() -> None:
    assert np.isnan(auc(np.array([0.1, 0.9]), np.array([True, True])))


def test_calibration_error_is_the_distance_from_what_is_observed() -> None:
    labels = np.arange(1000) % 5 == 0
    assert expected_calibration_error(np.full(1000, 0.2), labels) == pytest.approx(0.0, abs=1e-9)
    assert expected_calibration_error(np.full(1000, 0.5), labels) == pytest.approx(0.3)


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
