"""What the laboratories whose cells a model knows are called, wherever people read of them."""

from __future__ import annotations

__all__ = ["laboratory_name"]

_NAMES = {
    "allidb": "ALL-IDB",
    "bccd": "BCCD",
    "munich": "Munich",
    "pbc": "PBC",
    "pbc_lymphocytes": "PBC, lymphocytes",
    "raabin": "Raabin-WBC",
    "segmentation_wbc/dataset1": "segmentation_WBC, data set 1",
    "segmentation_wbc/dataset2": "segmentation_WBC, data set 2",
    "taleqani": "Taleqani",
}
"""By the names that cards have for them; another laboratory's is shown as its card has it."""


def laboratory_name(known_as: object) -> str:
    """How people are told of a laboratory that a card names."""
    return _NAMES.get(str(known_as), str(known_as))
