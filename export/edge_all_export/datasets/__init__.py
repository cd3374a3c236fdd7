"""Data sets as labelled cells, each with the group and block that a split must keep together."""

from __future__ import annotations

from edge_all_export.datasets.allidb import read_allidb1, read_allidb2
from edge_all_export.datasets.references import read_bccd, read_pbc_lymphocytes, read_segmentation_wbc
from edge_all_export.datasets.samples import ALL, NON_ALL, CellSet, Sample, SkippedImage
from edge_all_export.datasets.training_set import load_training_samples, load_training_set

__all__ = [
    "ALL",
    "NON_ALL",
    "CellSet",
    "Sample",
    "SkippedImage",
    "load_training_samples",
    "load_training_set",
    "read_allidb1",
    "read_allidb2",
    "read_bccd",
    "read_pbc_lymphocytes",
    "read_segmentation_wbc",
]
