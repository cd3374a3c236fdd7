"""Labelled cells from a run: its ``cells.csv``, in which somebody corrected the labels."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

from edge_all.errors import ImageError, InputError, InputNotFoundError, UsageError
from edge_all.imaging import read_image
from edge_all.preprocessing import PreprocessingSpec, crop_cell
from edge_all.results import Cell
from edge_all.segmentation import segment
from edge_all.segmentation.cut_out import put_on_glass
from edge_all_calibration.labelled_cells.cells import LabelledCells

__all__ = ["read_corrected_cells"]

NEEDED = ("slide", "image", "label", "nucleus_centroid_x", "nucleus_centroid_y")
LABELS = {"ALL": True, "non-ALL": False}
UNLABELLED = ("indeterminate", "")
"""What stands in the column of a cell that nobody decided about, and of an object that is no cell."""


def read_corrected_cells(table: Path, spec: PreprocessingSpec, skipped: Callable[[Path, str], None]) -> LabelledCells:
    """Cut the cells of a table again that are labelled ``ALL`` or ``non-ALL``; ``indeterminate`` ones are left out.

    Args:
        table: ``cells.csv`` of `edge-all screen`, also as a spreadsheet of another country saves it; its
            images are looked for as written, then beside the table.
        spec: how to cut.
        skipped: told of each image that could not be used, and why.

    Raises:
        InputNotFoundError: no such table, or none of its images.
        InputError: it is no such table, or calls a cell something else.
        UsageError: one cell has two labels.
    """
    by_image: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(table):
        if row["label"] in LABELS:
            by_image[row["image"]].append(row)
    crops, labels, slides = [], [], []
    for name, rows in by_image.items():
        image = Path(name) if Path(name).is_file() else table.parent / name
        try:
            laid = put_on_glass(read_image(image))
        except (ImageError, InputNotFoundError) as error:
            skipped(image, str(error))
            continue
        found = segment(laid.pixels, specimen=laid.specimen)
        labelled: dict[int, bool] = {}
        for row in rows:
            cell = _nearest(found.cells, float(row["nucleus_centroid_x"]), float(row["nucleus_centroid_y"]))
            if cell is None:
                continue
            if labelled.setdefault(cell.id, LABELS[row["label"]]) != LABELS[row["label"]]:
                raise UsageError(
                    f"{table} calls one cell of {name} at {row['nucleus_centroid_x']}, {row['nucleus_centroid_y']} "
                    "both ALL and non-ALL.",
                    "Decide on one of them.",
                )
        for number, label in labelled.items():
            crops.append(crop_cell(laid.pixels, found.cells[number - 1], found.cell_labels, spec))
            labels.append(label)
            slides.append(rows[0]["slide"])
    if not crops:
        raise InputNotFoundError(
            f"No cell labelled ALL or non-ALL in {table} could be cut from its image.",
            "Correct the column label, and keep the images where they were when they were screened.",
        )
    names = np.array(slides, np.str_)
    return LabelledCells(np.stack(crops), np.array(labels), names, names)


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        # A spreadsheet may have put a byte-order mark in front.
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter=_delimiter(stream))
            rows = list(reader)
        missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{table} has no column {', '.join(missing)}.", "Give cells.csv of `edge-all screen`.")
        for number, row in enumerate(rows, start=2):
            row["label"] = (row["label"] or "").strip()
            if row["label"] not in (*LABELS, *UNLABELLED):
                raise InputError(
                    f"Line {number} of {table} calls a cell {row['label']!r}.",
                    "Write ALL or non-ALL, or indeterminate to leave it out.",
                )
            # An apostrophe keeps a spreadsheet from running a name as a formula.
            row["image"] = (row["image"] or "").removeprefix("'")
            for name in ("nucleus_centroid_x", "nucleus_centroid_y"):
                # A German Excel writes 1234,5.
                row[name] = (row[name] or "").replace(",", ".")
                if row["label"] in LABELS:
                    float(row[name])
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no table {table}.", "Check the path.") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{table} is no table of cells ({error}).", "Give cells.csv of `edge-all screen`.") from error
    return rows


def _delimiter(stream: TextIO) -> str:
    """Where a comma is the decimal point, a spreadsheet saves a CSV file with semicolons."""
    heading = stream.readline()
    stream.seek(0)
    return ";" if heading.count(";") > heading.count(",") else ","


def _nearest(cells: tuple[Cell, ...], x: float, y: float) -> Cell | None:
    """The cell whose nucleus is at a place; None where there is none any more."""
    nearest = min(cells, key=lambda cell: math.dist(cell.nucleus_centroid, (x, y)), default=None)
    if nearest is None or math.dist(nearest.nucleus_centroid, (x, y)) > max(nearest.nucleus_bbox[2:]) / 2:
        return None
    return nearest
