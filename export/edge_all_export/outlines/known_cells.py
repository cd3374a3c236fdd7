"""White cells whose outline is known, and red cells to lay beside them, out of the reference sets.

Known is an outline by a mask (segmentation_wbc), by a box that the colours' outline agrees with (BCCD, Raabin), or
because nothing but glass surrounds the cell, where colour alone decides (ALL-IDB1, PBC, Munich).
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import InputNotFoundError
from edge_all.imaging import read_image
from edge_all.results import BoundingBox, LabelImage, Mask, RgbImage, Segmentation
from edge_all.segmentation import segment
from edge_all.segmentation.colour_clustering import (
    GROUND,
    STAINED,
    balance_table,
    ground_colour,
    lab_of,
    squared_distance,
)
from edge_all.segmentation.outline_windows import scaled_view, window_around
from edge_all.segmentation.shapes import disc, fill_holes, likeness_to_ellipse
from edge_all_export.datasets.boxes import box_overlap, white_cell_boxes

__all__ = [
    "FOLDERS",
    "JUDGED_LABORATORIES",
    "LABORATORIES",
    "PATCH",
    "PATCH_RED_CELL",
    "SOURCES",
    "KnownCell",
    "KnownCells",
    "read_known_cells",
]

PATCH_RED_CELL = 12.0
"""Radius of a red cell in the pictures that are kept: half as much again as the network sees."""
PATCH = 176
"""Side of those pictures: a window turned by 45 degrees and shown a quarter smaller needs 170."""
NUCLEUS, CYTOPLASM = 255, 128
"""Grey levels of segmentation_wbc's masks."""
AGREEING_BOX = 0.8
"""Intersection over union of the colours' box and the marked one from which the outline is taken for right."""
LIKE_AN_ELLIPSE = 0.93
"""Intersection over union of an outline and the ellipse of its moments from which it is taken for right: an outline
that takes in red cells, or a part of another cell, is no ellipse."""
RED_CELL_SIZES = (0.6, 1.6)
"""Area of a piece that passes for a red cell, over that of a disc of the field's red-cell radius."""
LEAST_FILLING = 0.68
"""Share of its box that such a piece fills at least; a disc fills 0.79."""
RED_CELLS_AN_IMAGE = 6
IMAGES_OF_SINGLE_CELLS = 150
"""Of PBC and of Munich so many images are enough: each cell is alone."""


@dataclass(frozen=True, slots=True)
class KnownCell:
    """One cell and what surrounds it, at `PATCH_RED_CELL`.

    Attributes:
        laboratory: where it was photographed.
        image: name of its image.
        picture: ``uint8 [side, side, 3]`` balanced RGB, the cell in the middle.
        cell, nucleus: ``uint8 [side, side]`` masks; a red cell has no nucleus.
    """

    laboratory: str
    image: str
    picture: RgbImage
    cell: Mask
    nucleus: Mask


@dataclass(frozen=True, slots=True)
class KnownCells:
    """White cells and red cells of some laboratories."""

    white: tuple[KnownCell, ...]
    red: tuple[KnownCell, ...]

    def without(self, laboratory: str) -> KnownCells:
        """Those of all other laboratories."""
        return KnownCells(
            tuple(cell for cell in self.white if cell.laboratory != laboratory),
            tuple(cell for cell in self.red if cell.laboratory != laboratory),
        )

    def of(self, laboratory: str) -> KnownCells:
        """Those of one laboratory."""
        return KnownCells(
            tuple(cell for cell in self.white if cell.laboratory == laboratory),
            tuple(cell for cell in self.red if cell.laboratory == laboratory),
        )


@dataclass(frozen=True, slots=True)
class _Field:
    """An image that was segmented by its colours, at the size of the pictures that are kept.

    Attributes:
        laboratory, image: where it comes from.
        view: ``uint8 [height, width, 3]`` balanced RGB.
        stained: ``uint8 [height, width]``, 1 where something lies on the glass.
        found: the cells, in pixels of the image itself.
        cells, nuclei: ``uint16 [height, width]`` their numbers.
        red_cell: radius of a red cell.
    """

    laboratory: str
    image: Path
    view: RgbImage
    stained: Mask
    found: Segmentation
    cells: LabelImage
    nuclei: LabelImage
    red_cell: float

    def masks_of(self, number: int) -> tuple[Mask, Mask]:
        """Whole cell and nucleus."""
        cell, nucleus = (np.where(labels == number, np.uint8(1), np.uint8(0)) for labels in (self.cells, self.nuclei))
        return cell, nucleus

    def cut(self, cell: Mask, nucleus: Mask, side: int) -> KnownCell:
        """A cell and what surrounds it."""
        x, y, width, height = cv2.boundingRect(cell)
        centre = x + width // 2, y + height // 2
        masks = np.stack([cell, nucleus], axis=2)
        # What lies beyond the image is glass, which is no mask.
        around = window_around(masks, *centre, side) == 1
        whole, inner = (np.where(around[..., index], np.uint8(1), np.uint8(0)) for index in (0, 1))
        return KnownCell(self.laboratory, self.image.name, window_around(self.view, *centre, side), whole, inner)


def touches_edge(mask: Mask) -> bool:
    """Whether a mask reaches the edge of its picture."""
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def read_known_cells(
    data: Path, *, red_cell: float = PATCH_RED_CELL, side: int = PATCH, laboratory: str | None = None
) -> KnownCells:
    """Find the cells with a known outline of all reference sets under a folder.

    Args:
        data: folder with any of the reference sets.
        red_cell: radius that a red cell is to have in the pictures.
        side: of the pictures in pixels.
        laboratory: only this one of `LABORATORIES`.

    Raises:
        InputNotFoundError: none of the sets is there.
    """
    white: list[KnownCell] = []
    red: list[KnownCell] = []
    wanted = [name for name in LABORATORIES if laboratory in (None, name) and (data / FOLDERS[name]).is_dir()]
    if not wanted:
        raise InputNotFoundError(
            f"{data} holds none of {', '.join(sorted(set(FOLDERS.values())))}.",
            "Point --data at the folder above the data sets.",
        )
    for name in wanted:
        for field, masks in LABORATORIES[name](data / FOLDERS[name], name, red_cell):
            cut = (field.cut(cell, nucleus, side) for cell, nucleus in masks)
            white.extend(one for one in cut if not touches_edge(one.cell))
            red.extend(field.cut(cell, np.zeros_like(cell), side) for cell in _red_cells(field))
    return KnownCells(tuple(white), tuple(red))


_Known = Iterator[tuple[_Field, list[tuple[Mask, Mask]]]]


def _seen(laboratory: str, image: Path, red_cell: float) -> _Field | None:
    """Segment an image; None where nothing says how large a red cell is."""
    pixels = read_image(image)
    found = segment(pixels, outlines="colour")
    if found.red_cell_radius <= 0:
        return None
    balance = balance_table(ground_colour(pixels))
    view, _ = scaled_view(pixels, balance, found.red_cell_radius, red_cell, averaged=True)
    distance = squared_distance(lab_of(view).reshape(-1, 3), GROUND).reshape(view.shape[:2])
    stained = np.where(distance > STAINED**2, np.uint8(1), np.uint8(0))
    cells, nuclei = (_resized(labels, view) for labels in (found.cell_labels, found.nucleus_labels))
    return _Field(laboratory, image, view, stained, found, cells, nuclei, red_cell)


def _resized(labels: NDArray[np.uint16], view: RgbImage) -> NDArray[np.uint16]:
    size = (view.shape[1], view.shape[0])
    return cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST).astype(np.uint16, copy=False)


def _segmentation_wbc(folder: Path, laboratory: str, red_cell: float) -> _Known:
    number = laboratory.rpartition(" ")[2]
    for image in sorted((folder / f"dataset{number}").glob("*.bmp")):
        field = _seen(laboratory, image, red_cell)
        if field is not None:
            levels = _resized(read_image(image.with_suffix(".png"))[..., 0].astype(np.uint16), field.view)
            whole, nucleus = (
                np.where(mask, np.uint8(1), np.uint8(0)) for mask in (levels >= CYTOPLASM, levels == NUCLEUS)
            )
            yield field, [(whole, nucleus)] if nucleus.any() else []


def _allidb1(folder: Path, laboratory: str, red_cell: float) -> _Known:
    points: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with (folder / "points.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            points[row["field"]].append((int(row["x"]), int(row["y"])))
    for image in sorted((folder / "fields").glob("*.jpg")):
        field = _seen(laboratory, image, red_cell)
        if field is not None:
            held = Counter(int(field.found.cell_labels[y, x]) for x, y in points[image.name])
            yield field, _elliptical_candidates(field, {number for number, marks in held.items() if marks == 1})


def _boxed(folder: Path, laboratory: str, red_cell: float) -> _Known:
    for image, boxes in white_cell_boxes(folder):
        field = _seen(laboratory, image, red_cell)
        if field is not None:
            agreeing = [cell for cell in field.found.cells if cell.kind == "candidate" and _agrees(cell.bbox, boxes)]
            yield field, [field.masks_of(cell.id) for cell in agreeing]


def _agrees(box: BoundingBox, boxes: list[BoundingBox]) -> bool:
    return max((box_overlap(box, other) for other in boxes), default=0.0) >= AGREEING_BOX


def _single_cells(folder: Path, laboratory: str, red_cell: float) -> _Known:
    images = sorted(folder.glob("*.jpg"))
    for image in images[:: max(1, len(images) // IMAGES_OF_SINGLE_CELLS)]:
        field = _seen(laboratory, image, red_cell)
        if field is not None:
            yield field, _elliptical_candidates(field, {cell.id for cell in field.found.cells})


def _elliptical_candidates(field: _Field, numbers: set[int]) -> list[tuple[Mask, Mask]]:
    chosen = [cell for cell in field.found.cells if cell.kind == "candidate" and cell.id in numbers]
    masks = [field.masks_of(cell.id) for cell in chosen]
    return [both for both in masks if likeness_to_ellipse(both[0]) >= LIKE_AN_ELLIPSE]


LABORATORIES: dict[str, Callable[[Path, str, float], _Known]] = {
    "segmentation_wbc 1": _segmentation_wbc,
    "segmentation_wbc 2": _segmentation_wbc,
    "allidb": _allidb1,
    "bccd": _boxed,
    "raabin": _boxed,
    "pbc": _single_cells,
    "munich": _single_cells,
}
"""How the cells of each laboratory are known."""
SOURCES = {
    "segmentation_wbc 1": "Zheng et al., Micron 107 (2018), data set 1; Jiangxi Tecom",
    "segmentation_wbc 2": "Zheng et al., Micron 107 (2018), data set 2; CellaVision blog",
    "allidb": "ALL-IDB1: Labati, Piuri, Scotti, ICIP 2011; other points: Genovese et al., ICASSPW 2023",
    "bccd": "BCCD, MIT licence",
    "raabin": "Raabin-WBC: Kouzehkanan et al. 2022, by way of TXL-PBC, MIT licence",
    "pbc": "PBC: Acevedo et al. 2020, CC BY 4.0",
    "munich": "Matek et al. 2019, TCIA, CC BY 3.0",
}
"""Whom to cite for each laboratory's cells, as the card of a network does."""
JUDGED_LABORATORIES = ("segmentation_wbc 1", "segmentation_wbc 2", "allidb", "bccd", "raabin")
"""Those with a truth that a segmentation can be judged by."""
FOLDERS = {
    "segmentation_wbc 1": "segmentation_wbc",
    "segmentation_wbc 2": "segmentation_wbc",
    "allidb": "allidb1",
    "bccd": "bccd",
    "raabin": "raabin",
    "pbc": "pbc_lymphocytes",
    "munich": "munich/neutrophils",
}
"""Where they lie under the folder of reference sets."""


def _red_cells(field: _Field) -> list[Mask]:
    """Red cells that touch nothing: round pieces of what is stained, of about the size of a red cell."""
    stained = field.stained.copy()
    fill_holes(stained, 2.0 * field.red_cell**2)
    stained = cv2.morphologyEx(stained, cv2.MORPH_OPEN, disc(0.3 * field.red_cell)).astype(np.uint8, copy=False)
    count, numbered, statistics, _ = cv2.connectedComponentsWithStats(stained)
    chosen: list[Mask] = []
    for number in range(1, count):
        _, _, width, height, area = statistics[number].tolist()
        size = area / (np.pi * field.red_cell**2)
        is_round = area > LEAST_FILLING * width * height and max(width, height) < 1.6 * min(width, height)
        if not RED_CELL_SIZES[0] < size < RED_CELL_SIZES[1] or not is_round:
            continue
        mask = np.where(numbered == number, np.uint8(1), np.uint8(0))
        if not touches_edge(mask) and not field.cells[mask > 0].any():
            chosen.append(mask)
        if len(chosen) == RED_CELLS_AN_IMAGE:
            break
    return chosen
