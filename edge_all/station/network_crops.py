"""Cells of a station's fields as a model sees them."""

from __future__ import annotations

from collections.abc import Sequence

from edge_all.preprocessing import Crops, PreprocessingSpec, cut_cells
from edge_all.results import CellSummary
from edge_all.segmentation import segment
from edge_all.segmentation.cut_out import put_on_glass
from edge_all.station.desk import Station
from edge_all.station.storage.found_fields import CurrentField, FoundField

__all__ = ["cut_found_cells"]


def cut_found_cells(
    station: Station, field: CurrentField, found: FoundField, cells: Sequence[CellSummary], spec: PreprocessingSpec
) -> Crops:
    """Cut cells out of the image of their field, exactly as they were cut when they were judged.

    Args:
        station: its store.
        field: the field.
        found: what was found in it.
        cells: some of ``found.summary.cells``.
        spec: how to cut.

    Raises:
        ImageError, InputNotFoundError: the image is gone, changed or forgotten.
        ModelIncompatibleError: an older edge-all found the cells, which did not note what this model goes by.
    """
    laid = put_on_glass(station.pixels(field))
    whole = station.whole_cells(field)
    labels = None
    if spec.background == "blank":
        microns = found.summary.microns_per_pixel
        labels = segment(laid.pixels, microns_per_pixel=microns, specimen=laid.specimen).cell_labels
    return cut_cells(laid.pixels, [whole[cell.id] for cell in cells], labels, spec)
