"""From judged cells to judged slides.

A slide is ALL in truth when any of its cells is labelled ALL. Its score is the mean of its cells' probabilities, the
blast share that these lead one to expect: the pooling by the mean of multiple-instance learning (Wang et al.,
Revisiting multiple instance neural networks, Pattern Recognition 74, 2018). It orders slides and is no probability
that a slide is ALL, so that nothing is said of slides but how well they are ordered; what a station says of them is
counted by `verdict_table`. The score was chosen where ALL-IDB had been left out of training, among chance, median and
means, and judged where Taleqani had been (docs/training-experiments.md). The chance that a fifth of the cells are ALL,
which it replaces, is 1 for all slides of many suspicious cells, and of few cells one alone decides.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from edge_all.model.card import Band, Thresholds
from edge_all_calibration.gating.slide_verdicts import slide_verdicts
from edge_all_export.evaluation.predictions import Predictions

__all__ = ["LEAST_CELLS", "SLIDE_SCORE", "slide_predictions", "verdict_table"]

LEAST_CELLS = 2
"""A slide of one cell is that cell: sets of single-cell images would only repeat the cell level."""
SLIDE_SCORE = (
    "mean of its cells' probabilities, which orders slides and is no probability that a slide is ALL; in truth a slide "
    "is ALL when any of its cells is"
)
"""How a slide gets its score and its truth, for reports."""


def slide_predictions(predictions: Predictions) -> Predictions | None:
    """One row a slide: `sample` is its name, `source` those of its cells, `probability` its score.

    Returns:
        None where no two cells share a slide.
    """
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
        probability=np.asarray([predictions.probability[rows].mean() for rows in rows_of], np.float64),
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
