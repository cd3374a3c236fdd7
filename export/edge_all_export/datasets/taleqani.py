"""The four-class ALL set of Taleqani hospital (Kaggle): small fields, labelled as a whole.

Aria et al., Acute Lymphoblastic Leukemia (ALL) image dataset, Kaggle 2021, doi 10.34740/kaggle/dsv/2175623.

Its fields were photographed in 4:3 and published squeezed to 224 x 224, in which a white cell is under 40 pixels wide
and taller than broad. They are given back their shape, at a size at which cells are as large as in other fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge_all.errors import InputError, InputNotFoundError
from edge_all.results import Cell
from edge_all_export.datasets.locating import segmented, touches_border
from edge_all_export.datasets.samples import (
    ALL,
    NON_ALL,
    CellSet,
    Label,
    Sample,
    collect,
    contiguous_block,
    list_images,
)
from edge_all_export.datasets.tables import read_table

__all__ = ["read_taleqani"]

STAGES: dict[str, Label] = {"benign": NON_ALL, "early": ALL, "pre": ALL, "pro": ALL}
BLOCK = 20
"""Consecutive images that stay together where no table of groups says better; which patient each shows is not
published."""

FIELD_SIZE = (1024, 768)
"""Width and height that the fields are enlarged to: the shape of the camera's picture, nuclei about 100 pixels wide."""

SCALE_BAR = (0.84, 0.88)
"""Share of the width and of the height from which the lower right corner shows the scale bar, whose look goes with the
class: cells whose crop could show it are left out."""

VIEW = 2.5
"""Width of a crop in widths of the nucleus, for that."""


def read_taleqani(folder: Path) -> CellSet:
    """Every whole candidate cell of a field, with the field's label.

    That label is weak: a field of a patient may show normal cells too. Groups (also the blocks) come from
    ``groups.csv`` (``image,group``; paths relative to the folder) where that exists: fields of like ground, stain and
    scale bar, since consecutive numbers mix the slides.

    Args:
        folder: anywhere above the folders ``Benign``, ``Early``, ``Pre`` and ``Pro``; of a download that brings both
            ``Original`` and ``Segmented`` images, the segmented ones are passed over.

    Raises:
        InputNotFoundError: no image lies in a folder of such a name.
        InputError: ``groups.csv`` is damaged or leaves out an image.
    """
    stages = {image: _stage(image.parent.name) for image in list_images(folder, recursive=True)}
    images = [
        image
        for image, stage in stages.items()
        if stage is not None and "segmented" not in {part.lower() for part in image.relative_to(folder).parts[:-1]}
    ]
    if not images:
        raise InputNotFoundError(f"{folder} holds no folder Benign, Early, Pre or Pro.", "Check the path.")
    groups = _groups(folder, images)

    def read(image: Path) -> Iterator[Sample]:
        stage = _stage(image.parent.name) or ""
        segmentation, height, width = segmented(image, FIELD_SIZE)
        for cell in segmentation.cells:
            whole = cell.kind == "candidate" and not touches_border(cell, height, width)
            if whole and not _near_the_scale_bar(cell):
                yield Sample(
                    id=f"taleqani/{stage}/{image.stem}/{cell.id}",
                    source="taleqani",
                    group=groups.get(image, f"taleqani/{stage}/{image.stem}"),
                    block=groups.get(image, contiguous_block(f"taleqani/{stage}", _number(image), BLOCK)),
                    label=STAGES[stage],
                    image=image,
                    cell=cell,
                    kind=stage,
                    field_size=FIELD_SIZE,
                )

    return collect(images, read)


def _groups(folder: Path, images: list[Path]) -> dict[Path, str]:
    table = folder / "groups.csv"
    if not table.is_file():
        return {}
    groups = {folder / row["image"]: f"taleqani/{row['group']}" for row in read_table(table, ("image", "group"))}
    missing = next((image for image in images if image not in groups), None)
    if missing is not None:
        raise InputError(
            f"{table} has no line for {missing.relative_to(folder)}.", "Give every image a group, or remove the table."
        )
    return groups


def _near_the_scale_bar(cell: Cell) -> bool:
    x, y, width, height = cell.nucleus_bbox
    reach = VIEW * max(width, height) / 2
    right, bottom = x + width / 2 + reach, y + height / 2 + reach
    return right > SCALE_BAR[0] * FIELD_SIZE[0] and bottom > SCALE_BAR[1] * FIELD_SIZE[1]


def _number(image: Path) -> int:
    return int(re.sub(r"\D", "", image.stem) or 0)


def _stage(name: str) -> str | None:
    words = re.findall("[a-z]+", name.lower())
    return next((stage for stage in STAGES if stage in words), None)
