"""A second look at cells near a threshold, held against its definition cell by cell."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_all.classification.classifier import Classifier
from edge_all.classification.decision_rule import DecisionRule, logit
from edge_all.classification.second_look import SECOND_LOOK, looked_at_twice
from edge_all.errors import ModelIncompatibleError, ModelIntegrityError
from edge_all.model.card import Thresholds
from edge_all.model.package import load_package
from edge_all.model.store import find_package

THRESHOLDS = Thresholds(0.3, 0.7, None, 0.05, second_look=1.0)
EditCard = Callable[..., None]


def grainy(count: int, size: int = 32) -> np.ndarray:
    """Crops that look otherwise when turned, from pale to deep purple."""
    random = np.random.default_rng(5)
    shade = np.linspace(0, 1, count)[:, None, None, None]
    crops = (1 - shade) * (235, 225, 230) + shade * (110, 60, 150) + random.integers(-60, 61, (count, size, size, 3))
    return np.clip(crops, 0, 255).astype(np.uint8)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def as_defined(first: float, second: float, rule: DecisionRule) -> float:
    """Of one cell, as the card puts it."""
    one, other = (math.log(p / (1 - p)) for p in (first, second))
    ends = (math.log(end / (1 - end)) for end in (rule.thresholds.non_all_below, rule.thresholds.all_from))
    near = any(abs(one / rule.temperature - end) < rule.thresholds.second_look for end in ends)
    return sigmoid((one + other) / 2) if near else first


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_cells_near_a_threshold_get_the_mean_logit_of_two_looks_and_others_stay(temperature: float) -> None:
    rule = DecisionRule(temperature, THRESHOLDS)
    random = np.random.default_rng(1)
    first, second = 1 / (1 + np.exp(-random.normal(0, 4, (2, 200))))
    crops = random.integers(0, 256, (200, 4, 4, 3), dtype=np.uint8)
    asked: list[np.ndarray] = []

    place = {crop[::-1, ::-1].tobytes(): index for index, crop in enumerate(crops)}

    def network(turned: np.ndarray) -> np.ndarray:
        asked.append(turned)
        return second[[place[one.tobytes()] for one in turned]]

    twice = looked_at_twice(first, crops, rule, network)
    expected = [as_defined(one, other, rule) for one, other in zip(first.tolist(), second.tolist(), strict=True)]
    assert twice == pytest.approx(expected, abs=1e-12)
    (turned,) = asked
    assert len(turned) == np.count_nonzero(twice != first) == np.count_nonzero(rule.near_threshold(first))
    assert 20 < len(turned) < 180


def test_where_no_cell_is_near_or_none_is_asked_for_the_network_is_left_alone() -> None:
    def never(_: np.ndarray) -> np.ndarray:
        raise AssertionError

    far, near = np.array([0.001, 0.999], np.float32), np.array([0.3, 0.7], np.float32)
    crops = np.zeros((2, 4, 4, 3), np.uint8)
    assert looked_at_twice(far, crops, DecisionRule(1.0, THRESHOLDS), never) is far
    once = DecisionRule(1.0, dataclasses.replace(THRESHOLDS, second_look=0.0))
    assert looked_at_twice(near, crops, once, never) is near
    empty = np.empty(0, np.float32)
    assert looked_at_twice(empty, crops[:0], DecisionRule(1.0, THRESHOLDS), never) is empty


@pytest.mark.parametrize("wrong", [math.nan, 1.5, -0.1])
def test_a_second_look_that_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(ModelIncompatibleError, match="outside 0 to 1"):
        looked_at_twice(
            np.array([0.5]),
            np.zeros((1, 4, 4, 3), np.uint8),
            DecisionRule(1.0, THRESHOLDS),
            lambda _: np.array([wrong]),
        )


def test_a_station_looks_twice_where_the_card_says_so_and_of_each_cell_says_the_same_in_any_company(
    tiny_package_factory: Callable[..., Path], tiny_outputs: Callable[..., tuple], edit_card: EditCard
) -> None:
    folder = tiny_package_factory(temperature=2.0, out_of_distribution=None)
    crops = grainy(40)
    once = Classifier(load_package(folder), device="cpu").judge(crops)
    edit_card(folder, lambda card: card["variants"]["fp32"]["thresholds"].update(second_look=0.3))
    classifier = Classifier(load_package(folder), device="cpu")
    judged = classifier.judge(crops)
    first, second = (tiny_outputs(ways)[0] for ways in (crops, crops[:, ::-1, ::-1]))
    raw = [as_defined(one, other, classifier.rule) for one, other in zip(first, second, strict=True)]
    expected = [sigmoid(value / 2) for value in logit(np.array(raw))]
    assert [one.probability for one in judged] == pytest.approx(expected, abs=2e-4)
    changed = [one != other for one, other in zip(judged, once, strict=True)]
    assert 0 < sum(changed) < len(crops)
    assert tuple(classifier.judge(crops[index : index + 1])[0] for index in range(len(crops))) == judged
    assert classifier.judge(crops, activations=True) == judged


def test_a_card_of_before_has_no_second_look_and_one_that_is_none_is_refused(
    tiny_package: Path, edit_card: EditCard
) -> None:
    edit_card(tiny_package, lambda card: card["variants"]["fp32"]["thresholds"].pop("second_look"))
    assert "second_look" not in json.loads((tiny_package / "card.json").read_text())["variants"]["fp32"]["thresholds"]
    assert load_package(tiny_package).card.variants["fp32"].thresholds.second_look == 0.0
    for wrong in (-1.0, 1e400, "near"):
        edit_card(
            tiny_package, lambda card, wrong=wrong: card["variants"]["fp32"]["thresholds"].update(second_look=wrong)
        )
        with pytest.raises(ModelIntegrityError, match="incomplete or damaged"):
            load_package(tiny_package)


def test_the_embedded_package_looks_twice() -> None:
    card = find_package(None).card
    assert {variant.thresholds.second_look for variant in card.variants.values()} == {SECOND_LOOK}
