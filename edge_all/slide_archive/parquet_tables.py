"""Cells, fields and slides of an archive as Parquet, in parts of bounded size.

``tables/cells``, ``tables/fields`` and ``tables/slides`` are folders that pandas, DuckDB, Spark and
``pyarrow.dataset`` read as one table each. Outlines are not in them; they stand in the results of each slide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_all.outputs.cell_table import COLUMNS, CROP, field_rows
from edge_all.outputs.parquet import parquet_content
from edge_all.results import FieldResult
from edge_all.slide_archive.addresses import ResultsFolder
from edge_all.slide_archive.slide_results import JudgedSlide, result_name

__all__ = ["TableParts"]

TABLES = "tables"
ROWS_A_PART = 200_000
"""Rows of cells after which a part is written: about 20 MB on disk, and 0.3 GB while it is collected."""

_MODEL = ("model", "model_version", "model_variant", "card_sha256", "provider")


class TableParts:
    """Collects slides and writes them in parts; those of an earlier run under the same numbers are replaced.

    Args:
        folder: the output.
    """

    def __init__(self, folder: ResultsFolder) -> None:
        self._folder = folder
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _COLUMNS}
        self._part = 0
        self._written: set[str] = set()

    def add(self, judged: JudgedSlide) -> None:
        """Add a slide.

        Raises:
            OutputError: a part cannot be written.
        """
        self._rows["slides"].append(_slide_row(judged))
        for field in judged.fields:
            self._rows["fields"].append(_field_row(field))
            self._rows["cells"] += field_rows(field)
        if len(self._rows["cells"]) + len(self._rows["fields"]) >= ROWS_A_PART:
            self._write()

    def finish(self) -> None:
        """Write what is left, and remove parts of an earlier run that have no number now.

        Raises:
            OutputError: a part cannot be written.
        """
        if self._rows["slides"] or not self._part:
            self._write()
        for name in self._folder.names(TABLES):
            if name not in self._written:
                self._folder.remove(name)

    def _write(self) -> None:
        for table, rows in self._rows.items():
            name = f"{TABLES}/{table}/{self._part:05d}.parquet"
            self._folder.write(name, parquet_content(_COLUMNS[table], rows))
            self._written.add(name)
            rows.clear()
        self._part += 1


def _slide_row(judged: JudgedSlide) -> dict[str, Any]:
    result = judged.result
    low, high = result.all_fraction_interval or (None, None)
    return {
        "slide": result.slide,
        "verdict": result.verdict,
        "reason": result.reason,
        "warnings": list(result.warnings),
        **{f"fields_{status}": number for status, number in result.fields.items()},
        **{f"cells_{label}": number for label, number in result.cells.items()},
        "all_fraction": result.all_fraction,
        "all_fraction_low": low,
        "all_fraction_high": high,
        "images_unread": judged.unread,
        "results": result_name(judged.slide, judged.conditions),
    }


def _field_row(field: FieldResult) -> dict[str, Any]:
    labels = [cell.label for cell in field.candidates]
    quality = field.quality
    return {
        "slide": field.slide,
        "image": field.image,
        "status": field.status,
        "error": field.error,
        "width": field.width,
        "height": field.height,
        **{f"cells_{label}": labels.count(label) for label in ("ALL", "non-ALL", "indeterminate")},
        "cells_rejected": len(field.cells) - len(labels),
        "warnings": [] if quality is None else list(quality.warnings),
        "quality": [] if quality is None else list(quality.metrics.items()),
        "milliseconds": list(field.timings_ms.items()),
        "microns_per_pixel": field.microns_per_pixel,
        "microns_per_pixel_from": field.microns_per_pixel_from,
        "fingerprint": field.fingerprint,
        "red_cell_radius": field.red_cell_radius,
        "red_cell_error": field.red_cell_error,
        **field.judged_by(),
    }


_COUNTS = ("cells_ALL", "cells_non-ALL", "cells_indeterminate", "cells_rejected")
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "cells": {name: kind for name, kind in COLUMNS.items() if name != CROP},
    "fields": {
        **dict.fromkeys(("slide", "image", "status", "error"), str),
        **dict.fromkeys(("width", "height", *_COUNTS), int),
        "warnings": list[str],
        "quality": dict[str, float],
        "milliseconds": dict[str, float],
        "microns_per_pixel": float,
        "microns_per_pixel_from": str,
        "fingerprint": str,
        **dict.fromkeys(("red_cell_radius", "red_cell_error"), float),
        **dict.fromkeys(_MODEL, str),
    },
    "slides": {
        **dict.fromkeys(("slide", "verdict", "reason"), str),
        "warnings": list[str],
        **dict.fromkeys(("fields_ok", "fields_error", "fields_unusable", *_COUNTS), int),
        **dict.fromkeys(("all_fraction", "all_fraction_low", "all_fraction_high"), float),
        "images_unread": int,
        "results": str,
    },
}
"""Columns of each table and what they hold; of cells, what every table of cells has."""
