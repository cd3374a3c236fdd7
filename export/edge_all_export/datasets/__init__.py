"""Data sets as labelled cells, each with the group and block that a split must keep together."""

from __future__ import annotations

from edge_all_export.datasets.allidb import read_allidb1, read_allidb2
from edge_all_export.datasets.class_folders import read_class_folders
from edge_all_export.datasets.cnmc import read_cnmc
from edge_all_export.datasets.references import (
    read_bccd,
    read_munich,
    read_pbc_lymphocytes,
    read_raabin,
    read_segmentation_wbc,
)
from edge_all_export.datasets.samples import ALL, NON_ALL, CellSet, Sample, SkippedImage
from edge_all_export.datasets.taleqani import read_taleqani
from edge_all_export.datasets.training_set import LAYOUTS, load_training_set, read_layout

__all__ = [
    "ALL",
    "LAYOUTS",
    "NON_ALL",
    "CellSet",
    "Sample",
    "SkippedImage",
    "load_training_set",
    "read_allidb1",
    "read_allidb2",
    "read_bccd",
    "read_class_folders",
    "read_cnmc",
    "read_layout",
    "read_munich",
    "read_pbc_lymphocytes",
    "read_raabin",
    "read_segmentation_wbc",
    "read_taleqani",
]
