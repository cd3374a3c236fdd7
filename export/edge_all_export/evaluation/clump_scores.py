"""How well touching cells are told apart, on fields of composed clumps: protocol in ``docs/segmentation.md``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

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
            scores = [agreement_of(field.labels, candidate_labels(find(field.pixels))) for field in fields]
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
            ]
    return rows


def candidate_labels(found: Segmentation) -> LabelImage:
    """The label image of whole cells without the rejected objects."""
    table = np.array([0, *(cell.id if cell.kind == "candidate" else 0 for cell in found.cells)], np.uint16)
    labels: LabelImage = table.take(found.cell_labels)
    return labels
