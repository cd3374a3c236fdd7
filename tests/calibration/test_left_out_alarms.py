"""False alarms of laboratories never seen, at the threshold of the package and no other."""

from __future__ import annotations

import numpy as np
import pytest

from edge_all.classification.decision_rule import DecisionRule, calibrated_probability
from edge_all.errors import UsageError
from edge_all.model.card import Thresholds
from edge_all_calibration.probability.left_out_alarms import LeftOutAlarms

ALARMS = LeftOutAlarms((0.1, 0.5, 0.9, 0.95), (0.6, 0.3, 0.1, 0.02))


def rule_from(all_from: float, temperature: float) -> DecisionRule:
    return DecisionRule(temperature, Thresholds(0.0, all_from, None, 0.01), None)


@pytest.mark.parametrize(
    ("raw", "rate"), [(0.05, 1.0), (0.1, 0.6), (0.49, 0.6), (0.5, 0.3), (0.94, 0.1), (0.96, 0.02), (0.999, 0.02)]
)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.9])
def test_the_temperature_is_taken_back_and_the_next_lower_cut_counts(
    raw: float, rate: float, temperature: float
) -> None:
    # A hair above, for the way there and back rounds.
    all_from = float(calibrated_probability(np.array([raw + 1e-9]), temperature)[0])
    assert ALARMS.of(rule_from(all_from, temperature)) == rate


@pytest.mark.parametrize(
    ("cuts", "rates"),
    [((), ()), ((0.1,), (0.1, 0.2)), ((0.5, 0.1), (0.2, 0.1)), ((0.1, 0.5), (0.1, 0.2)), ((0.1,), (1.2,))],
)
def test_rates_that_are_none(cuts: tuple[float, ...], rates: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="evaluate laboratories"):
        LeftOutAlarms(cuts, rates)
