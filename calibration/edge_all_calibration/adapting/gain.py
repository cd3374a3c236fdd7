"""What labelled cells buy: a package adapted to more and more of them, judged on groups that took no part."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_all.classification.decision_rule import Decisions, read_rule
from edge_all.errors import UsageError
from edge_all.model.package import ModelPackage, load_package
from edge_all.results import INTENDED_USE
from edge_all_calibration.adapting.adaptation import FEWEST, adapt_package
from edge_all_calibration.gating.release_gate import figures_of
from edge_all_calibration.labelled_cells.cells import LabelledCells, balanced_choice
from edge_all_calibration.quantizing.inference import decide_by_network
from edge_all_calibration.releasing.publishing import PackageName

__all__ = ["SIZES", "Gain", "gain_table", "measure_gains"]

SIZES = (25, 50, 100, 200)
DRAWS = 10
"""Halves of the groups that are drawn for each number of cells; figures are means over them. Single draws of 50 or 100
cells differ so much (a sensitivity of 0.24 to 0.79 on ALL-IDB) that three said little."""
MOST_JUDGED = 400
"""Cells of the other half that are judged, both classes alike."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Figures after so many labelled cells, means over the draws.

    Attributes:
        cells: labelled; 0 is the package as it is.
        figures: see `gating.release_gate.figures_of`; value, and the least and the greatest of the draws.
        heads: in how many of the draws a head earned its place.
        refused: draws that nothing could be adapted to, or after which the package did worse on cells kept back; they
            count with the package as it is.
    """

    cells: int
    figures: dict[str, tuple[float, float, float]]
    heads: int
    refused: int

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready values; None for a figure that is not known."""
        figures = {
            name: dict(zip(("mean", "least", "greatest"), (_known(value) for value in values), strict=True))
            for name, values in self.figures.items()
        }
        return {"cells": self.cells, "figures": figures, "heads": self.heads, "refused": self.refused}


def measure_gains(
    package: ModelPackage,
    cells: LabelledCells,
    sizes: Sequence[int] = SIZES,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Gain, ...]:
    """Adapt to half of the groups, judge the other half.

    Args:
        package: that was not trained on these cells.
        cells: labelled, of one laboratory.
        sizes: numbers of cells to adapt to.
        progress: told each step.

    Raises:
        UsageError: fewer groups or cells than a half can be drawn from.
    """
    names = np.unique(cells.groups)
    if len(names) < 4 or len(cells) < 4 * FEWEST:
        raise UsageError(
            f"{len(cells)} cells of {len(names)} groups do not show what adapting buys.",
            f"Give {4 * FEWEST} cells of four groups at least.",
        )
    found: dict[int, list[tuple[dict[str, float], bool, bool]]] = {size: [] for size in (0, *sizes)}
    for draw in range(DRAWS):
        drawn = np.random.default_rng(draw).permutation(names)[: len(names) // 2]
        mine = np.isin(cells.groups, drawn)
        pool, others = cells.subset(mine), cells.subset(~mine)
        judged = others.subset(balanced_choice(others, MOST_JUDGED))
        before = _values(_decided(package, judged), judged)
        found[0].append((before, False, False))
        for size in sizes:
            progress(f"Draw {draw + 1}: {size} cells")
            found[size].append(
                _after(package, pool.subset(balanced_choice(pool, size)), judged) or (before, False, True)
            )
    return tuple(_summed(size, draws) for size, draws in found.items())


def gain_table(gains: Sequence[Gain]) -> str:
    """The gains as a Markdown table."""
    names = tuple(gains[0].figures)
    lines = [
        "| labelled cells | " + " | ".join(name.replace("_", " ") for name in names) + " | with a head | refused |",
        "|---" * (len(names) + 3) + "|",
    ]
    for gain in gains:
        words = [f"{value:.3f} ({low:.2f} to {high:.2f})" for value, low, high in gain.figures.values()]
        lines.append(f"| {gain.cells} | " + " | ".join(words) + f" | {gain.heads} | {gain.refused} |")
    return "\n".join(
        [*lines, "", f"Means over {DRAWS} draws of half of the groups, least and greatest. {INTENDED_USE}"]
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _after(
    package: ModelPackage, labelled: LabelledCells, judged: LabelledCells
) -> tuple[dict[str, float], bool, bool] | None:
    """Figures of the adapted package; None where there is none to publish."""
    with tempfile.TemporaryDirectory(prefix="edge-all-") as scratch:
        try:
            made = adapt_package(package, Path(scratch), labelled, laboratory="new", named=PackageName.of(package.card))
        except UsageError:
            return None
        if not made.passed:
            return None
        return _values(_decided(load_package(Path(scratch)), judged), judged), made.head, False


def _decided(package: ModelPackage, cells: LabelledCells) -> Decisions:
    """As a station decides, by the first precision of the package."""
    name = next(iter(package.card.variants))
    return decide_by_network(package.variant_file(name), cells.crops, read_rule(package, name), appearance=True)


def _values(found: Decisions, cells: LabelledCells) -> dict[str, float]:
    return {name: estimate.value for name, estimate in figures_of(found, cells).items()}


def _summed(size: int, draws: Sequence[tuple[dict[str, float], bool, bool]]) -> Gain:
    columns: dict[str, Any] = {name: [figures[name] for figures, _, _ in draws] for name in draws[0][0]}
    return Gain(
        size,
        {name: (float(np.mean(values)), min(values), max(values)) for name, values in columns.items()},
        sum(head for _, head, _ in draws),
        sum(refused for _, _, refused in draws),
    )
