"""The station's verdict on each slide, from labels of cells alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_all.model.card import Thresholds
from edge_all.results import CellLabel, CellSummary, FieldSummary, Verdict
from edge_all.slides.verdict import judge_slide

__all__ = ["slide_verdicts"]


def slide_verdicts(
    slides: Sequence[str],
    labels: Sequence[CellLabel],
    thresholds: Thresholds,
    distances: NDArray[np.float64] | None = None,
) -> dict[str, Verdict]:
    """The verdict of `edge_all.slides.verdict.judge_slide` on each slide, in the order of their names.

    Args:
        slides: slide of each cell.
        labels: label of each cell.
        thresholds: of what labelled them.
        distances: ``float64 [n]``, how unlike the known laboratories each cell is, by which a station tells a slide
            that the model does not know; None leaves that out, as the gate does, to which it would say the same of
            every precision.
    """
    cells_of: dict[str, list[tuple[CellLabel, float | None]]] = {}
    known = [None] * len(labels) if distances is None else distances.tolist()
    for slide, label, distance in zip(slides, labels, known, strict=True):
        cells_of.setdefault(slide, []).append((label, distance))
    return {
        slide: judge_slide(slide, [_field(slide, cells_of[slide])], thresholds).verdict for slide in sorted(cells_of)
    }


def _field(slide: str, cells: list[tuple[CellLabel, float | None]]) -> FieldSummary:
    # A verdict counts labels; where the cells lie does not enter it.
    found = tuple(
        CellSummary(
            number,
            (0, 0, 1, 1),
            (0.0, 0.0),
            1,
            (0, 0, 1, 1),
            (0.0, 0.0),
            1,
            "candidate",
            label=label,
            out_of_distribution=distance,
        )
        for number, (label, distance) in enumerate(cells, start=1)
    )
    return FieldSummary(image=slide, slide=slide, status="ok", cells=found)
