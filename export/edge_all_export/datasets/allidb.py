"""ALL-IDB1 (fields with points) and ALL-IDB2 (crops cut out of those fields).

Labati, Piuri, Scotti: ALL-IDB: the acute lymphoblastic leukemia image database for image processing, ICIP 2011. The
points of other objects: Genovese et al., ICASSPW 2023. Both sets name their groups after the field of ALL-IDB1, so that
a cell and its copy in the other set can never stand on two sides of a split.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import UnsupportedImageError
from edge_all.results import Cell, Segmentation
from edge_all_export.datasets.locating import SMALL_OBJECT_SHARE, segmented, single_cell, touches_border
from edge_all_export.datasets.samples import ALL, NON_ALL, CellSet, Sample, collect, contiguous_block, list_images
from edge_all_export.datasets.tables import read_table

__all__ = ["read_allidb1", "read_allidb2"]


_FIELD_NAME = re.compile(r"Im(?P<number>\d{3})_[01]")


@dataclass(frozen=True, slots=True)
class _Point:
    x: int
    y: int
    label: str


def read_allidb1(folder: Path) -> CellSet:
    """Cells of the fields, labelled by the marked points.

    A segmented object that holds a blast point is ALL. Non-ALL are: every object of a healthy field; in a field of a
    patient with ALL, objects that hold a point of another kind, platelets and debris by their size, and large objects
    far from any point: smudges, which no expert marked. Left out are, in fields of patients, objects cut by the border
    (the experts marked cut blasts as ``other``) and large objects beside a point, which may be pieces of a blast.

    Args:
        folder: with ``fields/ImNNN_[01].jpg`` and ``points.csv`` (``field,x,y,label``).

    Raises:
        InputNotFoundError: the folder is not laid out like this.
        InputError: its table is damaged.
    """
    points: dict[str, list[_Point]] = {}
    for row in read_table(folder / "points.csv", ("field", "x", "y", "label"), ("x", "y")):
        points.setdefault(row["field"], []).append(_Point(int(row["x"]), int(row["y"]), row["label"]))

    def read(image: Path) -> Iterator[Sample]:
        segmentation, height, width = segmented(image)
        marks = points.get(image.name, [])
        healthy = image.stem.endswith("_0")
        small = _small_area(segmentation, marks)
        for cell in segmentation.cells:
            kind = _kind(cell, segmentation, marks, small=small, healthy=healthy)
            cut = touches_border(cell, height, width)
            if kind is None or (cut and not healthy):
                continue
            yield Sample(
                id=f"allidb1/{image.stem}/{cell.id}",
                source="allidb1",
                group=_group(image.stem),
                block=_block(image.stem),
                label=ALL if kind == "blast" else NON_ALL,
                image=image,
                cell=cell,
                kind=kind,
            )

    return collect(list_images(folder / "fields"), read)


def read_allidb2(folder: Path) -> CellSet:
    """The single-cell crops, grouped by the field that each was cut from.

    Args:
        folder: with ``crops/ImNNN_[01].tif`` and ``crops.csv`` (``crop,label,field,x,y``).

    Raises:
        InputNotFoundError: the folder is not laid out like this.
        InputError: its table is damaged.
    """
    truth = {row["crop"]: row for row in read_table(folder / "crops.csv", ("crop", "label", "field"))}

    def read(image: Path) -> Iterator[Sample]:
        row = truth.get(image.name)
        if row is None:
            return
        field = Path(row["field"]).stem
        blast = row["label"] == "blast"
        sample = single_cell(
            image,
            source="allidb2",
            group=_group(field),
            block=_block(field),
            label=ALL if blast else NON_ALL,
            kind="blast" if blast else "other",
        )
        if sample is not None:
            yield sample

    return collect(list_images(folder / "crops"), read)


def _group(field: str) -> str:
    return f"allidb/{field}"


def _block(field: str) -> str:
    found = _FIELD_NAME.match(field)
    if found is None:
        raise UnsupportedImageError(f"{field} is no field of ALL-IDB1.", "Names look like Im001_1 and Im041_0.")
    return contiguous_block("allidb", int(found["number"]))


def _marks_in(cell: Cell, segmentation: Segmentation, marks: Sequence[_Point]) -> set[str]:
    height, width = segmentation.cell_labels.shape
    return {
        mark.label
        for mark in marks
        if 0 <= mark.x < width and 0 <= mark.y < height and segmentation.cell_labels[mark.y, mark.x] == cell.id
    }


def _small_area(segmentation: Segmentation, marks: Sequence[_Point]) -> float:
    """Nucleus area in pixels under which an object of this field is a platelet or debris; 0 without a blast."""
    blasts = [cell.nucleus_area for cell in segmentation.cells if "blast" in _marks_in(cell, segmentation, marks)]
    return SMALL_OBJECT_SHARE * statistics.median(blasts) if blasts else 0.0


def _kind(
    cell: Cell, segmentation: Segmentation, marks: Sequence[_Point], *, small: float, healthy: bool
) -> str | None:
    found = _marks_in(cell, segmentation, marks)
    if "blast" in found:
        return "blast"
    if healthy:
        return "white cell" if cell.kind == "candidate" else "small object"
    if cell.nucleus_area < small:
        return "small object"
    if "other" in found:
        return "white cell"
    return None if _beside_a_mark(cell, marks) else "smudge"


def _beside_a_mark(cell: Cell, marks: Sequence[_Point]) -> bool:
    reach = max(cell.nucleus_bbox[2:])
    return any(math.dist(cell.nucleus_centroid, (mark.x, mark.y)) < reach for mark in marks)
