"""Small pictures of single cells, for the galleries of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_all.imaging.display import CELL_SIDE
from edge_all.outputs.pictures import resize_for_the_eye, write_jpeg
from edge_all.preprocessing import crop_square
from edge_all.results import Cell, FieldResult, RgbImage

__all__ = ["JPEG_QUALITY", "cell_picture", "save_thumbnails", "thumbnail_path"]

JPEG_QUALITY = 85
OUTSIDE = 225
"""Grey of what lies outside the field, which the network is given as repeated border pixels."""


def save_thumbnails(folder: Path, stem: str, field: FieldResult, squares: RgbImage, factor: float) -> dict[int, Path]:
    """Write a picture of each candidate: the square that the network sees, neighbours left in.

    Args:
        folder: where to write ``<stem>.<cell id>.jpg``.
        stem: from `edge_all.outputs.naming.unique_stems`.
        field: a judged field.
        squares: ``uint8 [candidates, side, side, 3]`` RGB, as in `edge_all.screening.pipeline.ScreenedField`.
        factor: by which the model's crops are cut.

    Returns:
        From the id of each candidate to its file.

    Raises:
        OutputError: a file cannot be written.
    """
    paths = {}
    for cell, square in zip(field.candidates, squares, strict=True):
        paths[cell.id] = thumbnail_path(folder, stem, cell.id)
        write_jpeg(paths[cell.id], cell_picture(square, cell, field, factor), JPEG_QUALITY)
    return paths


def cell_picture(square: RgbImage, cell: Cell, field: FieldResult, factor: float) -> RgbImage:
    """The square that the network sees of a cell, for people: plain grey where the field ends.

    Args:
        square: ``uint8 [side, side, 3]`` RGB, neighbours left in and border pixels repeated.
        cell: the cell.
        field: in which it lies.
        factor: by which the model's crops are cut.

    Returns:
        ``uint8 [CELL_SIDE, CELL_SIDE, 3]`` RGB.
    """
    picture = resize_for_the_eye(square, CELL_SIDE, CELL_SIDE)
    left, top, side = crop_square(cell.nucleus_bbox, factor)
    # Where the middle of each column and row of the picture lies in the field.
    places = (np.arange(CELL_SIDE) + 0.5) * side / CELL_SIDE
    picture[:, (left + places < 0) | (left + places > field.width)] = OUTSIDE
    picture[(top + places < 0) | (top + places > field.height)] = OUTSIDE
    return picture


def thumbnail_path(folder: Path, stem: str, cell_id: int) -> Path:
    """Where the picture of a cell lies: ``<stem>.<cell id>.jpg``."""
    return folder / f"{stem}.{cell_id:04d}.jpg"
