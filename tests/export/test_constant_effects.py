"""Constants of the segmentation are found where they are defined, changed everywhere, and given back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_all.segmentation import groups, pipeline
from edge_all_export.evaluation import constant_effects
from edge_all_export.evaluation.constant_effects import Constant, changed, constants_of, measure_effects
from edge_all_export.evaluation.segmentation_scores import ScoreRow, SegmentationScores


def test_each_constant_is_found_once_in_the_module_that_defines_it() -> None:
    found = [(one.module, one.name) for one in constants_of()]
    assert 40 < len(set(found)) == len(found) < 70
    assert ("groups", "LOBE_GAP") in found
    assert ("pipeline", "LOBE_GAP") not in found
    assert ("learned_outlines", "LIKELY") in found
    assert ("scale", "RELIABLE") in found
    # What bounds effort or fixes a format decides nothing.
    assert not {name for _, name in found} & {"WORK_PIXELS", "WINDOW", "OUTLINE_SCHEMA"}


def test_the_documentation_has_a_row_for_each_constant() -> None:
    text = (Path(__file__).parents[2] / "docs" / "segmentation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+\.[A-Z_]+)` \|", text, re.MULTILINE)
    found = [f"{one.module}.{one.name}" for one in constants_of()]
    assert rows == found
    assert f"makes each of the {len(found)} constants" in text


def test_a_changed_constant_is_changed_wherever_it_is_used_and_comes_back() -> None:
    (gap,) = (one for one in constants_of([groups]) if one.name == "LOBE_GAP")
    with changed(gap, gap.times(1.2)):
        assert groups.LOBE_GAP == pipeline.LOBE_GAP == pytest.approx(1.2 * gap.numbers[0])
    assert groups.LOBE_GAP == pipeline.LOBE_GAP == gap.value


def test_whole_numbers_stay_whole_and_tuples_and_fitted_weights_are_multiplied() -> None:
    assert Constant("a", "A", 40).times(0.8) == 32
    assert Constant("a", "A", 1).times(0.2) == 1
    assert Constant("a", "A", (5.0, 3.0)).times(2) == (10.0, 6.0)
    assert Constant("a", "A", {"b": 5.0}).times(2) == {"b": 10.0}


def test_an_effect_names_the_score_that_loses_most(monkeypatch: pytest.MonkeyPatch) -> None:
    def scored(_data: Path, *, every: int) -> SegmentationScores:
        assert every == 7
        loss = 0.1 if groups.LOBE_GAP > 0.55 else 0.0
        rows = [("nucleus Dice", "a", 0.9), ("whole-cell Dice", "b", 0.8 - loss), ("time", "c", 5.0)]
        return SegmentationScores(tuple(ScoreRow(measure, name, value, 0, 1, 1, 1) for measure, name, value in rows))

    monkeypatch.setattr(constant_effects, "evaluate_segmentation", scored)
    (gap,) = (one for one in constants_of([groups]) if one.name == "LOBE_GAP")
    smaller, larger = measure_effects(Path(), [gap], every=7)
    assert (smaller.factor, smaller.mean, smaller.worst) == (0.8, 0.0, 0.0)
    assert (larger.factor, larger.where) == (1.2, "whole-cell Dice, b")
    assert (larger.mean, larger.worst) == (pytest.approx(-0.05), pytest.approx(0.1))
    assert larger.to_json() == {
        "constant": "groups.LOBE_GAP",
        "value": list(gap.numbers),
        "factor": 1.2,
        "mean": larger.mean,
        "worst": larger.worst,
        "where": "whole-cell Dice, b",
    }
