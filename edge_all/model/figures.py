"""The figures of a model card that carry an interval, with the cells that they rest on.

A card's evaluation is whatever JSON its maker wrote. Two forms of a figure are known: ``{"value", "low", "high"}``, as
a release writes it, and ``[value, low, high]``, as a description may give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_all.model.card import ModelCard
from edge_all.wording.laboratories import laboratory_name

__all__ = ["CardFigures", "card_figures", "package_evaluation", "package_figures", "variant_figures", "with_interval"]

_COUNTS_BESIDE = {
    "test_figures_fp32": "test_cells",
    "recalibrated_test_figures": "recalibrated_test_cells",
    "figures_before": "test_cells",
    "figures_after": "test_cells",
}
"""Blocks whose numbers of cells stand in a block of their own."""
_FP32_ONLY = "test_figures_fp32"
"""Figures of one variant, which a package that was cut down to another no longer holds."""


@dataclass(frozen=True, slots=True)
class CardFigures:
    """Figures that rest on the same cells.

    Attributes:
        name: of their block in the card, in words.
        cells: how many cells; None where the card does not say.
        positive: how many of them are ALL; None likewise.
        figures: by name, value and bounds; empty for none.
    """

    name: str
    cells: int | None
    positive: int | None
    figures: dict[str, tuple[Any, Any, Any]]


def package_evaluation(card: ModelCard) -> dict[str, Any]:
    """The evaluation of a card as far as it is true of what its package holds.

    FP32's own figures are left out where the package has no FP32; what the gate found of each variant that it judged
    comes along, with its cells.
    """
    left_out = set() if "fp32" in card.variants else {_FP32_ONLY}
    evaluation = {name: block for name, block in card.evaluation.items() if name not in left_out}
    for name, variant in card.variants.items():
        gate = variant.gate or {}
        figures, cells = gate.get("variant"), gate.get("cells")
        if isinstance(figures, Mapping):
            evaluation[f"test_figures_{name}"] = {**(cells if isinstance(cells, Mapping) else {}), **figures}
    return evaluation


def variant_figures(card: Mapping[str, Any], variant: str) -> Mapping[str, Any]:
    """What one variant was found to be worth on test cells, each a figure with its interval; empty where nobody knows.

    Args:
        card: its JSON form, or what a store has kept of it.
        variant: which.
    """
    gate = card.get("variants", {}).get(variant, {}).get("gate") or {}
    evaluation = card.get("evaluation", {})
    of_fp32 = evaluation.get(_FP32_ONLY, {}) if variant == "fp32" else {}
    found: Mapping[str, Any] = gate.get("variant") or evaluation.get("recalibrated_test_figures") or of_fp32
    return found


def package_figures(card: ModelCard) -> tuple[CardFigures, ...]:
    """The figures with intervals of `package_evaluation`."""
    return card_figures(package_evaluation(card))


def card_figures(evaluation: Mapping[str, Any]) -> tuple[CardFigures, ...]:
    """Every block of a card's evaluation that has figures with intervals, in the card's order.

    Figures without an interval are left out: they say less than they seem to.
    """
    return tuple(_walk("", evaluation, {}))


def _walk(name: str, block: Mapping[str, Any], counts: Mapping[str, Any]) -> list[CardFigures]:
    figures = {key: figure for key, value in block.items() if (figure := with_interval(value)) is not None}
    counts = {**counts, **block}
    found = [CardFigures(name, _count(counts, "cells"), _count(counts, "ALL"), figures)] if figures else []
    for key, inner in block.items():
        if isinstance(inner, Mapping) and key not in figures:
            beside = block.get(_COUNTS_BESIDE.get(key, ""))
            words = ", ".join(part for part in (name, _in_words(key)) if part)
            found += _walk(words, inner, beside if isinstance(beside, Mapping) else {})
    return found


def _in_words(key: str) -> str:
    """What a block of the card is about: a laboratory has its name, all else is written as words."""
    known = laboratory_name(key)
    return key.replace("_", " ") if known == key else known


def _count(counts: Mapping[str, Any], key: str) -> int | None:
    value = counts.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def with_interval(value: Any) -> tuple[Any, Any, Any] | None:  # noqa: ANN401  a card holds whatever JSON can hold
    """A figure and its two bounds; None for anything else."""
    if isinstance(value, Mapping) and value.keys() == {"value", "low", "high"}:
        return value["value"], value["low"], value["high"]
    if isinstance(value, list | tuple) and len(value) == 3 and all(isinstance(item, float) for item in value):
        figure, low, high = value
        return (figure, low, high) if low <= figure <= high else None
    return None
