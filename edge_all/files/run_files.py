"""What the files and folders of a run are called, and by which of them its folder is known."""

from __future__ import annotations

__all__ = [
    "CELLS_FILE",
    "CROPS_FOLDER",
    "FIELDS_FILE",
    "GEOJSON_FOLDER",
    "LABEL_IMAGES",
    "OVERLAYS_FOLDER",
    "REPORT_FILE",
    "SLIDES_FILE",
]

FIELDS_FILE = "fields.jsonl"
"""Every run, of ``screen`` and of ``segment``, writes it first."""
CELLS_FILE = "cells.csv"
SLIDES_FILE = "slides.json"
REPORT_FILE = "report.html"
OVERLAYS_FOLDER = "overlays"
CROPS_FOLDER = "crops"
GEOJSON_FOLDER = "geojson"
LABEL_IMAGES = (".cells.png", ".nuclei.png")
"""What the names of the label images of ``segment`` end in; they lie beside `FIELDS_FILE`."""
