"""The colours of the classes, the same in overlays, GeoJSON and the report."""

from __future__ import annotations

from typing import Literal

from edge_all.results import CellSummary

__all__ = ["PALETTE", "CellClass", "Rgb", "cell_class"]

Rgb = tuple[int, int, int]
CellClass = Literal["ALL", "indeterminate", "non-ALL", "candidate", "rejected"]
"""A label, or the kind where there is no label yet."""

PALETTE: dict[CellClass, Rgb] = {
    "ALL": (213, 94, 0),
    "indeterminate": (240, 228, 66),
    "non-ALL": (0, 114, 178),
    "candidate": (0, 158, 115),
    "rejected": (85, 85, 85),
}
"""Vermilion, yellow, blue, bluish green (Okabe and Ito, "Color Universal Design", 2008) and dark grey: told apart with
every common kind of colour blindness. In the order of what matters to the reader."""


def cell_class(cell: CellSummary) -> CellClass:
    """Under which class a cell is drawn and listed."""
    if cell.kind == "rejected":
        return "rejected"
    return cell.label or "candidate"
