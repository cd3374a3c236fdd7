"""A finished package on cells of another laboratory: recalibrated, or gated anew.

Temperature and thresholds depend on the stain and the camera; the network does not change here, so its files are copied
byte for byte and only the card is another. Under a new name or version they say that too, and are otherwise the same.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import onnx

from edge_all.classification.decision_rule import DecisionRule, Decisions, read_rule
from edge_all.classification.feature_statistics import read_statistics
from edge_all.errors import UsageError
from edge_all.model.card import ModelCard, VariantName
from edge_all.model.package import ModelPackage, load_package, sha256_of, write_card
from edge_all_calibration.figures.intervals import Estimate
from edge_all_calibration.gating.decisions import fit_reference, fit_variant
from edge_all_calibration.gating.release_gate import (
    GateCells,
    GateLimits,
    GateReport,
    examine,
    figures_json,
    figures_of,
    require_enough,
)
from edge_all_calibration.labelled_cells.cells import LabelledCells, require_both_classes, require_disjoint
from edge_all_calibration.probability.operating_points import OperatingPolicy
from edge_all_calibration.quantizing.inference import decide_by_network, run_network
from edge_all_calibration.releasing.publishing import PackageName

__all__ = ["copy_package", "gate_package", "judge_package", "package_figures", "recalibrate"]


def judge_package(
    package: ModelPackage,
    cells: LabelledCells,
    progress: Callable[[str], None] = lambda _: None,
    *,
    variants: Collection[VariantName] | None = None,
) -> dict[VariantName, tuple[Decisions, DecisionRule]]:
    """What the variants of a package decide about cells, and the rule that each follows.

    Args:
        package: verified.
        cells: cut for its network.
        progress: told each step.
        variants: which; all where None.

    Raises:
        ModelNotFoundError: the package lacks a variant.
        ModelIntegrityError: its feature statistics are damaged, or do not fit the network.
        UsageError: the cells were cut for another network.
    """
    size = package.card.preprocessing.input_size
    if cells.input_size != size:
        raise UsageError(
            f"The cells are {cells.input_size} pixels wide, the network takes {size}.",
            "Cut them with the package's own preprocessing.",
        )
    judged = {}
    for name in package.card.variants if variants is None else variants:
        progress(f"{name.upper()}: judging {len(cells)} cells")
        rule = read_rule(package, name)
        judged[name] = decide_by_network(package.variant_file(name), cells.crops, rule), rule
    return judged


def gate_package(
    package: ModelPackage,
    cells: LabelledCells,
    limits: GateLimits,
    progress: Callable[[str], None] = lambda _: None,
    *,
    reference: ModelPackage | None = None,
) -> tuple[GateReport, ...]:
    """Hold every variant of a package against FP32 on new cells.

    Args:
        package: verified.
        cells: that neither trained nor calibrated it.
        limits: of the gate.
        progress: told each step.
        reference: another package of the same model, that holds the FP32; the package itself where None.

    Raises:
        UsageError: no FP32, that of another model, or nothing to hold against it; too few cells, or all of one class.
    """
    source = package if reference is None else reference
    names = [name for name in package.card.variants if name != "fp32"]
    if "fp32" not in source.card.variants or not names:
        raise UsageError(
            f"Package {source.path} holds {', '.join(source.card.variants)}.",
            "The gate compares variants with FP32: give the package as it was exported, as the reference.",
        )
    _require_same_model(package, source)
    # Before the minutes that judging takes.
    require_enough(cells, limits)
    judged = judge_package(package, cells, progress, variants=names)
    fp32 = judge_package(source, cells, progress, variants=["fp32"])["fp32"]
    return tuple(examine(name, cells, fp32, found, limits) for name, found in judged.items())


def package_figures(
    package: ModelPackage, cells: LabelledCells, progress: Callable[[str], None] = lambda _: None
) -> dict[VariantName, dict[str, Estimate]]:
    """How good each variant is on cells, held against nothing; see `gating.release_gate.figures_of`.

    Raises:
        UsageError: the cells were cut for another network.
    """
    return {name: figures_of(found, cells) for name, (found, _) in judge_package(package, cells, progress).items()}


def _require_same_model(package: ModelPackage, reference: ModelPackage) -> None:
    def identity(one: ModelPackage) -> tuple[object, ...]:
        return one.card.name, one.card.version, one.card.preprocessing

    if identity(package) != identity(reference):
        raise UsageError(
            f"{reference.path} is {reference.card.name} {reference.card.version}, and {package.path} is "
            f"{package.card.name} {package.card.version}.",
            "Give the FP32 of the same model, with the same preprocessing.",
        )


def recalibrate(
    package: ModelPackage,
    folder: Path,
    cells: LabelledCells,
    policy: OperatingPolicy,
    *,
    named: PackageName | None = None,
    gate: GateCells | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[GateReport, ...]:
    """Fill a folder with the package, its temperatures and thresholds fitted to other cells.

    Args:
        package: verified.
        folder: empty, best from `edge_all_calibration.releasing.publishing.published_folder`.
        cells: fix temperatures and thresholds.
        policy: how thresholds are chosen.
        named: identity of the new package; None keeps it.
        gate: what the variants are held against FP32 by; None leaves them ungated, and the card says so.
        progress: told each step.

    Returns:
        The gate's reports; empty without a gate, or for a package of one variant.

    Raises:
        UsageError: cells of one class, cut for another network, overlapping, too few for the gate, or in contradiction
            to the network.
    """
    require_both_classes(cells, "calibration")
    if gate is not None:
        require_disjoint({"calibration": cells, "test": gate.cells})
        if len(package.card.variants) > 1:
            require_enough(gate.cells, gate.limits)
    rules = _refitted(package, cells, policy, progress)
    renamed = package.card if named is None else named.on(package.card)
    copy_package(package, folder, renamed)
    card = dataclasses.replace(
        renamed,
        variants={
            one: dataclasses.replace(
                variant,
                sha256=sha256_of(folder / variant.file),
                temperature=rules[one].temperature,
                thresholds=rules[one].thresholds,
                gate=None,
            )
            for one, variant in package.card.variants.items()
        },
        evaluation={
            **package.card.evaluation,
            "recalibrated_on": {**cells.counts(), "operating_point": dataclasses.asdict(policy)},
        },
    )
    write_card(folder, card)
    return () if gate is None else _gated(folder, gate, progress)


def _leader(package: ModelPackage) -> VariantName:
    """FP32 where there is one; a package of INT8 alone is calibrated by itself."""
    return "fp32" if "fp32" in package.card.variants else next(iter(package.card.variants))


def _refitted(
    package: ModelPackage, cells: LabelledCells, policy: OperatingPolicy, progress: Callable[[str], None]
) -> dict[VariantName, DecisionRule]:
    """The rule of each variant, fitted to the cells."""
    leader = _leader(package)
    reference = run_network(package.variant_file(leader), cells.crops)
    led = fit_reference(reference, cells.labels, policy, read_statistics(package))
    second_look = package.variant(leader).thresholds.second_look
    rules = {leader: dataclasses.replace(led, thresholds=dataclasses.replace(led.thresholds, second_look=second_look))}
    for one in package.card.variants:
        progress(f"{one.upper()}: temperature and thresholds")
        if one != leader:
            outputs = run_network(package.variant_file(one), cells.crops)
            rules[one] = fit_variant(outputs, reference, rules[leader])
    return rules


def _gated(folder: Path, gate: GateCells, progress: Callable[[str], None]) -> tuple[GateReport, ...]:
    """Hold the variants of a finished folder against its leader, and write into its card what came of it."""
    package, test = load_package(folder), gate.cells
    leader, judged = _leader(package), judge_package(package, test, progress)
    reports = {
        one: examine(one, test, judged[leader], found, gate.limits) for one, found in judged.items() if one != leader
    }
    variants = {
        one: dataclasses.replace(variant, gate=reports[one].to_json()) if one in reports else variant
        for one, variant in package.card.variants.items()
    }
    evaluation = {
        **package.card.evaluation,
        "recalibrated_test_cells": test.counts(),
        "recalibrated_test_figures": figures_json(figures_of(judged[leader][0], test)),
    }
    write_card(folder, dataclasses.replace(package.card, variants=variants, evaluation=evaluation))
    return tuple(reports.values())


def copy_package(package: ModelPackage, folder: Path, card: ModelCard) -> None:
    """Copy networks and statistics; a network says whose it is, so a new name or version is written into its file."""
    renamed = (card.name, card.version) != (package.card.name, package.card.version)
    for variant in package.card.variants:
        source = package.variant_file(variant)
        if renamed:
            model = onnx.load(source)
            onnx.helper.set_model_props(model, card.network_metadata(variant))
            onnx.save(model, folder / source.name)
        else:
            shutil.copyfile(source, folder / source.name)
    for file in package.files_beside_networks:
        shutil.copyfile(file, folder / file.name)
