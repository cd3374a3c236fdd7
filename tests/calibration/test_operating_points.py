from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.errors import UsageError
from edge_all.model.card import Thresholds
from edge_all_calibration.probability.operating_points import (
    OperatingPolicy,
    fit_thresholds,
    match_cut,
    match_thresholds,
)

scored = st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=4, max_size=80).filter(
    lambda cells: len({label for _, label in cells}) == 2
)


def arrays(cells: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value for value, _ in cells], np.float64), np.array([label for _, label in cells])


@given(scored, st.floats(0, 1))
def test_a_named_sensitivity_is_kept(cells: list[tuple[float, bool]], wanted: float) -> None:
    probabilities, labels = arrays(cells)
    thresholds = fit_thresholds(probabilities, labels, OperatingPolicy("sensitivity", wanted))
    # What is not dismissed as non-ALL; the band around the point only adds to it.
    assert (probabilities[labels] >= thresholds.non_all_below).mean() >= wanted


@given(scored, st.sampled_from(["youden", "fixed", "sensitivity"]), st.floats(0, 1), st.floats(0, 0.5))
def test_a_band_is_ordered_and_never_wider_than_allowed(
    cells: list[tuple[float, bool]], kind: str, value: float, share: float
) -> None:
    probabilities, labels = arrays(cells)
    found = fit_thresholds(probabilities, labels, OperatingPolicy(kind, value, indeterminate=share))  # type: ignore[arg-type]
    assert 0 <= found.non_all_below <= found.all_from <= 1
    inside = (probabilities >= found.non_all_below) & (probabilities < found.all_from)
    assert inside.mean() <= share
    alarms = (probabilities[~labels] >= found.all_from).mean()
    assert alarms <= found.false_positive_rate <= 1


def test_youden_divides_what_can_be_divided() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    labels = probabilities > 0.5
    found = fit_thresholds(probabilities, labels, OperatingPolicy("youden"))
    assert 0.3 < found.non_all_below <= found.all_from < 0.7


def test_a_fixed_point_lies_within_its_band() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random(400) < 0.5
    probabilities = np.clip(np.where(labels, 0.65, 0.35) + generator.normal(0, 0.2, 400), 0, 1)
    found = fit_thresholds(probabilities, labels, OperatingPolicy("fixed", 0.5, missed=0.05, false_alarms=0.05))
    assert found.non_all_below < 0.5 < found.all_from


def test_a_band_is_taken_as_it_is_named_and_its_false_alarms_are_counted() -> None:
    labels = np.arange(40) >= 20
    probabilities = np.where(labels, 0.99, 0.1)
    probabilities[3] = 0.9  # one false alarm of 20
    found = fit_thresholds(probabilities, labels, OperatingPolicy("band", band=(0.2, 0.8)))
    assert (found.non_all_below, found.all_from) == (0.2, 0.8)
    assert 0.05 < found.false_positive_rate < 0.25
    with pytest.raises(UsageError, match="two ends"):
        OperatingPolicy("band")
    with pytest.raises(UsageError, match="two ends"):
        OperatingPolicy(band=(0.2, 0.8))
    with pytest.raises(UsageError, match="band"):
        OperatingPolicy("band", band=(0.8, 0.2))


@given(scored, st.floats(0.3, 3))
def test_a_variant_that_keeps_the_order_decides_alike(cells: list[tuple[float, bool]], power: float) -> None:
    reference, labels = arrays(cells)
    reference = np.round(reference, 3)
    thresholds = fit_thresholds(reference, labels, OperatingPolicy())
    variant = reference**power
    matched = match_thresholds(variant, reference, thresholds)
    assert np.array_equal(variant >= matched.all_from, reference >= thresholds.all_from)
    assert np.array_equal(variant >= matched.non_all_below, reference >= thresholds.non_all_below)


def test_a_threshold_stays_where_no_cell_changes_sides() -> None:
    reference = np.array([0.1, 0.4, 0.6, 0.9])
    thresholds = Thresholds(0.3, 0.7, None, 0.05)
    assert match_thresholds(reference + 0.01, reference, thresholds) == thresholds


def test_a_threshold_moves_no_further_than_it_must() -> None:
    values = np.array([0.1, 0.4, 0.6, 0.9])
    assert match_cut(values, np.array([False, True, True, True]), 0.5) == 0.4
    assert match_cut(values, np.array([False, False, False, True]), 0.5) == pytest.approx(0.6, abs=1e-9)


def test_shares_outside_0_to_1_are_refused() -> None:
    with pytest.raises(UsageError, match=r"1\.2"):
        OperatingPolicy("sensitivity", 1.2)
