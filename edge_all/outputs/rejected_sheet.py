"""Pictures of what was rejected in a field, on one sheet a field: they are many, and a file each would be slow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from edge_all.outputs.pictures import write_jpeg
from edge_all.outputs.thumbnails import OUTSIDE
from edge_all.results import Cell, CellSummary, FieldResult, RgbImage

__all__ = ["MOST_REJECTED", "PIECE_SIDE", "largest_rejected", "pieces_of_sheet", "save_rejected_sheet"]

MOST_REJECTED = 48
"""Of a field on its sheet, and of a slide in the report: platelets and debris are many, and the largest come first."""
PIECE_SIDE = 112
"""The side of a picture in pixels, that of a tile of the report."""
COLUMNS = 8
MARGIN = 1.6
"""The square around an object is so many times as wide as its box, and shows no less than `SMALLEST` of the picture."""
SMALLEST = 28
QUALITY = 85

_AnyCell = TypeVar("_AnyCell", Cell, CellSummary)


def largest_rejected(cells: Sequence[_AnyCell]) -> list[_AnyCell]:
    """The rejected objects that are looked at, largest nucleus first: it may be a white cell after all.

    Args:
        cells: of one field.
    """
    rejected = [cell for cell in cells if cell.kind == "rejected"]
    return sorted(rejected, key=lambda cell: (-cell.nucleus_area, cell.id))[:MOST_REJECTED]


def save_rejected_sheet(path: Path, pixels: RgbImage, result: FieldResult) -> None:
    """Write the sheet of a field; nothing, where nothing was rejected.

    Args:
        path: the JPEG to write.
        pixels: ``uint8 [h, w, 3]`` RGB field with nothing drawn in, at its own size or shrunk.
        result: its cells.

    Raises:
        OutputError: the file cannot be written.
    """
    objects = largest_rejected(result.cells)
    if not objects:
        return
    scale = pixels.shape[1] / result.width
    rows = -(-len(objects) // COLUMNS)
    sheet = np.full((rows * PIECE_SIDE, COLUMNS * PIECE_SIDE, 3), OUTSIDE, np.uint8)
    for place, cell in enumerate(objects):
        _piece(sheet, place)[:] = _cut(pixels, cell, scale)
    write_jpeg(path, sheet, QUALITY)


def pieces_of_sheet(sheet: RgbImage, cells: Sequence[CellSummary]) -> dict[int, RgbImage]:
    """The pictures on a sheet, ``uint8 [PIECE_SIDE, PIECE_SIDE, 3]`` RGB, by the id of the object.

    Args:
        sheet: ``uint8 [h, w, 3]`` RGB, as `save_rejected_sheet` wrote it.
        cells: all of the field; fewer pictures come back where the sheet holds fewer.
    """
    held = sheet.shape[0] // PIECE_SIDE * COLUMNS if sheet.shape[1] == COLUMNS * PIECE_SIDE else 0
    return {cell.id: _piece(sheet, place) for place, cell in enumerate(largest_rejected(cells)[:held])}


def _piece(sheet: RgbImage, place: int) -> RgbImage:
    top, left = place // COLUMNS * PIECE_SIDE, place % COLUMNS * PIECE_SIDE
    return sheet[top : top + PIECE_SIDE, left : left + PIECE_SIDE]


def _cut(pixels: RgbImage, cell: Cell, scale: float) -> RgbImage:
    x, y, width, height = (value * scale for value in cell.bbox)
    side = max(width * MARGIN, height * MARGIN, SMALLEST)
    step = side / PIECE_SIDE
    place = np.array([[step, 0, x + (width - side) / 2], [0, step, y + (height - side) / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(pixels, place, (PIECE_SIDE, PIECE_SIDE), flags=flags, borderValue=(OUTSIDE,) * 3)
    return np.asarray(cut, np.uint8)
