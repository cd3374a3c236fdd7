"""The four-class ALL set of Taleqani hospital (Kaggle): small fields, labelled as a whole.

Aria et al., Acute Lymphoblastic Leukemia (ALL) image dataset, Kaggle 2021, doi 10.34740/kaggle/dsv/2175623.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge_all.errors import InputNotFoundError
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

__all__ = ["read_taleqani"]

STAGES: dict[str, Label] = {"benign": NON_ALL, "early": ALL, "pre": ALL, "pro": ALL}
BLOCK = 20
"""Consecutive images that stay together; which patient each shows is not published."""


def read_taleqani(folder: Path) -> CellSet:
    """Every whole candidate cell of a field, with the field's label.

    That label is weak: a field of a patient may show normal cells too.

    Args:
        folder: anywhere above the folders ``Benign``, ``Early``, ``Pre`` and ``Pro``; of a download that brings both
            ``Original`` and ``Segmented`` images, the segmented ones are passed over.

    Raises:
        InputNotFoundError: no image lies in a folder of such a name.
    """
    stages = {image: _stage(image.parent.name) for image in list_images(folder, recursive=True)}
    images = [
        image
        for image, stage in stages.items()
        if stage is not None and "segmented" not in {part.lower() for part in image.relative_to(folder).parts[:-1]}
    ]
    if not images:
        raise InputNotFoundError(f"{folder} holds no folder Benign, Early, Pre or Pro.", "Check the path.")

    def read(image: Path) -> Iterator[Sample]:
        stage = _stage(image.parent.name) or ""
        segmentation, height, width = segmented(image)
        number = int(re.sub(r"\D", "", image.stem) or 0)
        for cell in segmentation.cells:
            if cell.kind == "candidate" and not touches_border(cell, height, width):
                yield Sample(
                    id=f"taleqani/{stage}/{image.stem}/{cell.id}",
                    source="taleqani",
                    group=f"taleqani/{stage}/{image.stem}",
                    block=contiguous_block(f"taleqani/{stage}", number, BLOCK),
                    label=STAGES[stage],
                    image=image,
                    cell=cell,
                    kind=stage,
                )

    return collect(images, read)


def _stage(name: str) -> str | None:
    words = re.findall("[a-z]+", name.lower())
    return next((stage for stage in STAGES if stage in words), None)
