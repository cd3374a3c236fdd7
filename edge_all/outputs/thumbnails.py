"""Small pictures of single cells, for the galleries of the report."""

from __future__ import annotations

from pathlib import Path

from edge_all.outputs.pictures import write_jpeg
from edge_all.preprocessing import PreprocessingSpec, crop_cell
from edge_all.results import FieldResult, RgbImage

__all__ = ["THUMBNAIL_SIDE", "save_thumbnails", "thumbnail_path"]

THUMBNAIL_SIDE = 144
"""Pixels. Shown 112 wide, chromatin is still sharp; about 6 kB each."""
JPEG_QUALITY = 85


def save_thumbnails(
    folder: Path, stem: str, pixels: RgbImage, field: FieldResult, spec: PreprocessingSpec
) -> dict[int, Path]:
    """Write a picture of each candidate: the square that the network sees, neighbours left in.

    Args:
        folder: where to write ``<stem>.<cell id>.jpg``.
        stem: from `edge_all.outputs.naming.unique_stems`.
        pixels: ``uint8 [height, width, 3]`` RGB field.
        field: its result.
        spec: how the model's crops are cut; only the size and the background are replaced.

    Returns:
        From the id of each candidate to its file.

    Raises:
        OutputError: a file cannot be written.
    """
    looks = PreprocessingSpec(input_size=THUMBNAIL_SIDE, factor=spec.factor, background="keep")
    paths = {}
    for cell in field.candidates:
        paths[cell.id] = thumbnail_path(folder, stem, cell.id)
        write_jpeg(paths[cell.id], crop_cell(pixels, cell, None, looks), JPEG_QUALITY)
    return paths


def thumbnail_path(folder: Path, stem: str, cell_id: int) -> Path:
    """Where the picture of a cell lies: ``<stem>.<cell id>.jpg``."""
    return folder / f"{stem}.{cell_id:04d}.jpg"
