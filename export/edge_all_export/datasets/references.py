"""Sets that show no leukaemia: what other laboratories' normal cells look like.

segmentation_wbc: Zheng et al., Micron 107 (2018). BCCD: https://github.com/Shenggan/BCCD_Dataset, MIT. PBC lymphocytes:
Acevedo et al., Data in Brief 30 (2020), CC BY 4.0. Munich: Matek et al., Nature Machine Intelligence 1 (2019), The
Cancer Imaging Archive, CC BY 3.0. Raabin: Kouzehkanan et al., Scientific Reports 12 (2022), with the boxes of TXL-PBC,
MIT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from edge_all.errors import CorruptImageError
from edge_all.results import BoundingBox, Cell
from edge_all_export.datasets.locating import segmented, single_cell, touches_border
from edge_all_export.datasets.samples import NON_ALL, CellSet, Sample, collect, contiguous_block, list_images
from edge_all_export.datasets.tables import read_table

__all__ = [
    "read_bccd",
    "read_munich",
    "read_pbc_lymphocytes",
    "read_raabin",
    "read_segmentation_wbc",
    "voc_boxes",
    "yolo_boxes",
]

REFERENCE_BLOCK = 10
"""Consecutive images of these sets that stay together; nothing is known about their patients."""

PLATELETS_PER_FIELD = 2
"""Small objects taken from a BCCD field: enough to learn them, few enough not to outweigh the white cells."""


def read_segmentation_wbc(folder: Path) -> CellSet:
    """Both data sets of single white cells, all non-ALL.

    Args:
        folder: with ``dataset1`` and ``dataset2``, each ``NNN.bmp`` and ``labels.csv`` (``image,class``).

    Raises:
        InputNotFoundError: the folder is not laid out like this.
    """
    whole = CellSet(())
    for name in ("dataset1", "dataset2"):
        whole += _wbc_folder(folder / name, source=f"segmentation_wbc/{name}")
    return whole


def read_bccd(folder: Path) -> CellSet:
    """White cells of the fields, found in their boxes, and a few platelets; all non-ALL.

    Args:
        folder: with ``images`` and ``annotations`` (Pascal VOC).

    Raises:
        InputNotFoundError: the folder is not laid out like this.
    """

    def read(image: Path) -> Iterator[Sample]:
        boxes = voc_boxes(folder / "annotations" / f"{image.stem}.xml")
        segmentation, height, width = segmented(image)
        small = 0
        for cell in segmentation.cells:
            kind = next((kind for kind, box in boxes if _inside(cell, box)), None)
            if kind == "Platelets":
                small += 1
                if small > PLATELETS_PER_FIELD:
                    continue
            elif kind != "WBC" or touches_border(cell, height, width):
                continue
            yield Sample(
                id=f"bccd/{image.stem}/{cell.id}",
                source="bccd",
                group=f"bccd/{image.stem}",
                block=contiguous_block("bccd", _number(image), REFERENCE_BLOCK),
                label=NON_ALL,
                image=image,
                cell=cell,
                kind="white cell" if kind == "WBC" else "small object",
            )

    return collect(list_images(folder / "images"), read)


def read_pbc_lymphocytes(folder: Path) -> CellSet:
    """Normal lymphocytes of another hospital: a test of domain shift, never a training set of its own.

    Raises:
        InputNotFoundError: there is no such folder, or no image in it.
    """

    def read(image: Path) -> Iterator[Sample]:
        name = f"pbc_lymphocytes/{image.stem}"
        sample = single_cell(image, source="pbc_lymphocytes", group=name, block=name, label=NON_ALL, kind="lymphocyte")
        if sample is not None:
            yield sample

    return collect(list_images(folder), read)


def read_munich(folder: Path) -> CellSet:
    """The neutrophils; all non-ALL. The myeloblasts beside them are of another leukaemia, neither class, and not read.

    Args:
        folder: with ``neutrophils``.

    Raises:
        InputNotFoundError: there is no such folder, or no image in it.
    """

    def read(image: Path) -> Iterator[Sample]:
        sample = single_cell(
            image,
            source="munich",
            group=f"munich/{image.stem}",
            block=contiguous_block("munich", _number(image), REFERENCE_BLOCK),
            label=NON_ALL,
            kind="neutrophil",
        )
        if sample is not None:
            yield sample

    return collect(list_images(folder / "neutrophils"), read)


def read_raabin(folder: Path) -> CellSet:
    """White cells of healthy donors' fields, found in their boxes; all non-ALL.

    Args:
        folder: with ``images`` and ``boxes`` (YOLO: ``class cx cy w h`` as shares of the image; class 0 is a white
        cell).

    Raises:
        InputNotFoundError: the folder is not laid out like this.
    """

    def read(image: Path) -> Iterator[Sample]:
        segmentation, height, width = segmented(image)
        boxes = yolo_boxes(folder / "boxes" / f"{image.stem}.txt", height, width)
        for cell in segmentation.cells:
            # A few boxes of white cells at the border hold red ones.
            if touches_border(cell, height, width) or not any(_inside(cell, box) for box in boxes):
                continue
            yield Sample(
                id=f"raabin/{image.stem}/{cell.id}",
                source="raabin",
                group=f"raabin/{image.stem}",
                block=f"raabin/{image.stem}",
                label=NON_ALL,
                image=image,
                cell=cell,
                kind="white cell",
            )

    return collect(list_images(folder / "images"), read)


def yolo_boxes(annotation: Path, height: int, width: int, kind: int = 0) -> list[BoundingBox]:
    """The boxes of one class of a YOLO annotation.

    Args:
        annotation: lines of ``class cx cy w h`` as shares of the image.
        height: of the image.
        width: of the image.
        kind: the class; that of white cells is 0.

    Raises:
        CorruptImageError: it cannot be read.
    """
    found = []
    try:
        for line in annotation.read_text(encoding="utf-8").splitlines():
            name, *shares = line.split()
            x, y, w, h = (float(share) for share in shares)
            if name == str(kind):
                found.append((int((x - w / 2) * width), int((y - h / 2) * height), int(w * width), int(h * height)))
    except (OSError, ValueError) as error:
        raise CorruptImageError(f"The annotation {annotation} cannot be read ({error}).", "Fetch it again.") from error
    return found


def _wbc_folder(folder: Path, *, source: str) -> CellSet:
    kinds = {row["image"]: row["class"] for row in read_table(folder / "labels.csv", ("image", "class"))}
    images = [image for image in list_images(folder) if image.name in kinds]

    def read(image: Path) -> Iterator[Sample]:
        sample = single_cell(
            image,
            source=source,
            group=f"{source}/{image.stem}",
            block=contiguous_block(source, _number(image), REFERENCE_BLOCK),
            label=NON_ALL,
            kind=kinds[image.name],
        )
        if sample is not None:
            yield sample

    return collect(images, read)


def _number(image: Path) -> int:
    return int(re.sub(r"\D", "", image.stem) or 0)


def voc_boxes(annotation: Path) -> list[tuple[str, BoundingBox]]:
    """The boxes of a Pascal-VOC annotation with the names of their classes.

    Raises:
        CorruptImageError: it cannot be read.
    """
    try:
        root = ET.fromstring(annotation.read_bytes())  # noqa: S314 - a local file the user chose to train on
        found = []
        for item in root.iter("object"):
            x0, y0, x1, y1 = (
                int(float(item.findtext(f"bndbox/{edge}", ""))) for edge in ("xmin", "ymin", "xmax", "ymax")
            )
            found.append((item.findtext("name", ""), (x0, y0, x1 - x0, y1 - y0)))
    except (OSError, ET.ParseError, ValueError) as error:
        raise CorruptImageError(f"The annotation {annotation} cannot be read ({error}).", "Fetch it again.") from error
    return found


def _inside(cell: Cell, box: BoundingBox) -> bool:
    (x, y), (left, top, width, height) = cell.nucleus_centroid, box
    return left <= x <= left + width and top <= y <= top + height
