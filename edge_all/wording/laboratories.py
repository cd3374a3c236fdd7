"""What laboratories, and the data sets that their cells came in, are called wherever people read of them."""

from __future__ import annotations

__all__ = ["laboratory_name"]

_NAMES = {
    "allidb": "ALL-IDB",
    "allidb1": "ALL-IDB1",
    "allidb2": "ALL-IDB2",
    "bccd": "BCCD",
    "cnmc": "C-NMC",
    "munich": "Munich",
    "pbc": "PBC",
    "pbc_lymphocytes": "PBC, lymphocytes",
    "raabin": "Raabin-WBC",
    "segmentation_wbc 1": "segmentation_WBC, data set 1",
    "segmentation_wbc 2": "segmentation_WBC, data set 2",
    "segmentation_wbc/dataset1": "segmentation_WBC, data set 1",
    "segmentation_wbc/dataset2": "segmentation_WBC, data set 2",
    "taleqani": "Taleqani",
}
"""By the names that cards, figures and options have for them; another is shown as it is called there."""


def laboratory_name(known_as: object) -> str:
    """How people are told of a laboratory, or of a data set, that a card or a figure names."""
    return _NAMES.get(str(known_as), str(known_as))
