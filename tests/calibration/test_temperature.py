from __future__ import annotations

import numpy as np
import pytest

from edge_all.classification.decision_rule import calibrated_probability
from edge_all_calibration.figures.measures import expected_calibration_error
from edge_all_calibration.probability.temperature import fit_temperature, lies_at_limit


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true_temperature: float) -> None:
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 3, 20_000)
    labels = generator.random(20_000) < 1 / (1 + np.exp(-logits / true_temperature))
    probabilities = 1 / (1 + np.exp(-logits))
    fitted = fit_temperature(probabilities, labels)
    assert fitted == pytest.approx(true_temperature, rel=0.05)
    assert expected_calibration_error(calibrated_probability(probabilities, fitted), labels) < 0.02


def test_perfectly_separated_cells_do_not_make_certainty() -> None:
    probabilities = np.array([0.01] * 50 + [0.99] * 50)
    labels = probabilities > 0.5
    calibrated = calibrated_probability(probabilities, fit_temperature(probabilities, labels))
    assert 0.9 < calibrated.max() < 0.999


def test_probabilities_of_0_and_1_are_borne() -> None:
    probabilities = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    labels = np.array([False, True, False, True, True, False])
    assert 0 < fit_temperature(probabilities, labels) <= 20


@pytest.mark.parametrize("certainty", [0.6, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("of_each", [4, 15])
def test_few_cells_without_a_mistake_keep_off_the_limits(certainty: float, of_each: int) -> None:
    probabilities = np.array([1 - certainty] * of_each + [certainty] * of_each)
    assert not lies_at_limit(fit_temperature(probabilities, probabilities > 0.5))


def test_labels_that_contradict_or_exceed_the_network_drive_it_to_a_limit() -> None:
    probabilities = np.array([0.1] * 8 + [0.9] * 8)
    assert lies_at_limit(fit_temperature(probabilities, probabilities < 0.5))
    assert lies_at_limit(fit_temperature(probabilities, np.arange(16) % 2 == 0))
    hardly = np.array([0.4999] * 15 + [0.5001] * 15)
    assert lies_at_limit(fit_temperature(hardly, hardly > 0.5))


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_temperature(np.array([0.2, 0.7]), np.array([True, True]))
