"""The rows of the tables of cells: the same in ``cells.csv``, ``cells.xlsx`` and ``cells.parquet``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from edge_all.files.run_folder import RunFolder
from edge_all.outputs.result_words import likeness_of
from edge_all.results import FieldSummary

__all__ = ["COLUMNS", "CROP", "cell_rows", "field_rows"]

CROP = "crop"
"""The one column that names a file of the run's folder."""
LIKENESS = "likeness"
"""``unlike`` or ``rather unlike`` what the model has learned, as the report and the station's page say it."""
COLUMNS: dict[str, type] = {
    "slide": str,
    "image": str,
    "id": int,
    "kind": str,
    "reason": str,
    "label": str,
    "probability": float,
    "out_of_distribution": float,
    LIKENESS: str,
    "centroid_x": float,
    "centroid_y": float,
    "bbox_x": int,
    "bbox_y": int,
    "bbox_width": int,
    "bbox_height": int,
    "area": int,
    "area_um2": float,
    "diameter_um": float,
    "roundness": float,
    "nucleus_centroid_x": float,
    "nucleus_centroid_y": float,
    "nucleus_bbox_x": int,
    "nucleus_bbox_y": int,
    "nucleus_bbox_width": int,
    "nucleus_bbox_height": int,
    "nucleus_area": int,
    "nucleus_area_um2": float,
    "nucleus_to_cytoplasm": float,
    "outline_unsure": int,
    "microns_per_pixel": float,
    "red_cell_radius": float,
    "red_cell_error": float,
    CROP: str,
    "model": str,
    "model_version": str,
    "model_variant": str,
    "card_sha256": str,
    "provider": str,
}
"""The columns, left to right, and what they hold. Positions and sizes are in pixels of the image, or in the unit that a
name ends with, where the size of a pixel is known. ``diameter_um`` is that of a circle of the cell's area; ``crop`` is
the cell's picture within the folder of the run; ``outline_unsure`` is 1 or 0, for spreadsheets write truth values in
the user's language."""
_DIGITS = {name: 2 if "centroid" in name else 6 for name, kind in COLUMNS.items() if kind is float}
"""To how many digits behind the point a column is rounded."""


def cell_rows(folder: RunFolder, fields: Iterable[FieldSummary]) -> Iterator[dict[str, Any]]:
    """One row for each cell of each field, candidates and rejected.

    Fields without a cell have no row; `fields.jsonl` lists every field.

    Args:
        folder: of the run, which names the pictures of the cells.
        fields: the results, in the order of the rows.

    Yields:
        A value for each of `COLUMNS`, in their order; floats rounded to what they are worth, None where not known.
    """
    for field in fields:
        for row in field_rows(field):
            row[CROP] = folder.crop_within(field.image, row["id"]) if row["kind"] == "candidate" else None
            yield {name: row[name] for name in COLUMNS}


def field_rows(field: FieldSummary) -> Iterator[dict[str, Any]]:
    """One row for each cell of a field, as `cell_rows`, its values in no order and without the name of a picture."""
    for row, cell in zip(field.rows(), field.cells, strict=True):
        row[LIKENESS] = likeness_of(cell) or None
        for name, digits in _DIGITS.items():
            if row[name] is not None:
                row[name] = round(row[name], digits)
        yield row
