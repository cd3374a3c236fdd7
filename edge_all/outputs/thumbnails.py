"""Small pictures of single cells, for the galleries of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_all.outputs.pictures import resize_for_the_eye, write_jpeg
from edge_all.preprocessing import PreprocessingSpec, crop_square, crop_window
from edge_all.results import Cell, FieldResult, RgbImage

__all__ = ["JPEG_QUALITY", "THUMBNAIL_SIDE", "cell_picture", "save_thumbnails", "thumbnail_path"]

THUMBNAIL_SIDE = 160
"""Pixels, as many as the embedded network is given: its crops are shown as they are, which is sharp and takes no time.
Shown 112 wide; about 4 kB each."""
JPEG_QUALITY = 85
OUTSIDE = 225
"""Grey of what lies outside the field, which the network is given as repeated border pixels."""


def save_thumbnails(
    folder: Path, stem: str, pixels: RgbImage, field: FieldResult, crops: RgbImage, spec: PreprocessingSpec
) -> dict[int, Path]:
    """Write a picture of each candidate: the square that the network sees, neighbours left in.

    Args:
        folder: where to write ``<stem>.<cell id>.jpg``.
        stem: from `edge_all.outputs.naming.unique_stems`.
        pixels: ``uint8 [height, width, 3]`` RGB field.
        field: its result.
        crops: ``uint8 [candidates, size, size, 3]`` RGB, what the network saw of ``field.candidates``.
        spec: how they were cut.

    Returns:
        From the id of each candidate to its file.

    Raises:
        OutputError: a file cannot be written.
    """
    paths = {}
    for cell, crop in zip(field.candidates, crops, strict=True):
        paths[cell.id] = thumbnail_path(folder, stem, cell.id)
        write_jpeg(paths[cell.id], cell_picture(pixels, cell, crop, spec), JPEG_QUALITY)
    return paths


def cell_picture(pixels: RgbImage, cell: Cell, crop: RgbImage, spec: PreprocessingSpec) -> RgbImage:
    """The square that the network sees of a cell, for people: neighbours left in, plain grey where the field ends.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB field.
        cell: the cell.
        crop: ``uint8 [size, size, 3]`` RGB, what the network saw of it; used where it shows the neighbours and is large
            enough, because cutting the picture out of the field again takes longer than encoding it.
        spec: how the crop was cut.

    Returns:
        ``uint8 [THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3]`` RGB.
    """
    shows_all = spec.background == "keep" and len(crop) >= THUMBNAIL_SIDE
    square = crop if shows_all else crop_window(pixels, cell.nucleus_bbox, spec.factor)
    picture = resize_for_the_eye(square, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    left, top, side = crop_square(cell.nucleus_bbox, spec.factor)
    # Where the middle of each column and row of the picture lies in the field.
    places = (np.arange(THUMBNAIL_SIDE) + 0.5) * side / THUMBNAIL_SIDE
    height, width = pixels.shape[:2]
    picture[:, (left + places < 0) | (left + places > width)] = OUTSIDE
    picture[(top + places < 0) | (top + places > height)] = OUTSIDE
    return picture


def thumbnail_path(folder: Path, stem: str, cell_id: int) -> Path:
    """Where the picture of a cell lies: ``<stem>.<cell id>.jpg``."""
    return folder / f"{stem}.{cell_id:04d}.jpg"
