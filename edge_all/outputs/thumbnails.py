"""Small pictures of single cells, for the galleries of the report."""

from __future__ import annotations

import numpy as np

from edge_all.files.run_folder import RunFolder
from edge_all.imaging.display import CELL_SIDE, resize_for_the_eye
from edge_all.outputs.pictures import write_jpeg
from edge_all.preprocessing import crop_square
from edge_all.results import Cell, FieldResult, RgbImage

__all__ = ["JPEG_QUALITY", "OUTSIDE", "cell_picture", "save_thumbnails"]

JPEG_QUALITY = 85
OUTSIDE = 225
"""Grey of what lies outside the field, which the network is given as repeated border pixels."""


def save_thumbnails(folder: RunFolder, field: FieldResult, squares: RgbImage, factor: float) -> None:
    """Write a picture of each candidate: the square that the network sees, neighbours left in.

    Args:
        folder: of the run.
        field: a judged field.
        squares: ``uint8 [candidates, side, side, 3]`` RGB, as in `edge_all.screening.field_screening.ScreenedField`.
        factor: by which the model's crops are cut.

    Raises:
        OutputError: a file cannot be written.
    """
    for cell, square in zip(field.candidates, squares, strict=True):
        write_jpeg(folder.crop(field.image, cell.id), cell_picture(square, cell, field, factor), JPEG_QUALITY)


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
