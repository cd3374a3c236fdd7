"""GeoJSON that QuPath opens: drag the file onto the open image.

The form is the one that QuPath 0.4 and later write and read: a FeatureCollection in pixels of the full image, each
feature with ``objectType``, ``classification`` (name and RGB), ``measurements`` as an object of numbers, and a UUID as
``id``. (Before 0.4, measurements were a list of pairs and colours packed integers.)
"""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any

from edge_all import __version__
from edge_all.files.atomic import write_atomically
from edge_all.outputs.json_text import json_text
from edge_all.outputs.palette import PALETTE, cell_class
from edge_all.outputs.simple_rings import simple_rings
from edge_all.results import INTENDED_USE, Cell, FieldResult

__all__ = ["feature_collection", "write_geojson"]


def feature_collection(field: FieldResult) -> dict[str, Any]:
    """All cells of one field, candidates and rejected, as QuPath detections.

    Args:
        field: a judged field.

    Returns:
        A GeoJSON FeatureCollection, JSON-ready.
    """
    return {
        "type": "FeatureCollection",
        "intended_use": INTENDED_USE,
        "edge_all_version": __version__,
        "features": [_feature(field, cell) for cell in field.cells],
    }


def write_geojson(path: Path, field: FieldResult) -> None:
    """Write the cells of one field.

    Args:
        path: the file to write.
        field: a judged field.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, json_text(feature_collection(field)).encode("ascii"))


def _feature(field: FieldResult, cell: Cell) -> dict[str, Any]:
    classified_as = cell_class(cell)
    measurements = {
        "Cell area px^2": float(cell.area),
        "Nucleus area px^2": float(cell.nucleus_area),
        "Nucleus/cell area ratio": cell.nucleus_area / max(cell.area, 1),
        "Probability of ALL": cell.probability,
        "Out of distribution": cell.out_of_distribution,
    }
    properties: dict[str, Any] = {
        "objectType": "detection",
        "name": f"{cell.id}",
        "classification": {"name": classified_as, "color": list(PALETTE[classified_as])},
        # QuPath wants numbers: what is not known, or infinite, is left out.
        "measurements": {
            name: round(value, 6) for name, value in measurements.items() if value is not None and math.isfinite(value)
        },
    }
    if cell.reason is not None:
        properties["metadata"] = {"Rejected because": cell.reason}
    # The same cell of the same image always has the same id: importing twice does not double it.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"edge-all:{field.image}#{cell.id}".encode("utf-8", "replace").decode())
    return {
        "type": "Feature",
        "id": str(identity),
        "geometry": _geometry(cell),
        "properties": properties,
    }


def _geometry(cell: Cell) -> dict[str, Any]:
    """The outline as closed rings that do not touch themselves.

    A contour runs through the centres of its pixels, and QuPath counts from the corner of the first pixel: hence the
    half. Where a contour encloses nothing (one pixel, a line), the box stands for it, for QuPath refuses empty areas.
    """
    rings = [[(x + 0.5, y + 0.5) for x, y in ring] for ring in simple_rings(cell.contour)]
    if not rings:
        x, y, width, height = map(float, cell.bbox)
        rings = [[(x, y), (x + width, y), (x + width, y + height), (x, y + height)]]
    closed = [[list(point) for point in (*ring, ring[0])] for ring in rings]
    if len(closed) == 1:
        return {"type": "Polygon", "coordinates": closed}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in closed]}
