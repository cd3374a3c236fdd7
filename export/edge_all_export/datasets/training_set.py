"""All of the reference data that is fit for training, by one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_all.errors import InputNotFoundError, UsageError
from edge_all_export.datasets.allidb import read_allidb1, read_allidb2
from edge_all_export.datasets.class_folders import read_class_folders
from edge_all_export.datasets.cnmc import read_cnmc
from edge_all_export.datasets.references import read_bccd, read_munich, read_raabin, read_segmentation_wbc
from edge_all_export.datasets.samples import CellSet
from edge_all_export.datasets.taleqani import read_taleqani

__all__ = ["LAYOUTS", "load_training_set", "read_layout"]

TRAINING_SETS: dict[str, Callable[[Path], CellSet]] = {
    "allidb1": read_allidb1,
    "allidb2": read_allidb2,
    "segmentation_wbc": read_segmentation_wbc,
    "bccd": read_bccd,
    "taleqani": read_taleqani,
    "munich": read_munich,
    "raabin": read_raabin,
}
"""By folder name. pbc_lymphocytes is not among them: it stands for the hospital that nobody has seen."""


def load_training_set(data_root: Path) -> CellSet:
    """The cells of every known data set under a folder, and what had to be left out.

    Args:
        data_root: with one folder for each data set, by the names in `TRAINING_SETS`; missing ones are passed over.

    Raises:
        InputNotFoundError: none of them is there.
    """
    present = [name for name in TRAINING_SETS if (data_root / name).is_dir()]
    if not present:
        raise InputNotFoundError(
            f"{data_root} holds none of {', '.join(TRAINING_SETS)}.",
            "Point --data at the folder above them, or name another --layout.",
        )
    whole = CellSet(())
    for name in present:
        whole += TRAINING_SETS[name](data_root / name)
    return whole


LAYOUTS: dict[str, Callable[[Path], CellSet]] = {
    "reference": load_training_set,
    **TRAINING_SETS,
    "folders": read_class_folders,
    "cnmc": read_cnmc,
}
"""By the name that ``--layout`` takes."""


def read_layout(layout: str, folder: Path) -> CellSet:
    """Read a folder that is laid out in a known way.

    Raises:
        UsageError: no such layout.
        InputError: what the reader of that layout raises.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"There is no layout {layout!r}.", f"Choose one of {', '.join(LAYOUTS)}.")
    return LAYOUTS[layout](folder)
