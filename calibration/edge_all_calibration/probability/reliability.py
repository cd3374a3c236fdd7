"""Are the probabilities honest? Predicted probability against observed frequency, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_all.results import INTENDED_USE
from edge_all_calibration.figures.intervals import Estimate, proportion
from edge_all_calibration.figures.measures import CALIBRATION_BINS, calibration_bins, expected_calibration_error

__all__ = ["ReliabilityBin", "draw_reliability", "reliability_bins"]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability plot.

    Attributes:
        predicted: mean probability of its cells.
        observed: share of ALL among them, with its Wilson interval.
        cells: their number.
    """

    predicted: float
    observed: Estimate
    cells: int


def reliability_bins(probabilities: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """The bins of the expected calibration error that hold a cell, in the order of the probability."""
    return tuple(
        ReliabilityBin(float(total / cells), proportion(np.arange(cells) < positive), int(cells))
        for cells, total, positive in zip(*calibration_bins(probabilities, labels), strict=True)
        if cells
    )


def draw_reliability(file: Path, variants: dict[str, NDArray[np.float64]], labels: NDArray[np.bool_]) -> None:
    """Draw one panel a variant as PNG.

    Args:
        file: where the picture goes.
        variants: calibrated probabilities ``float64 [n]`` by variant.
        labels: ``bool [n]`` truth.
    """
    figure = Figure(figsize=(4.2 * len(variants), 4.6), layout="constrained")
    panels = figure.subplots(1, len(variants), squeeze=False)[0]
    for axes, (name, probabilities) in zip(panels, variants.items(), strict=True):
        bins = reliability_bins(probabilities, labels)
        predicted = [one.predicted for one in bins]
        observed = [one.observed.value for one in bins]
        below = [one.observed.value - one.observed.low for one in bins]
        above = [one.observed.high - one.observed.value for one in bins]
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=1)
        axes.errorbar(predicted, observed, yerr=[below, above], fmt="o-", color="#7b3294", capsize=2, markersize=4)
        axes.set_title(f"{name.upper()}: calibration error {expected_calibration_error(probabilities, labels):.3f}")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="predicted probability of ALL", aspect="equal")
    panels[0].set_ylabel("observed share of ALL (95 % interval)")
    figure.supxlabel(
        f"{len(labels)} held-out cells in {CALIBRATION_BINS} bins of equal width. {INTENDED_USE}", fontsize=8
    )
    figure.savefig(file, dpi=130, format="png")
