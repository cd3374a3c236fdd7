"""A small picture of each cell of a report, cut out of its field's image."""

from __future__ import annotations

from collections.abc import Iterator

from edge_all.errors import EdgeAllError
from edge_all.station.cell_square import cell_jpeg
from edge_all.station.desk import Station
from edge_all.station.reports.slide_report import SlideReport
from edge_all.station.review.cells import ReviewedCell, in_order

__all__ = ["PICTURE_SIDE", "cells_with_pictures"]

PICTURE_SIDE = 96
"""Pixels; about 3 kB each, 15 MB for 5,000 cells."""
_QUALITY = 88


def cells_with_pictures(station: Station, report: SlideReport) -> Iterator[tuple[ReviewedCell, bytes | None]]:
    """All cells, indeterminate and ALL first, with a JPEG each; None where the image is gone, changed or forgotten.

    One field's image is held at a time, and read once.

    Args:
        station: its store.
        report: of the slide.
    """
    pictures: dict[str, bytes] = {}
    for field, _ in report.view.fields:
        own = [cell for cell in report.view.cells if cell.field == field.place]
        try:
            pixels = station.pixels(field)
        except EdgeAllError:
            continue
        radius = station.found(field).summary.red_cell_radius
        pictures.update({cell.id: cell_jpeg(pixels, cell.bbox, PICTURE_SIDE, _QUALITY, radius) for cell in own})
    for cell in in_order(report.view.cells, "label"):
        yield cell, pictures.get(cell.id)
