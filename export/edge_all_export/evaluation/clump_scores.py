"""How well touching cells are told apart, on fields of composed clumps: protocol in ``docs/segmentation.md``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_all.results import LabelImage, Segmentation
from edge_all_export.evaluation.instances import agreement_of
from edge_all_export.evaluation.segmentation_scores import ScoreRow, Segmenter, score_row
from edge_all_export.outlines.clumps import CLUMP_PATCH, CLUMP_RED_CELL, clump_fields
from edge_all_export.outlines.known_cells import FOLDERS, read_known_cells

__all__ = ["CLUMP_LABORATORIES", "evaluate_clumps"]

CLUMP_LABORATORIES = ("allidb", "segmentation_wbc 2", "bccd", "raabin")
"""Laboratories whose red cells and white cells make fields; in segmentation_wbc 1 hardly a red cell lies by itself."""
CLUMP_FIELDS = 24
"""Fields of each laboratory, some fourteen white cells in each."""
GOOD_OVERLAP = 0.8
"""Intersection over union with the truth below which an outline is bad."""


def evaluate_clumps(data_root: Path, ways: dict[str, Callable[[str], Segmenter]]) -> list[ScoreRow]:
    """Panoptic quality and aggregated Jaccard index of each way on each laboratory's clumps.

    Args:
        data_root: folder of the reference sets.
        ways: as ``segmenter_of`` of `evaluate_segmentation`, by the name of the way.
    """
    rows = []
    for laboratory in CLUMP_LABORATORIES:
        if not (data_root / FOLDERS[laboratory]).is_dir():
            continue
        known = read_known_cells(data_root, red_cell=CLUMP_RED_CELL, side=CLUMP_PATCH, laboratory=laboratory)
        fields = list(clump_fields(known, CLUMP_FIELDS))
        for way, segmenter_of in ways.items():
            find = segmenter_of(laboratory)
            found = [find(field.pixels) for field in fields]
            scores = [
                agreement_of(field.labels, candidate_labels(one)) for field, one in zip(fields, found, strict=True)
            ]
            cells = sum(score.true for score in scores)
            half = [(score.true + score.found) / 2 for score in scores]
            rows += [
                score_row(
                    "panoptic quality, composed clumps", laboratory, [s.overlap for s in scores], half, cells, way
                ),
                score_row(
                    "aggregated Jaccard index, composed clumps",
                    laboratory,
                    [s.common for s in scores],
                    [s.united for s in scores],
                    cells,
                    way,
                ),
                *_flag_rows(
                    [doubt_of(field.labels, one) for field, one in zip(fields, found, strict=True)], laboratory, way
                ),
            ]
    return rows


@dataclass(frozen=True, slots=True)
class Doubt:
    """Candidates of one field.

    Attributes:
        flagged: whose outline is said to be doubtful (`Cell.outline_unsure`).
        bad: whose outline overlaps the truth by less than `GOOD_OVERLAP`.
        both: of these, that are flagged.
    """

    flagged: int
    bad: int
    both: int


def doubt_of(truth: LabelImage, found: Segmentation) -> Doubt | None:
    """How well the flag of doubtful outlines tells the bad ones; None where the segmentation knows no doubt.

    Args:
        truth: ``uint16 [height, width]``, the true cells.
        found: in the same field.
    """
    candidates = [cell for cell in found.cells if cell.kind == "candidate"]
    if any(cell.outline_unsure is None for cell in candidates):
        return None
    bad = [best_overlap(truth, found.cell_labels == cell.id) < GOOD_OVERLAP for cell in candidates]
    flagged = [bool(cell.outline_unsure) for cell in candidates]
    return Doubt(sum(flagged), sum(bad), sum(one and other for one, other in zip(flagged, bad, strict=True)))


def best_overlap(truth: LabelImage, mask: NDArray[np.bool_]) -> float:
    """Intersection over union of a mask and the true cell that it shares most pixels with; 0 where it shares none."""
    counts = np.bincount(truth[mask], minlength=1)
    counts[0] = 0
    best = int(counts.argmax())
    if not counts[best]:
        return 0.0
    return float(counts[best] / (np.count_nonzero(mask) + np.count_nonzero(truth == best) - counts[best]))


def _flag_rows(doubts: Sequence[Doubt | None], laboratory: str, way: str) -> list[ScoreRow]:
    known = [one for one in doubts if one is not None]
    if len(known) < len(doubts):
        return []
    both, bad, flagged = ([getattr(one, name) for one in known] for name in ("both", "bad", "flagged"))
    return [
        score_row("bad outlines that are flagged, composed clumps", laboratory, both, bad, sum(bad), way),
        score_row("flagged outlines that are bad, composed clumps", laboratory, both, flagged, sum(flagged), way),
    ]


def candidate_labels(found: Segmentation) -> LabelImage:
    """The label image of whole cells without the rejected objects."""
    table = np.array([0, *(cell.id if cell.kind == "candidate" else 0 for cell in found.cells)], np.uint16)
    labels: LabelImage = table.take(found.cell_labels)
    return labels
