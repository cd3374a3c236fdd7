"""A slide's cells as a table (CSV) and as outlines (GeoJSON)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from edge_all.outputs.result_words import likeness_of
from edge_all.outputs.simple_rings import simple_rings
from edge_all.results import INTENDED_USE
from edge_all.station.desk import Station
from edge_all.station.reports.slide_report import SlideReport
from edge_all.station.review.cells import ReviewedCell

__all__ = ["cells_csv", "cells_geojson"]

_COLUMNS = (
    "slide",
    "field",
    "cell",
    "counts_as",
    "kind",
    "decided_by",
    "software_label",
    "probability",
    "out_of_distribution",
    "likeness",
    "excluded",
    "seen",
    "x",
    "y",
    "width",
    "height",
    "area_px",
    "comments",
    "synthetic",
)
_CIRCLE_CORNERS = 32


def cells_csv(report: SlideReport) -> bytes:
    """One row for each cell, rejected objects and added cells included; UTF-8 with a byte-order mark, for Excel.

    ``synthetic`` says whether edge-all drew the slide itself. What a spreadsheet would take for a formula is led by an
    apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for cell in report.view.cells:
        writer.writerow([_harmless(value) for value in _row(report, cell)])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "backslashreplace")


def cells_geojson(station: Station, report: SlideReport) -> dict[str, Any]:
    """The outlines in force, in pixels of each field's image; each feature says its field."""
    return {
        "type": "FeatureCollection",
        "intended_use": INTENDED_USE,
        "notice": report.notice,
        "slide": report.view.slide.code,
        "status": report.status,
        "chain_sha256": report.chain_sha256,
        "features": list(_features(station, report)),
    }


def _row(report: SlideReport, cell: ReviewedCell) -> tuple[object, ...]:
    unlike = None if cell.found is None else cell.found.out_of_distribution
    return (
        report.view.slide.code,
        cell.field,
        cell.id,
        cell.counts_as,
        cell.kind,
        cell.decided_by,
        cell.software_label,
        cell.probability,
        unlike,
        None if cell.found is None else likeness_of(cell.found),
        cell.excluded,
        cell.seen,
        *cell.bbox,
        round(cell.area),
        " | ".join(f"{one.actor}: {one.text}" for one in cell.comments),
        report.view.slide.synthetic,
    )


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" \"'")[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value


def _features(station: Station, report: SlideReport) -> Iterator[dict[str, Any]]:
    for field, _ in report.view.fields:
        outlines = station.outlines(field)
        for cell in report.view.cells:
            if cell.field == field.place:
                contour = () if cell.found is None else outlines[cell.found.id]
                yield {
                    "type": "Feature",
                    "id": cell.id,
                    "geometry": {"type": "MultiPolygon", "coordinates": [[ring] for ring in _rings(cell, contour)]},
                    "properties": {
                        "field": field.place,
                        "classification": {"name": cell.counts_as},
                        "kind": cell.kind,
                        "decided_by": cell.decided_by,
                        "software_label": cell.software_label,
                        "probability": cell.probability,
                    },
                }


def _rings(cell: ReviewedCell, contour: tuple[tuple[int, int], ...]) -> list[list[list[float]]]:
    """The outline in force as closed rings; a box where it encloses nothing."""
    if cell.circle is not None:
        x, y, radius = cell.circle
        turns = [2 * math.pi * step / _CIRCLE_CORNERS for step in range(_CIRCLE_CORNERS)]
        rings = [[(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]]
    else:
        # Through the centres of pixels, while coordinates count from the corner of the first.
        rings = [[(x + 0.5, y + 0.5) for x, y in ring] for ring in simple_rings(contour)]
    if not rings:
        x, y, width, height = map(float, cell.bbox)
        rings = [[(x, y), (x + width, y), (x + width, y + height), (x, y + height)]]
    return [[[round(value, 2) for value in point] for point in (*ring, ring[0])] for ring in rings]
