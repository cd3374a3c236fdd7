"""From judged cells to judged slides.

A slide is ALL in truth when any of its cells is labelled ALL. Its score is the chance that the share of ALL cells which
defines the disease is reached, given the probability of every cell: the tail of a Poisson binomial distribution, with
cells taken as independent. Unlike a share of cells this is a probability, so that Brier score and calibration error
mean at slide level what they mean at cell level.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from edge_all.model.card import Band, Thresholds
from edge_all.slides.verdict import DEFINING_BLAST_SHARE
from edge_all.wording.percentages import percent
from edge_all_calibration.gating.slide_verdicts import slide_verdicts
from edge_all_export.evaluation.predictions import Predictions

__all__ = ["SLIDE_SCORE", "chance_of_share", "slide_predictions", "verdict_table"]

LEAST_CELLS = 2
"""A slide of one cell is that cell: sets of single-cell images would only repeat the cell level."""
SLIDE_SCORE = (
    f"probability that at least {percent(DEFINING_BLAST_SHARE, 0)} of the slide's cells are ALL (Poisson binomial tail "
    "of the cells' probabilities); in truth a slide is ALL when any of its cells is"
)
"""How a slide gets its probability and its truth, for reports."""


def chance_of_share(probability: NDArray[np.float64], share: float = DEFINING_BLAST_SHARE) -> float:
    """Chance that at least ``share`` of some cells are ALL.

    Args:
        probability: ``float64 [n]`` of ALL, of cells taken as independent; n > 0.
        share: in (0, 1].
    """
    counts = np.ones(1)
    for value in probability:
        counts = np.convolve(counts, (1.0 - value, value))
    # Without the allowance 0.2 * 5 cells could ask for two of them.
    needed = math.ceil(share * len(probability) - 1e-9)
    return float(min(1.0, counts[needed:].sum()))


def slide_predictions(predictions: Predictions) -> Predictions | None:
    """One row a slide: `sample` is its name, `source` those of its cells; None where no two cells share a slide."""
    names, cells_of = np.asarray(predictions.slide), Counter(predictions.slide)
    slides = [name for name in dict.fromkeys(predictions.slide) if name and cells_of[name] >= LEAST_CELLS]
    if not slides:
        return None
    rows_of = [np.flatnonzero(names == name) for name in slides]
    return Predictions(
        sample=tuple(slides),
        source=tuple(" + ".join(sorted({predictions.source[row] for row in rows})) for rows in rows_of),
        group=tuple(predictions.group[rows[0]] for rows in rows_of),
        slide=tuple(slides),
        label=np.asarray([predictions.label[rows].max() for rows in rows_of], np.int64),
        probability=np.asarray([chance_of_share(predictions.probability[rows]) for rows in rows_of], np.float64),
    )


def verdict_table(predictions: Predictions, band: Band) -> dict[str, dict[str, int]] | None:
    """The runtime's own slide verdicts, counted by truth.

    Returns:
        ``{"ALL": {"suspicious": n, "indeterminate": n, "not detected": n}, "non-ALL": {...}}``; None where no two
        cells share a slide, or the band stands alone, without a false-positive rate.
    """
    slides = slide_predictions(predictions)
    if slides is None or not isinstance(band, Thresholds):
        return None
    verdicts = slide_verdicts(predictions.slide, predictions.decisions(band), band, predictions.out_of_distribution)
    counts = Counter(
        (truth, verdicts[slide]) for slide, truth in zip(slides.sample, slides.label.tolist(), strict=True)
    )
    return {
        name: {verdict: counts[truth, verdict] for verdict in ("suspicious", "indeterminate", "not detected")}
        for truth, name in ((1, "ALL"), (0, "non-ALL"))
    }
