"""The release gate: a precision variant that changes decisions does not get out.

On cells that neither trained the network nor calibrated it, each variant is held against FP32: label by label, in
sensitivity, in AUC, in calibration error and in the verdicts on slides. The limits were fixed before any result was
seen. Each figure carries its interval; the decision rests on the figure itself, because with the few hundred cells that
a laboratory has, no interval could lie within such limits.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import DecisionRule, Decisions
from edge_all.errors import UsageError
from edge_all.model.gate_limits import USUAL_LIMITS
from edge_all_calibration.figures.intervals import Estimate, bootstrap, proportion
from edge_all_calibration.figures.measures import CALIBRATION_METHOD, auc, expected_calibration_error
from edge_all_calibration.gating.slide_verdicts import slide_verdicts
from edge_all_calibration.labelled_cells.cells import LabelledCells, require_both_classes

__all__ = [
    "GateCells",
    "GateCheck",
    "GateLimits",
    "GateReport",
    "examine",
    "figures_json",
    "figures_of",
    "require_enough",
]


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What a variant may differ from FP32.

    Attributes:
        label_agreement: share of cells with the same label (ALL, non-ALL, indeterminate), at least.
        sensitivity_loss: share of ALL cells that FP32 calls ALL minus the variant's share, at most.
        auc_difference: absolute, at most.
        calibration_difference: absolute difference of expected calibration error, at most.
        differing_verdicts: slides with another verdict, at most.
        cells: fewer cells than this prove nothing, and the gate refuses to judge.
    """

    label_agreement: float = USUAL_LIMITS["label agreement"]
    sensitivity_loss: float = USUAL_LIMITS["sensitivity lost"]
    auc_difference: float = USUAL_LIMITS["AUC difference"]
    calibration_difference: float = USUAL_LIMITS["calibration error difference"]
    differing_verdicts: int = int(USUAL_LIMITS["differing slide verdicts"])
    cells: int = 50


@dataclass(frozen=True, slots=True)
class GateCells:
    """Cells for the gate alone, and its limits."""

    cells: LabelledCells
    limits: GateLimits = dataclasses.field(default_factory=GateLimits)


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One question of the gate.

    Attributes:
        name: of the figure.
        figure: with its 95 % interval.
        limit: which the figure must not pass.
        passed: whether it does not.
        either_way: the limit holds for a figure below zero, too.
    """

    name: str
    figure: Estimate
    limit: float
    passed: bool
    either_way: bool = False


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's answer on one variant.

    Attributes:
        variant: its name.
        checks: the questions, in order.
        reference: figures of FP32 on the same cells.
        figures: figures of the variant.
        cells: numbers of cells, classes, groups and slides.
        flips: cells that went from ALL to non-ALL or back.
        differing: slides with another verdict, as ``slide: verdict of FP32, verdict of the variant``.
    """

    variant: str
    checks: tuple[GateCheck, ...]
    reference: dict[str, Estimate]
    figures: dict[str, Estimate]
    cells: dict[str, int]
    flips: int
    differing: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass; empty when it did."""
        return tuple(
            f"{check.name} is {check.figure.value:.4f}, the limit is {check.limit:.4f}"
            f"{' either way' if check.either_way else ''}"
            for check in self.checks
            if not check.passed
        )

    def to_json(self) -> dict[str, Any]:
        """The block ``gate`` of a variant's card."""
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "cells": self.cells,
            "checks": {
                check.name: {**_rounded(check.figure), "limit": check.limit, "passed": check.passed}
                for check in self.checks
            },
            "flips": self.flips,
            "differing_verdicts": list(self.differing),
            "calibration_error": CALIBRATION_METHOD,
            "fp32": figures_json(self.reference),
            "variant": figures_json(self.figures),
        }


def examine(
    variant: str,
    cells: LabelledCells,
    reference: tuple[Decisions, DecisionRule],
    candidate: tuple[Decisions, DecisionRule],
    limits: GateLimits,
) -> GateReport:
    """Hold a variant against FP32.

    Args:
        variant: its name.
        cells: that neither trained nor calibrated it.
        reference: decisions of FP32 about these cells, and the rule they follow.
        candidate: those of the variant.
        limits: what it may differ.

    Raises:
        UsageError: too few cells, or all of one class.
    """
    require_enough(cells, limits)
    before, after, truth = reference[0], candidate[0], cells.labels

    def lost(drawn: NDArray[np.intp]) -> float:
        return _sensitivity(before, truth, drawn) - _sensitivity(after, truth, drawn)

    def auc_gap(drawn: NDArray[np.intp]) -> float:
        return auc(after.probability[drawn], truth[drawn]) - auc(before.probability[drawn], truth[drawn])

    def error_gap(drawn: NDArray[np.intp]) -> float:
        return expected_calibration_error(after.probability[drawn], truth[drawn]) - expected_calibration_error(
            before.probability[drawn], truth[drawn]
        )

    differing = _differing_verdicts(cells, reference, candidate)
    slides = len(np.unique(cells.slides))
    agreement = proportion(before.label == after.label)
    loss, auc_change, error_change = (bootstrap(figure, cells.groups) for figure in (lost, auc_gap, error_gap))
    verdicts = Estimate(float(len(differing)), *(slides * bound for bound in _share_interval(len(differing), slides)))
    checks = (
        GateCheck("label agreement", agreement, limits.label_agreement, agreement.value >= limits.label_agreement),
        _at_most("sensitivity lost", loss, limits.sensitivity_loss),
        _at_most("AUC difference", auc_change, limits.auc_difference, either_way=True),
        _at_most("calibration error difference", error_change, limits.calibration_difference, either_way=True),
        _at_most("differing slide verdicts", verdicts, limits.differing_verdicts),
    )
    return GateReport(
        variant=variant,
        checks=checks,
        reference=figures_of(before, cells),
        figures=figures_of(after, cells),
        cells=cells.counts(),
        flips=int(
            np.count_nonzero(
                (before.label != after.label) & (before.label != "indeterminate") & (after.label != "indeterminate")
            )
        ),
        differing=differing,
    )


def require_enough(cells: LabelledCells, limits: GateLimits) -> None:
    """Refuse cells that prove nothing about a variant.

    Raises:
        UsageError: too few cells, or all of one class.
    """
    require_both_classes(cells, "the gate")
    if len(cells) < limits.cells:
        raise UsageError(
            f"{len(cells)} cells prove nothing about a variant.",
            f"Give the gate at least {limits.cells}: label more, or hold out more of the run. Most is held out with "
            f"`edge-all train --folds 2`; the gate then gets a quarter of all labelled cells, so that about "
            f"{4 * limits.cells} are enough.",
        )


def figures_of(decisions: Decisions, cells: LabelledCells) -> dict[str, Estimate]:
    """Figures of one variant: sensitivity, specificity, share of undecided cells, AUC, expected calibration error.

    Sensitivity is the share of ALL cells called ALL, specificity the share of non-ALL cells called non-ALL: an
    indeterminate cell counts for neither.
    """
    truth = cells.labels
    return {
        "sensitivity": proportion(decisions.label[truth] == "ALL"),
        "specificity": proportion(decisions.label[~truth] == "non-ALL"),
        "indeterminate": proportion(decisions.label == "indeterminate"),
        "auc": bootstrap(lambda drawn: auc(decisions.probability[drawn], truth[drawn]), cells.groups),
        "calibration_error": bootstrap(
            lambda drawn: expected_calibration_error(decisions.probability[drawn], truth[drawn]), cells.groups
        ),
    }


def figures_json(figures: dict[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """Figures for a card: ``{"auc": {"value": ..., "low": ..., "high": ...}, ...}``; None for what is unknown."""
    return {name: _rounded(figure) for name, figure in figures.items()}


def _differing_verdicts(
    cells: LabelledCells, reference: tuple[Decisions, DecisionRule], candidate: tuple[Decisions, DecisionRule]
) -> tuple[str, ...]:
    before, after = (
        slide_verdicts(cells.slides.tolist(), decisions.label.tolist(), rule.thresholds)
        for decisions, rule in (reference, candidate)
    )
    return tuple(f"{slide}: {before[slide]}, {after[slide]}" for slide in before if before[slide] != after[slide])


def _sensitivity(decisions: Decisions, truth: NDArray[np.bool_], drawn: NDArray[np.intp]) -> float:
    labels = decisions.label[drawn][truth[drawn]]
    return float((labels == "ALL").mean()) if len(labels) else math.nan


def _share_interval(hits: int, total: int) -> tuple[float, float]:
    share = proportion(np.arange(total) < hits)
    return share.low, share.high


def _at_most(name: str, figure: Estimate, limit: float, *, either_way: bool = False) -> GateCheck:
    value = abs(figure.value) if either_way else figure.value
    # A hair's tolerance: 0.975 - 0.97 is more than 0.005 in binary.
    return GateCheck(name, figure, limit, value <= limit + 1e-9, either_way)


def _rounded(figure: Estimate) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 5) for name, value in dataclasses.asdict(figure).items()}
