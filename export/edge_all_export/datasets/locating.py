"""From an image and what is known about it to cells, through the runtime's own segmentation.

The network must see in training what it will see on the station, so no data set brings its own cropping: fields and
single-cell images alike go through `edge_all.segmentation.segment`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_all.imaging import read_image
from edge_all.results import Cell, RgbImage, Segmentation
from edge_all.screening.single_cells import central_cell
from edge_all.segmentation import segment
from edge_all.segmentation.cut_out import OnGlass, put_on_glass
from edge_all_export.datasets.remembered import remembered
from edge_all_export.datasets.samples import Label, Sample

__all__ = ["SMALL_OBJECT_SHARE", "read_field", "segmented", "single_cell", "touches_border"]

SMALL_OBJECT_SHARE = 0.4
"""Objects whose nucleus is smaller than this share of the field's median blast nucleus are platelets and debris. Among
the 345 marked blasts of ALL-IDB1 none is so small, and no platelet so large."""

BORDER_MARGIN = 2
"""Pixels; a cell whose box comes this near to the image's edge is cut, and its label unsure."""


def read_field(image: Path, field_size: tuple[int, int] | None = None) -> RgbImage:
    """The pixels of an image file, as a station would have photographed them.

    Args:
        image: file to read.
        field_size: width and height to enlarge it to, bicubically; None leaves it as it is.

    Raises:
        ImageError: the file is not a usable image.
    """
    return _enlarged(put_on_glass(read_image(image)), field_size)


def segmented(image: Path, field_size: tuple[int, int] | None = None) -> tuple[Segmentation, int, int]:
    """Segmentation, height and width of an image file; it is looked for in the user's cache first.

    Args:
        image: file to read.
        field_size: as in `read_field`.

    Raises:
        ImageError: the file is not a usable image.
    """

    def compute() -> Segmentation:
        laid = put_on_glass(read_image(image))
        return segment(_enlarged(laid, field_size), specimen=laid.specimen)

    found = remembered(image, field_size, compute)
    return found, *found.shape


def _enlarged(laid: OnGlass, field_size: tuple[int, int] | None) -> RgbImage:
    if field_size is None:
        return laid.pixels
    return cv2.resize(laid.pixels, field_size, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)


def touches_border(cell: Cell, height: int, width: int) -> bool:
    """Is the cell cut by the image's edge?"""
    x, y, cell_width, cell_height = cell.bbox
    return (
        x < BORDER_MARGIN
        or y < BORDER_MARGIN
        or x + cell_width > width - BORDER_MARGIN
        or y + cell_height > height - BORDER_MARGIN
    )


def single_cell(
    image: Path, *, source: str, group: str, block: str, label: Label, kind: str, name: str | None = None
) -> Sample | None:
    """The cell in the middle of a single-cell image, as `edge-all classify` would take it; None where there is none.

    An image in which no cell is found is no sample: a station never stretches a picture until it fills the crop, so the
    network would learn, and be judged by, inputs that it never meets.

    Args:
        image: file to read.
        source: as of `Sample`.
        group: as of `Sample`.
        block: as of `Sample`.
        label: as of `Sample`.
        kind: as of `Sample`.
        name: of the image within its source; that of its file where None.
    """
    segmentation, _, _ = segmented(image)
    cell = central_cell(segmentation)
    if cell is None:
        return None
    return Sample(f"{source}/{name or image.stem}", source, group, block, label, image, cell, kind)
