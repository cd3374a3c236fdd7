"""Boxes of white cells, as BCCD (Pascal-VOC) and Raabin (YOLO) have them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_all.imaging import read_image
from edge_all.results import BoundingBox
from edge_all_export.datasets.references import voc_boxes, yolo_boxes
from edge_all_export.datasets.samples import list_images

__all__ = ["MarkedImage", "box_overlap", "marked_images", "white_cell_boxes"]


RED_CELL_CLASS = 1
"""Of YOLO boxes; 0 is a white cell."""


@dataclass(frozen=True, slots=True)
class MarkedImage:
    """An image of a set with boxes.

    Attributes:
        path: of the image.
        white, red: boxes of its white cells, and of its red cells, of which not all are marked.
    """

    path: Path
    white: list[BoundingBox]
    red: list[BoundingBox]


def marked_images(folder: Path) -> Iterator[MarkedImage]:
    """Each annotated image of a set, and its boxes.

    Args:
        folder: with ``images``, and ``annotations`` (Pascal-VOC) or ``boxes`` (YOLO).

    Raises:
        InputNotFoundError: the folder is not laid out like this.
        CorruptImageError: an annotation cannot be read.
    """
    for image in list_images(folder / "images"):
        voc = folder / "annotations" / f"{image.stem}.xml"
        yolo = folder / "boxes" / f"{image.stem}.txt"
        if voc.is_file():
            boxes = voc_boxes(voc)
            white, red = ([box for name, box in boxes if name == wanted] for wanted in ("WBC", "RBC"))
            yield MarkedImage(image, white, red)
        elif yolo.is_file():
            height, width = read_image(image).shape[:2]
            white, red = (yolo_boxes(yolo, height, width, kind) for kind in (0, RED_CELL_CLASS))
            yield MarkedImage(image, white, red)


def white_cell_boxes(folder: Path) -> Iterator[tuple[Path, list[BoundingBox]]]:
    """Each annotated image of a set, and the boxes of its white cells; as for `marked_images`."""
    for image in marked_images(folder):
        yield image.path, image.white


def box_overlap(one: BoundingBox, other: BoundingBox) -> float:
    """Intersection over union of two boxes."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(0, width) * max(0, height)
    return common / (one[2] * one[3] + other[2] * other[3] - common)
