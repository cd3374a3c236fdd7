"""From one FP32 network and labelled cells to a model package: variants, calibration, gate, card.

The parts that cells play are kept apart: *training* cells say what is ordinary (features), *calibration* cells fix INT8
ranges, temperatures and thresholds, *test* cells are seen by the gate alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from edge_all.classification.decision_rule import DecisionRule, Decisions
from edge_all.classification.feature_statistics import FeatureStatistics
from edge_all.classification.second_look import SECOND_LOOK
from edge_all.errors import ModelIncompatibleError, UsageError
from edge_all.files.atomic import write_atomically
from edge_all.model.card import ModelCard, Variant, VariantName
from edge_all.model.golden import golden_crops
from edge_all.model.package import default_package_path, load_package, sha256_of, write_card
from edge_all_calibration.figures.measures import auc
from edge_all_calibration.gating.decisions import OutOfFold, fit_reference, fit_variant
from edge_all_calibration.gating.release_gate import (
    GateLimits,
    GateReport,
    examine,
    figures_json,
    figures_of,
    require_enough,
)
from edge_all_calibration.labelled_cells.cells import (
    LabelledCells,
    balanced_choice,
    require_both_classes,
    require_disjoint,
)
from edge_all_calibration.probability.appearance import fit_appearance, save_appearance
from edge_all_calibration.probability.left_out_alarms import LeftOutAlarms
from edge_all_calibration.probability.operating_points import OperatingPolicy
from edge_all_calibration.probability.out_of_distribution import (
    condense_features,
    fit_statistics,
    save_statistics,
)
from edge_all_calibration.probability.reliability import draw_reliability
from edge_all_calibration.quantizing.half_precision import CPU_WARNING, halve
from edge_all_calibration.quantizing.inference import NetworkOutputs, decide_by_network, run_network
from edge_all_calibration.quantizing.operator_sets import drop_unused_operator_sets
from edge_all_calibration.quantizing.quantization import RANGE_CELLS, quantise
from edge_all_calibration.quantizing.scores import Score
from edge_all_calibration.releasing.publishing import copy_outlines

__all__ = [
    "APPEARANCE_FILE",
    "REJECTED",
    "STATISTICS_FILE",
    "CellParts",
    "Release",
    "ReleasePlan",
    "build_release",
]

REJECTED = "rejected"
"""Folder inside the package for variants that the gate refused; the card does not name them, so nothing runs them."""
STATISTICS_FILE = "features.npz"
APPEARANCE_FILE = "appearance.npz"
WEAK_AUC = 0.9
"""Below it at least every tenth pair of an ALL and a non-ALL cell is in the wrong order; the card and whoever publishes
such a network are told."""
POOR_AUC = 0.7
"""Below it on the calibration cells, only FP32 is made: three pairs of ten are in the wrong order, most cells lie near
a threshold, and no recipe of INT8 decides as FP32 does, so that all are tried and for each block again (400 s for an
InceptionV3 that had learned nothing)."""
TOOLS = (
    "edge-all",
    "edge-all-calibration",
    "edge-all-export",
    "keras",
    "numpy",
    "onnx",
    "onnxruntime",
    "tensorflow",
    "tensorflow-cpu",
    "tf2onnx",
)


@dataclass(frozen=True, slots=True)
class CellParts:
    """Cells by the part they play; no two parts share a group or a picture.

    Attributes:
        calibration: fixes INT8 ranges, temperatures and thresholds.
        test: seen by the gate alone.
        training: what the network was trained on; None where it is not known, and then half of the calibration cells
            say what is ordinary.
        out_of_fold: predictions of a cross-validation that fix temperature and thresholds of FP32 in place of the
            calibration cells; None where there was none.
    """

    calibration: LabelledCells
    test: LabelledCells
    training: LabelledCells | None = None
    out_of_fold: OutOfFold | None = None

    def check(self, input_size: int, limits: GateLimits | None = None) -> None:
        """Refuse parts that overlap, lack a class, or were cut for another network, and test cells too few for a gate.

        Args:
            input_size: side of the network's input in pixels.
            limits: of the gate that the test cells are for; None where no variant will be gated.

        Raises:
            UsageError: with the reason.
        """
        parts = {"calibration": self.calibration, "test": self.test}
        for name, cells in parts.items():
            require_both_classes(cells, name)
        if self.training is not None:
            parts["training"] = self.training
        for name, cells in parts.items():
            if cells.input_size != input_size:
                raise UsageError(
                    f"The {name} cells are {cells.input_size} pixels wide, the network takes {input_size}.",
                    "Cut them with the preprocessing of this network.",
                )
        require_disjoint(parts)
        if limits is not None:
            require_enough(self.test, limits)


@dataclass(frozen=True, slots=True)
class Release:
    """What came of a release.

    Attributes:
        card: of the package.
        reports: the gate's report on each variant other than FP32.
    """

    card: ModelCard
    reports: tuple[GateReport, ...]

    @property
    def rejected(self) -> tuple[GateReport, ...]:
        """Reports of the variants that did not pass."""
        return tuple(report for report in self.reports if not report.passed)


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """What a release is to make, and by which measures.

    Attributes:
        variants: which precisions to make; FP32 is always among them.
        policy: how thresholds are chosen.
        limits: of the gate.
        left_out: false alarms in laboratories that the recipe never saw; their rate takes the place of that of the
            calibration cells where it is higher. None where it was not measured.
    """

    variants: tuple[VariantName, ...] = ("fp32", "fp16", "int8")
    policy: OperatingPolicy = field(default_factory=OperatingPolicy)
    limits: GateLimits = field(default_factory=GateLimits)
    left_out: LeftOutAlarms | None = None

    @property
    def names(self) -> tuple[VariantName, ...]:
        """The precisions in the order in which they are made, FP32 first."""
        return ("fp32", *(name for name in self.variants if name != "fp32"))

    @property
    def gate_limits(self) -> GateLimits | None:
        """The limits of the gate; None where no variant will be gated."""
        return self.limits if len(self.names) > 1 else None


def build_release(
    folder: Path,
    network: Path,
    card: ModelCard,
    parts: CellParts,
    plan: ReleasePlan | None = None,
    *,
    parity: dict[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Release:
    """Fill a folder with a model package.

    Args:
        folder: an empty folder, best from `edge_all_calibration.releasing.publishing.published_folder`.
        network: the FP32 network, with the contract's input and outputs.
        card: name, version, architecture, classes, preprocessing, training; the rest is filled in here.
        parts: the cells.
        plan: what to make, and by which measures; the usual where None.
        parity: figures of FP32 against the model that it was exported from.
        progress: told each step.

    Raises:
        UsageError: parts that overlap, lack a class or are too few; calibration cells that contradict the network.
        ModelIncompatibleError: a network that is not one of the contract.
    """
    plan = plan or ReleasePlan()
    parts.check(card.preprocessing.input_size, plan.gate_limits)
    files = {name: folder / f"model.{name}.onnx" for name in plan.names}

    progress("What is ordinary: features of known cells")
    statistics = _prepare_reference(network, files["fp32"], parts)
    references = _save_references(folder, statistics, parts.training or parts.calibration)
    progress("FP32: temperature and thresholds")
    fp32 = _fitted_fp32(files["fp32"], parts, plan, statistics)
    poor = _poorness(fp32.outputs, parts.calibration.labels)
    if poor and len(files) > 1:
        progress(f"Only FP32 is made. {poor[0]}")
        files = {"fp32": files["fp32"]}
    making = {"fp32": dict(parity or {}), **_make_variants(files, fp32, parts.calibration, progress)}
    finished: dict[VariantName, _Finished] = {}
    for name, file in files.items():
        progress(f"{name.upper()}: test cells")
        finished[name] = _finish(file, name, card, making[name], fp32, parts)
    draw_reliability(
        folder / "reliability.png", {name: one.found.probability for name, one in finished.items()}, parts.test.labels
    )
    blocks, reports = _gated(finished, files, parts.test, plan.limits, progress)
    evaluation = _evaluation(parts, plan.policy, finished["fp32"].found)
    said = (*(poor if len(plan.names) > 1 else ()), *_weakness(evaluation["test_figures_fp32"], len(parts.test)))
    complete = dataclasses.replace(
        card,
        created=card.created or datetime.now(UTC).date().isoformat(),
        variants=blocks,
        feature_statistics=references.get(STATISTICS_FILE),
        appearance=references.get(APPEARANCE_FILE),
        # By which its cells were cut.
        outlines=copy_outlines(default_package_path(), folder),
        evaluation={**card.evaluation, **evaluation},
        limitations=(*card.limitations, *said),
        tools={**_tool_versions(), **card.tools},
    )
    write_card(folder, complete)
    load_package(folder)
    return Release(complete, reports)


@dataclass(frozen=True, slots=True)
class _FittedFp32:
    """What FP32 says of the calibration cells, and the rule fitted to that; the other precisions follow them."""

    outputs: NetworkOutputs
    rule: DecisionRule


def _fitted_fp32(file: Path, parts: CellParts, plan: ReleasePlan, statistics: FeatureStatistics | None) -> _FittedFp32:
    outputs = run_network(file, parts.calibration.crops)
    rule = fit_reference(outputs, parts.calibration.labels, plan.policy, statistics, parts.out_of_fold)
    twice = dataclasses.replace(rule, thresholds=dataclasses.replace(rule.thresholds, second_look=SECOND_LOOK))
    return _FittedFp32(outputs, _with_rate(twice, plan.left_out))


@dataclass(frozen=True, slots=True)
class _Finished:
    """A precision before the gate: its block of the card, its rule, and what it decides about the test cells."""

    block: Variant
    rule: DecisionRule
    found: Decisions


def _finish(
    file: Path, name: VariantName, card: ModelCard, making: dict[str, Any], fp32: _FittedFp32, parts: CellParts
) -> _Finished:
    """Complete one precision's file, and let it judge the test cells by its own rule."""
    _write_metadata(file, card.network_metadata(name))
    rule = fp32.rule
    if name != "fp32":
        rule = fit_variant(run_network(file, parts.calibration.crops), fp32.outputs, fp32.rule)
    block = _block(file, rule, making, card.preprocessing.input_size)
    return _Finished(block, rule, decide_by_network(file, parts.test.crops, rule))


def _gated(
    finished: Mapping[VariantName, _Finished],
    files: Mapping[VariantName, Path],
    test: LabelledCells,
    limits: GateLimits,
    progress: Callable[[str], None],
) -> tuple[dict[VariantName, Variant], tuple[GateReport, ...]]:
    """Hold every precision against FP32: what the card says of those that pass, and all reports."""
    fp32 = finished["fp32"]
    blocks: dict[VariantName, Variant] = {"fp32": fp32.block}
    reports = []
    for name in list(finished)[1:]:
        progress(f"{name.upper()}: the gate")
        one = finished[name]
        report = examine(name, test, (fp32.found, fp32.rule), (one.found, one.rule), limits)
        reports.append(report)
        block = dataclasses.replace(one.block, gate=report.to_json())
        if report.passed:
            blocks[name] = block
        else:
            _set_aside(files[name].parent, files[name], block, report)
    return blocks, tuple(reports)


def _poorness(reference: NetworkOutputs, labels: NDArray[np.bool_]) -> tuple[str, ...]:
    """Why a network is not worth other precisions, for its card; nothing where it is."""
    found = auc(reference.probability.astype(np.float64), labels)
    if found >= POOR_AUC:
        return ()
    words = (
        f"The network orders the {len(labels)} calibration cells with an AUC of {found:.2f}; below {POOR_AUC:g} INT8 "
        "and FP16 are not made, for their decisions would be guesses like FP32's. Train longer, or on more cells."
    )
    return (words,)


def _make_variants(
    files: dict[VariantName, Path],
    fp32: _FittedFp32,
    calibration: LabelledCells,
    progress: Callable[[str], None],
) -> dict[VariantName, dict[str, Any]]:
    """Write the files of FP16 and INT8, each in the form that decides most like FP32; how, for the card."""
    expected = fp32.rule.decide(fp32.outputs.probability, fp32.outputs.features)

    def score(file: Path) -> Score:
        outputs = run_network(file, calibration.crops)
        found = fit_variant(outputs, fp32.outputs, fp32.rule).decide(outputs.probability, outputs.features)
        return Score(
            float((found.label != expected.label).mean()),
            float(np.abs(found.probability - expected.probability).mean()),
        )

    making: dict[VariantName, dict[str, Any]] = {}
    if "fp16" in files:
        progress(CPU_WARNING)
        fp16_score, kept = halve(files["fp32"], files["fp16"], score, progress)
        making["fp16"] = {"form": "FP16 inside, head in FP32", "fp32_blocks": list(kept), **_shown(fp16_score)}
    if "int8" in files:
        shown = calibration.crops[balanced_choice(calibration, RANGE_CELLS)]
        quantised = quantise(files["fp32"], files["int8"], shown, score, progress)
        making["int8"] = {**quantised.to_json(), **_shown(quantised.score)}
    return making


def _block(file: Path, rule: DecisionRule, parity: dict[str, Any], input_size: int) -> Variant:
    """What the card says of a finished file, before the gate."""
    golden = run_network(file, golden_crops(input_size)).probability
    return Variant(
        file=file.name,
        sha256=sha256_of(file),
        temperature=rule.temperature,
        thresholds=rule.thresholds,
        parity=parity,
        golden=[round(float(value), 7) for value in golden],
    )


def _prepare_reference(network: Path, target: Path, parts: CellParts) -> FeatureStatistics | None:
    """Write the FP32 file, its features condensed, and fit their statistics; None where it offers no features."""
    model = onnx.load(network)
    _name_nodes(model)
    ordinary = parts.training or parts.calibration.subset(_half_of_groups(parts.calibration))
    features = run_network(network, ordinary.crops).features
    if features is None:
        onnx.save(model, target)
        return None
    onnx.save(condense_features(model, features), target)
    condensed = run_network(target, ordinary.crops).features
    if condensed is None:
        raise ModelIncompatibleError("The network lost its features.", "Report this: it is a fault of edge-all.")
    return fit_statistics(condensed)


def _with_rate(rule: DecisionRule, left_out: LeftOutAlarms | None) -> DecisionRule:
    """The rule with a false-positive rate that holds where the network never was."""
    rate = 0.0 if left_out is None else left_out.of(rule)
    if rate <= rule.thresholds.false_positive_rate:
        return rule
    return dataclasses.replace(rule, thresholds=dataclasses.replace(rule.thresholds, false_positive_rate=rate))


def _save_references(
    folder: Path, statistics: FeatureStatistics | None, ordinary: LabelledCells
) -> dict[str, dict[str, str]]:
    """Write what cells are held against at a station; the card's block on each file, by its name."""
    appearance = fit_appearance(ordinary)
    if statistics is not None:
        save_statistics(folder / STATISTICS_FILE, statistics)
    if appearance is not None:
        save_appearance(folder / APPEARANCE_FILE, appearance, np.zeros(0, np.uint64), ordinary.crops)
    written = [name for name in (STATISTICS_FILE, APPEARANCE_FILE) if (folder / name).is_file()]
    return {name: {"file": name, "sha256": sha256_of(folder / name)} for name in written}


def _half_of_groups(cells: LabelledCells) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.isin(cells.groups, np.unique(cells.groups)[::2])


def _name_nodes(model: onnx.ModelProto) -> None:
    """Give every node a name of its own: what is kept in float is told by name."""
    seen: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"node_{index}"
        seen.add(node.name)


def _write_metadata(file: Path, metadata: dict[str, str]) -> None:
    """Write the metadata into a network file, and check it as a whole."""
    model = onnx.load(file)
    drop_unused_operator_sets(model)
    helper.set_model_props(model, metadata)
    onnx.save(model, file)
    onnx.checker.check_model(file, full_check=True)


def _set_aside(folder: Path, file: Path, block: Variant, report: GateReport) -> None:
    """Move a variant that the gate refused out of the package's way, with what the card would have said of it."""
    rejected = folder / REJECTED
    text = json.dumps({"variant": report.variant, **dataclasses.asdict(block)}, indent=2, allow_nan=False)
    write_atomically(rejected / f"{report.variant}.json", f"{text}\n".encode())
    file.rename(rejected / file.name)


def _evaluation(parts: CellParts, policy: OperatingPolicy, found: Decisions) -> dict[str, Any]:
    fitted_to: dict[str, Any] = {}
    if parts.out_of_fold is not None:
        labels = parts.out_of_fold.labels
        fitted_to = {"fitted_to_out_of_fold_cells": {"ALL": int(labels.sum()), "non-ALL": int((~labels).sum())}}
    return {
        **fitted_to,
        "calibration_cells": parts.calibration.counts(),
        "operating_point": dataclasses.asdict(policy),
        "test_cells": parts.test.counts(),
        "test_figures_fp32": figures_json(figures_of(found, parts.test)),
    }


def _weakness(figures: dict[str, dict[str, float | None]], cells: int) -> tuple[str, ...]:
    """What a card must say of a network that tells the classes apart badly; nothing of a good one."""
    value, low, high = (figures["auc"][name] for name in ("value", "low", "high"))
    if value is None or value >= WEAK_AUC:
        return ()
    interval = "" if low is None or high is None else f", 95 % interval {low:.2f} to {high:.2f}"
    words = (
        f"A weak classifier: AUC {value:.2f} on {cells} test cells{interval}, where {WEAK_AUC:g} is the least to be "
        "expected. Many of its labels will be wrong or indeterminate."
    )
    return (words,)


def _shown(score: Score) -> dict[str, float]:
    return {"disagreement_with_fp32": round(score.disagreement, 5), "difference_from_fp32": round(score.difference, 6)}


def _tool_versions() -> dict[str, str]:
    versions = {}
    for tool in TOOLS:
        try:
            versions[tool] = version(tool)
        except PackageNotFoundError:
            # Only what is installed had a part in it.
            continue
    return versions
