"""C-NMC 2019: single cells on black, with the patient in the name.

Gupta and Gupta, ALL challenge dataset of ISBI 2019, The Cancer Imaging Archive, doi 10.7937/tcia.2019.dc64i46r.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge_all.errors import InputNotFoundError
from edge_all_export.datasets.locating import single_cell
from edge_all_export.datasets.samples import ALL, NON_ALL, CellSet, Label, Sample, collect, list_images
from edge_all_export.datasets.tables import read_table

__all__ = ["parse_cnmc_name", "read_cnmc"]

_NAME = re.compile(r"UID_(?P<subject>H?\d+)_(?P<image>\d+)_(?P<cell>\d+)_(?P<label>all|hem)$", re.IGNORECASE)


def parse_cnmc_name(stem: str) -> tuple[str, Label] | None:
    """Subject and label from ``UID_<subject>_<image>_<cell>_all`` or ``UID_H<subject>_..._hem``; None otherwise."""
    found = _NAME.match(stem)
    if found is None:
        return None
    return found["subject"].upper(), ALL if found["label"].lower() == "all" else NON_ALL


def read_cnmc(folder: Path) -> CellSet:
    """The training folds and, where it is there, the preliminary test phase with its table of labels.

    Args:
        folder: anywhere above ``fold_N/all``, ``fold_N/hem`` and ``*prelim_phase_data_labels.csv`` (``Patient_ID``,
            ``new_names``, ``labels``), whose images lie beside it or below.

    Raises:
        InputNotFoundError: no image carries a name of this set.
        InputError: the table is damaged.
    """
    images = list_images(folder, recursive=True)
    named: dict[Path, tuple[str, Label]] = {}
    for image in images:
        parsed = parse_cnmc_name(image.stem)
        if parsed is not None:
            named[image] = parsed
    for table in sorted(folder.rglob("*prelim_phase_data_labels.csv")):
        beside = {image.name: image for image in images if image.is_relative_to(table.parent) and image not in named}
        for row in read_table(table, ("Patient_ID", "new_names")):
            parsed = parse_cnmc_name(Path(row["Patient_ID"]).stem)
            if parsed is not None and row["new_names"] in beside:
                named[beside[row["new_names"]]] = parsed
    if not named:
        raise InputNotFoundError(
            f"{folder} holds no image of C-NMC 2019.", "Names look like UID_11_2_1_all.bmp and UID_H3_1_2_hem.bmp."
        )

    def read(image: Path) -> Iterator[Sample]:
        subject, label = named[image]
        found = single_cell(
            image,
            name=image.relative_to(folder).with_suffix("").as_posix(),
            source="cnmc",
            group=f"cnmc/{subject}",
            block=f"cnmc/{subject}",
            label=label,
            kind="blast" if label == ALL else "normal cell",
        )
        if found is not None:
            yield found

    return collect(sorted(named), read)
