"""The station's verdict on each slide, from labels of cells alone."""

from __future__ import annotations

from collections.abc import Sequence

from edge_all.model.card import Thresholds
from edge_all.results import CellLabel, CellSummary, FieldSummary, Verdict
from edge_all.slides.verdict import judge_slide

__all__ = ["slide_verdicts"]


def slide_verdicts(slides: Sequence[str], labels: Sequence[CellLabel], thresholds: Thresholds) -> dict[str, Verdict]:
    """The verdict of `edge_all.slides.verdict.judge_slide` on each slide, in the order of their names.

    Args:
        slides: slide of each cell.
        labels: label of each cell.
        thresholds: of what labelled them.
    """
    labels_of: dict[str, list[CellLabel]] = {}
    for slide, label in zip(slides, labels, strict=True):
        labels_of.setdefault(slide, []).append(label)
    return {
        slide: judge_slide(slide, [_field(slide, labels_of[slide])], thresholds).verdict for slide in sorted(labels_of)
    }


def _field(slide: str, labels: list[CellLabel]) -> FieldSummary:
    # A verdict counts labels; where the cells lie does not enter it.
    cells = tuple(
        CellSummary(number, (0, 0, 1, 1), (0.0, 0.0), 1, (0, 0, 1, 1), (0.0, 0.0), 1, "candidate", label=label)
        for number, label in enumerate(labels, start=1)
    )
    return FieldSummary(image=slide, slide=slide, status="ok", cells=cells)
