"""The labelled images of a folder, as the kinds of ``edge-all evaluate`` judge them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_all_export.cli.evaluate.options import UNSEEN_SET
from edge_all_export.cli.options import NORMAL_LAYOUT, REFERENCE_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_calibration.labelled_cells.cells import LabelledCells
    from edge_all_export.datasets import CellSet, Sample

__all__ = ["labelled_cells", "read_cells"]


def read_cells(data: Path, layout: str) -> CellSet:
    """The labelled cells of a folder, and the images that could not be used.

    Raises:
        InputNotFoundError: there is no labelled cell.
    """
    from edge_all.errors import InputNotFoundError
    from edge_all_export.cli.phase_display import PhaseDisplay
    from edge_all_export.datasets import read_layout, read_pbc_lymphocytes
    from edge_all_export.datasets.samples import told_of_images
    from edge_all_export.evaluation.judging import normal_cells

    with PhaseDisplay() as display, told_of_images(display.phase("Reading and segmenting images")):
        if layout == NORMAL_LAYOUT:
            cells = normal_cells(data)
        else:
            cells = read_layout(layout, data)
            if layout == REFERENCE_LAYOUT and (data / UNSEEN_SET).is_dir():
                cells += read_pbc_lymphocytes(data / UNSEEN_SET)
    if not cells.samples:
        raise InputNotFoundError(f"No labelled cell was found in {data}.", "Check the folder and its --layout.")
    return cells


def labelled_cells(samples: Sequence[Sample], spec: PreprocessingSpec) -> LabelledCells:
    """The samples cut: groups are what may be one patient, slides fields or patients."""
    import numpy as np

    from edge_all_calibration.labelled_cells.cells import LabelledCells
    from edge_all_export.crops.cutting import extract_crops

    return LabelledCells(
        extract_crops(samples, spec),
        np.array([sample.label == 1 for sample in samples], np.bool_),
        np.array([sample.block for sample in samples], np.str_),
        np.array([sample.group for sample in samples], np.str_),
        np.array([sample.laboratory for sample in samples], np.str_),
    )
