from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from edge_all.classification.decision_rule import DecisionRule, Decisions
from edge_all.errors import UsageError
from edge_all.model.card import Thresholds
from edge_all_calibration.cli.reporting import print_gate
from edge_all_calibration.gating.release_gate import GateLimits, examine
from edge_all_calibration.labelled_cells.cells import LabelledCells

RULE = DecisionRule(1.0, Thresholds(0.35, 0.65, None, 0.05))


def judged(probability: np.ndarray) -> tuple[Decisions, DecisionRule]:
    return RULE.decide(probability, None), RULE


@pytest.fixture(scope="module")
def cells(draw: Callable[..., LabelledCells]) -> LabelledCells:
    return draw(range(10), 30)


@pytest.fixture(scope="module")
def probability(cells: LabelledCells) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.16, len(cells))
    return np.clip(np.where(cells.labels, 0.8, 0.2) + noise, 0.001, 0.999)


def failed(cells: LabelledCells, before: np.ndarray, after: np.ndarray, limits: GateLimits | None = None) -> set[str]:
    report = examine("int8", cells, judged(before), judged(after), limits or GateLimits())
    json.dumps(report.to_json(), allow_nan=False)
    assert report.passed is (not report.reasons)
    return {check.name for check in report.checks if not check.passed}


def test_a_variant_that_decides_alike_passes(cells: LabelledCells, probability: np.ndarray) -> None:
    assert failed(cells, probability, probability) == set()


def test_other_labels_fail(cells: LabelledCells, probability: np.ndarray) -> None:
    changed = probability.copy()
    changed[np.flatnonzero((probability < 0.35) & ~cells.labels)[:4]] = 0.5
    assert "label agreement" in failed(cells, probability, changed)
    lenient = GateLimits(label_agreement=0.98, auc_difference=0.1, calibration_difference=0.1, differing_verdicts=9)
    assert failed(cells, probability, changed, lenient) == set()


def test_lost_sensitivity_fails_and_gained_sensitivity_does_not(cells: LabelledCells, probability: np.ndarray) -> None:
    sure = np.flatnonzero(cells.labels & (probability >= 0.65))[:2]
    lost = probability.copy()
    lost[sure] = 0.6
    assert "sensitivity lost" in failed(cells, probability, lost)
    assert "sensitivity lost" not in failed(cells, lost, probability)


def test_another_order_fails_by_its_auc(cells: LabelledCells) -> None:
    # Every cell is called ALL; only the order among them turns round.
    ordered = np.where(cells.labels, 0.9, 0.7)
    turned = np.where(cells.labels, 0.7, 0.9)
    found = failed(cells, ordered, turned)
    assert "AUC difference" in found
    assert "label agreement" not in found


def test_dishonest_probabilities_fail_by_their_calibration_error(cells: LabelledCells, probability: np.ndarray) -> None:
    bold = np.where(probability >= 0.65, 0.999, np.where(probability < 0.35, 0.001, probability))
    tied = bold + 1e-4 * probability
    assert failed(cells, probability, np.clip(tied, 0, 1)) == {"calibration error difference"}


def test_limits_that_hold_either_way_say_so(
    cells: LabelledCells, probability: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    bold = np.where(probability >= 0.65, 0.999, np.where(probability < 0.35, 0.001, probability)) + 1e-4 * probability
    report = examine("int8", cells, judged(probability), judged(np.clip(bold, 0, 1)), GateLimits())
    (failure,) = (check for check in report.checks if not check.passed)
    # A smaller error is another one, too; without its sign the limit would look kept.
    assert failure.figure.value < -0.01
    assert report.reasons == (f"{failure.name} is {failure.figure.value:.4f}, the limit is 0.0100 either way",)
    print_gate([report])
    rows = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.startswith("│")}
    assert {name for name, row in rows.items() if "±" in row} == {"AUC difference", "calibration error difference"}
    assert "±0.01 " in rows[failure.name]


def test_another_slide_verdict_fails(cells: LabelledCells, probability: np.ndarray) -> None:
    flipped = probability.copy()
    slide = cells.slides == cells.slides[0]
    flipped[slide] = 0.01
    report = examine("int8", cells, judged(probability), judged(flipped), GateLimits())
    assert any(line.startswith(str(cells.slides[0])) for line in report.differing)
    assert "differing slide verdicts" in " ".join(report.reasons)
    assert report.flips > 0


def test_too_few_cells_or_one_class_prove_nothing(cells: LabelledCells, probability: np.ndarray) -> None:
    few = cells.subset(np.arange(len(cells)) < 20)
    with pytest.raises(UsageError, match="20 cells prove nothing"):
        examine("int8", few, judged(probability[:20]), judged(probability[:20]), GateLimits())
    lone = dataclasses.replace(cells, labels=np.ones(len(cells), np.bool_))
    with pytest.raises(UsageError, match="are ALL"):
        examine("int8", lone, judged(probability), judged(probability), GateLimits())
