"""``cells.csv``: one row per cell, for a spreadsheet or a statistics program."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_all.files.atomic import write_atomically
from edge_all.results import FieldSummary

__all__ = ["COLUMNS", "write_cells"]

COLUMNS = (
    "slide",
    "image",
    "id",
    "kind",
    "reason",
    "label",
    "probability",
    "out_of_distribution",
    "centroid_x",
    "centroid_y",
    "bbox_x",
    "bbox_y",
    "bbox_width",
    "bbox_height",
    "area",
    "nucleus_centroid_x",
    "nucleus_centroid_y",
    "nucleus_bbox_x",
    "nucleus_bbox_y",
    "nucleus_bbox_width",
    "nucleus_bbox_height",
    "nucleus_area",
    "model",
    "model_version",
    "model_variant",
    "card_sha256",
    "provider",
)
"""The columns, left to right. Positions and sizes are in pixels of the image; what is not known is left empty."""

_FORMULA_START = re.compile(r"(^|[;|\t\r\n])(?=[\s\"']*[=+\-@＝＋－＠]|[\t\r\n])")  # noqa: RUF001
"""What makes Excel and LibreOffice take a text for a formula (OWASP, "CSV Injection"), in both widths."""


def write_cells(path: Path, fields: Iterable[FieldSummary]) -> None:
    """Write one row for each cell of each field, candidates and rejected, in UTF-8.

    Names that a spreadsheet would run as a formula get an apostrophe in front, which makes them text. Fields without a
    cell have no row; `fields.jsonl` lists every field.

    Args:
        path: the file to write.
        fields: the results, in the order of the rows.

    Raises:
        OutputError: the file cannot be written.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for field in fields:
        for row in field.rows():
            writer.writerow([_written(name, row[name]) for name in COLUMNS])
    # A file name whose bytes are no valid text must not cost the whole table.
    write_atomically(path, table.getvalue().encode("utf-8", "backslashreplace"))


def _written(name: str, value: Any) -> str | int | float | None:  # noqa: ANN401 - whatever a row holds
    """A value as it stands in the table."""
    if isinstance(value, float):
        return round(value, 2 if "centroid" in name else 6)
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    # Also behind what a spreadsheet of another country splits at: in "a;=1+1.jpg" the second part is a formula there.
    return _FORMULA_START.sub(r"\1'", value)
