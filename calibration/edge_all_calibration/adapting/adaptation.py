"""From 100 to 200 labelled cells of a laboratory to a package for it, by the runtime's own network.

What changes: the temperature, what the laboratory's cells look like, and where it earns it a logistic
head on the network's features, and another indeterminate zone. A third of the cells, in whole groups, is kept back: the
new package must not do worse on them than the old one did.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.appearance import Appearance, read_appearance, traits_of
from edge_all.classification.decision_rule import DecisionRule, Decisions, calibrated_probability, read_rule
from edge_all.errors import UsageError
from edge_all.model.card import ModelCard, Variant, VariantName
from edge_all.model.golden import golden_crops
from edge_all.model.package import ModelPackage, load_package, sha256_of, write_card
from edge_all.wording.laboratories import laboratory_name
from edge_all.wording.percentages import percent
from edge_all.wording.plurals import counted
from edge_all_calibration.adapting.dealing import FEWEST_ON_A_SIDE, deal
from edge_all_calibration.adapting.head import earned_head, write_head
from edge_all_calibration.adapting.zone import adapted_zone, is_empty, rightness
from edge_all_calibration.figures.intervals import Estimate, few_groups
from edge_all_calibration.gating.decisions import OutOfFold, fit_reference
from edge_all_calibration.gating.release_gate import figures_json, figures_of
from edge_all_calibration.labelled_cells.cells import LabelledCells, require_both_classes
from edge_all_calibration.probability.appearance import known_cells, picture_digests, save_appearance, with_laboratory
from edge_all_calibration.probability.operating_points import OperatingPolicy
from edge_all_calibration.quantizing.inference import decide_by_network, run_network
from edge_all_calibration.releasing.publishing import PackageName
from edge_all_calibration.releasing.recalibration import copy_package
from edge_all_calibration.releasing.release import APPEARANCE_FILE

__all__ = ["FEWEST", "Adaptation", "RefusedCellsError", "adapt_package", "check_cells", "in_words"]

FEWEST_OF_A_CLASS = 2 * FEWEST_ON_A_SIDE
FEWEST = 2 * FEWEST_OF_A_CLASS
"""Labelled cells below which nothing is adapted: some fit, others prove, and either needs both classes."""
WORSE = 0.02
"""Share of the kept cells, an indeterminate one counting half, that may be decided less well than before."""
NAMED = 40
"""Groups that an error names: whoever has to leave patients out needs all their names, and a screen holds so many."""
NOT_KNOWN = "The package does not say which cells it was trained on, so whether these are among them cannot be known."
SHARED_GROUPS = (
    "Cells of one patient or slide were used to fit and to prove, so that the figures are too good: no deal of whole "
    f"ones leaves {FEWEST_ON_A_SIDE} cells of each class and half of it to fit to, and {FEWEST_ON_A_SIDE} to prove it. "
    "Label both classes on more slides."
)
NEARLY_ALL = 0.9
"""Share of the kept cells that a package leaves `indeterminate`, from which on it is said to decide next to nothing. It
may pass as no worse than the old one: with 25 cells, one draw of ALL-IDB's was fitted a temperature of 11."""
DECIDES_NOTHING = (
    "The new package decides next to nothing here: {share} of the cells kept back are indeterminate. Label more cells, "
    "100 to 200 of several patients."
)
NO_ZONE = (
    "The {precision} network leaves no probability to a person: the package that was adapted has no indeterminate "
    "zone, and these cells fit none. Set one with `edge-all calibrate --band`."
)


class RefusedCellsError(UsageError):
    """Cells that nothing may be learned from, because of what they are.

    Attributes:
        groups: patients or slides that they are of, all by name and each once.
    """

    def __init__(self, problem: str, remedy: str, groups: NDArray[np.str_]) -> None:
        self.groups: tuple[str, ...] = tuple(sorted(set(groups.tolist())))
        named = ", ".join(self.groups[:NAMED])
        more = f" and {len(self.groups) - NAMED} more" if len(self.groups) > NAMED else ""
        super().__init__(f"{problem} (of {named}{more}).", remedy)


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What came of it.

    Attributes:
        card: of the new package.
        head: whether a head earned its place.
        fitting, kept: how many cells of how many groups and slides it was fitted to, and were kept back.
        zones_fitted: precisions whose indeterminate zone was fitted; the others have kept theirs.
        before, after: figures on the cells kept back, by the old and the new package.
        passed: whether the new package does no worse on them.
        notes: what a reader must know.
    """

    card: ModelCard
    head: bool
    fitting: dict[str, int]
    kept: dict[str, int]
    zones_fitted: tuple[VariantName, ...]
    before: dict[str, Estimate]
    after: dict[str, Estimate]
    passed: bool
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What came of it as JSON-ready values."""
        return {
            "name": self.card.name,
            "version": self.card.version,
            "head": self.head,
            "passed": self.passed,
            "fitted_to": self.fitting,
            "kept_back": self.kept,
            "zones_fitted": list(self.zones_fitted),
            "before": figures_json(self.before),
            "after": figures_json(self.after),
            "notes": list(self.notes),
        }


def check_cells(cells: LabelledCells, package: ModelPackage) -> tuple[str, ...]:
    """Refuse cells that nothing can be learned from.

    Returns:
        What could not be checked.

    Raises:
        UsageError: too few, or one class.
        RefusedCellsError: one picture under two labels, or cells that the package was trained on.
    """
    require_both_classes(cells, "adaptation")
    rarer = min(int(cells.labels.sum()), int((~cells.labels).sum()))
    if len(cells) < FEWEST or rarer < FEWEST_OF_A_CLASS:
        raise UsageError(
            f"{len(cells)} labelled cells, {rarer} of the rarer class, are too few to adapt to and to prove it.",
            f"Label {FEWEST_OF_A_CLASS} of each class at least, {FEWEST_ON_A_SIDE} to fit to and {FEWEST_ON_A_SIDE} to "
            "prove it; 100 to 200 cells are better.",
        )
    digests = picture_digests(cells.crops)
    twice = np.intersect1d(digests[cells.labels], digests[~cells.labels])
    if len(twice):
        raise RefusedCellsError(
            f"{len(twice)} cell(s) are labelled both ALL and non-ALL: the same picture lies in both classes",
            "Decide on one label for each cell.",
            cells.groups[np.isin(digests, twice)],
        )
    known = known_cells(package)
    if known is None:
        return (NOT_KNOWN,)
    seen = np.isin(digests, known)
    if seen.any():
        raise RefusedCellsError(
            f"{seen.sum()} of the {len(cells)} cells are among those that {package.card.name} was trained on",
            "Give cells that it has not seen, on known ones every figure is too good: leave their folders out, or in a "
            "cells.csv call them indeterminate.",
            cells.groups[seen],
        )
    return ()


def adapt_package(
    package: ModelPackage,
    folder: Path,
    cells: LabelledCells,
    *,
    laboratory: str,
    named: PackageName,
    progress: Callable[[str], None] = lambda _: None,
) -> Adaptation:
    """Fill a folder with a package for one more laboratory.

    Args:
        package: verified.
        folder: empty, best from `edge_all_calibration.releasing.publishing.published_folder`.
        cells: labelled, of the laboratory, cut for the package.
        laboratory: its name.
        named: identity of the new package.
        progress: told each step.

    Raises:
        RefusedCellsError: see `check_cells`.
        UsageError: the same, and labels that contradict the network as a whole.
    """
    notes = check_cells(cells, package)
    fitting, kept = deal(cells)
    card = named.on(package.card)
    copy_package(package, folder, card)
    appearance = with_laboratory(read_appearance(package), laboratory, traits_of(cells.crops))
    save_appearance(folder / APPEARANCE_FILE, appearance, known_cells(package), cells.crops)

    adapted: dict[VariantName, _Adapted] = {}
    for one in package.card.variants:
        progress(f"{one.upper()}: adapting to {len(fitting)} cells")
        adapted[one] = _adapt(package, folder, one, appearance, fitting, kept)
    first = next(iter(adapted.values()))
    before, after = (figures_of(found, kept) for found in (first.before, first.after))
    notes = (*notes, *_doubts(fitting, kept, before, after), *_without_zone(adapted))
    head = any(one.head for one in adapted.values())
    zones = tuple(name for name, one in adapted.items() if one.zone_fitted)
    passed = all(_right(one.after, kept) >= _right(one.before, kept) - WORSE for one in adapted.values())
    record = {
        "laboratory": laboratory,
        "fitted_to": _counts(fitting),
        "test_cells": _counts(kept),
        "head": head,
        "zones_fitted": list(zones),
        "figures_before": figures_json(before),
        "figures_after": figures_json(after),
    }
    adapted_to = (
        f"Adapted to {in_words(_counts(fitting))} of {laboratory_name(laboratory)}, and judged on "
        f"{in_words(_counts(kept))}; how well "
        "it does elsewhere was not measured again."
    )
    said = (adapted_to, *notes)
    finished = dataclasses.replace(
        card,
        variants={name: one.block for name, one in adapted.items()},
        appearance={"file": APPEARANCE_FILE, "sha256": sha256_of(folder / APPEARANCE_FILE)},
        evaluation={**card.evaluation, "adapted": record},
        limitations=(*card.limitations, *said),
    )
    write_card(folder, finished)
    load_package(folder)
    return Adaptation(finished, head, _counts(fitting), _counts(kept), zones, before, after, passed, notes)


def in_words(counts: dict[str, int]) -> str:
    """Cells and groups of one side of the deal: ``60 cells (20 ALL of 3 groups, 40 non-ALL of 4 groups)``."""
    return (
        f"{counts['cells']} cells ({counts['ALL']} ALL of {counted(counts['ALL_groups'], 'group')}, "
        f"{counts['non-ALL']} non-ALL of {counted(counts['non-ALL_groups'], 'group')})"
    )


def _counts(cells: LabelledCells) -> dict[str, int]:
    """As `LabelledCells.counts`, and of how many groups each class is."""
    of_class = {
        f"{name}_groups": len(set(cells.groups[mine].tolist()))
        for name, mine in (("ALL", cells.labels), ("non-ALL", ~cells.labels))
    }
    return {**cells.counts(), **of_class}


def _doubts(
    fitting: LabelledCells, kept: LabelledCells, before: dict[str, Estimate], after: dict[str, Estimate]
) -> Iterator[str]:
    """Why the figures say less than they seem to."""
    if set(fitting.groups.tolist()) & set(kept.groups.tolist()):
        yield SHARED_GROUPS
    counts = _counts(kept)
    for name in ("ALL", "non-ALL"):
        yield from few_groups(name, counts[name], counts[f"{name}_groups"])
    left = after["indeterminate"].value
    if left >= NEARLY_ALL:
        yield DECIDES_NOTHING.format(share=percent(left, 0))
    old, new = (figures["calibration_error"].value for figures in (before, after))
    if new > old:
        yield f"On the cells kept back the calibration error rose from {old:.3f} to {new:.3f}: probabilities mean less."


def _without_zone(adapted: Mapping[VariantName, _Adapted]) -> Iterator[str]:
    for name, one in adapted.items():
        if is_empty(one.block.thresholds):
            yield NO_ZONE.format(precision=name.upper())


@dataclass(frozen=True, slots=True)
class _Adapted:
    """One precision: its block of the card, what of it was fitted, and what is decided about the cells kept back."""

    block: Variant
    head: bool
    zone_fitted: bool
    before: Decisions
    after: Decisions


def _adapt(
    package: ModelPackage,
    folder: Path,
    name: VariantName,
    appearance: Appearance,
    fitting: LabelledCells,
    kept: LabelledCells,
) -> _Adapted:
    """Adapt one precision; its file is written where a head earned it."""
    variant, old = package.variant(name), read_rule(package, name)
    file = folder / variant.file
    outputs = run_network(package.variant_file(name), fitting.crops)
    earned = earned_head(outputs, fitting.labels, old.statistics)
    unseen = None
    if earned is not None:
        head, by_others = earned
        # What a head says of the cells that it was fitted to is surer than it will be of others.
        unseen = OutOfFold(by_others, fitting.labels)
        write_head(file, file, head)
        outputs = run_network(file, fitting.crops)
    rule = fit_reference(outputs, fitting.labels, OperatingPolicy(), None, unseen)
    known = outputs.probability.astype(np.float64) if unseen is None else unseen.probabilities
    zone = adapted_zone(calibrated_probability(known, rule.temperature), fitting.labels, old.thresholds)
    # The distance of the features was fitted to many more cells than these; it is only widened to take them in.
    limit = old.thresholds.out_of_distribution
    if limit is not None and old.statistics is not None and outputs.features is not None:
        limit = max(limit, float(old.statistics.squared_distances(outputs.features).max()) * (1 + 1e-6))
    thresholds = dataclasses.replace(zone, out_of_distribution=limit, second_look=old.thresholds.second_look)
    golden = run_network(file, golden_crops(package.card.preprocessing.input_size)).probability
    block = dataclasses.replace(
        variant,
        sha256=sha256_of(file),
        temperature=rule.temperature,
        thresholds=thresholds,
        gate=None,
        golden=[round(float(value), 7) for value in golden],
    )
    new = DecisionRule(rule.temperature, thresholds, old.statistics, appearance)
    before = decide_by_network(package.variant_file(name), kept.crops, old, appearance=True)
    zone_fitted = (zone.non_all_below, zone.all_from) != (old.thresholds.non_all_below, old.thresholds.all_from)
    after = decide_by_network(file, kept.crops, new, appearance=True)
    return _Adapted(block, earned is not None, zone_fitted, before, after)


def _right(found: Decisions, cells: LabelledCells) -> float:
    """Mean over both classes of the share that is decided rightly; what goes to a person counts half."""
    right = rightness(found.label, cells.labels)
    return float((right[cells.labels].mean() + right[~cells.labels].mean()) / 2)
