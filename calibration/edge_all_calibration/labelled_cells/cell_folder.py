"""A laboratory's own labelled cells: a folder of single-cell images to a cell set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_all.errors import ImageError, InputNotFoundError
from edge_all.imaging import IMAGE_SUFFIXES, read_image
from edge_all.preprocessing import PreprocessingSpec, crop_cell
from edge_all.screening.single_cells import central_cell
from edge_all.segmentation import segment
from edge_all.segmentation.cut_out import put_on_glass
from edge_all_calibration.labelled_cells.cells import LabelledCells, load_cells
from edge_all_calibration.labelled_cells.folder_classes import find_class_folders

__all__ = ["read_cells"]


def read_cells(source: Path, spec: PreprocessingSpec, skipped: Callable[[Path, str], None]) -> LabelledCells:
    """Read labelled cells from a cell set, or from a folder of images.

    A folder holds ``ALL/PATIENT/*.png`` and ``non-ALL/PATIENT/*.png`` (any image format; other names of the classes as
    `find_class_folders` knows them). The folder of the patient is
    the group and the slide; an image right under its class is a group of its own.

    Args:
        source: a file or a folder.
        spec: how to cut.
        skipped: told of each image that could not be used, and why.

    Raises:
        InputNotFoundError: neither is there, or no image could be used.
        UsageError: the folder has no folder for each class.
    """
    if source.is_file():
        return load_cells(source)
    if not source.is_dir():
        raise InputNotFoundError(
            f"{source} is no cell set, and no folder with ALL and non-ALL.",
            "Sort the images as ALL/PATIENT/... and non-ALL/PATIENT/...",
        )
    crops, labels, groups = [], [], []
    # ALL first, whatever the folders are called: what is fitted follows the order.
    for folder, label in sorted(find_class_folders(source).items(), key=lambda one: not one[1]):
        for image in sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES):
            try:
                laid = put_on_glass(read_image(image))
            except ImageError as error:
                skipped(image, str(error))
                continue
            found = segment(laid.pixels, specimen=laid.specimen)
            cell = central_cell(found)
            if cell is None:
                skipped(image, "no cell was found in it")
                continue
            crops.append(crop_cell(laid.pixels, cell, found.cell_labels, spec))
            labels.append(label)
            inside = image.relative_to(folder)
            # One patient may have cells of both classes, so the class is no part of a patient's name. Of an image by
            # itself it is: ALL/1.png and non-ALL/1.png are two.
            groups.append(inside.parts[0] if len(inside.parts) > 1 else f"{folder.name}/{inside.name}")
    if not crops:
        raise InputNotFoundError(f"No image under {source} could be used.", "Give images with one stained cell each.")
    return LabelledCells(np.stack(crops), np.array(labels), np.array(groups, np.str_), np.array(groups, np.str_))
