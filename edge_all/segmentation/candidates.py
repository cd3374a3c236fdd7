"""Which objects are cells to be judged, and why the others are not."""

from __future__ import annotations

from edge_all.results import BoundingBox

__all__ = ["rejection_reason"]

PLATELET_RADIUS = 0.6
"""Nuclei below this many red-cell radii are platelets."""
LARGEST_RADIUS = 3.5
"""Nuclei above this many red-cell radii are clumps or smears that could not be separated."""
VISIBLE = 0.4
"""Depth over width, along the border, below which a cell at the border is not judged. BCCD's annotators box white cells
down to 0.4."""


def rejection_reason(
    nucleus_radius: float, red_radius: float, box: BoundingBox, field_size: tuple[int, int], nucleus_box: BoundingBox
) -> str | None:
    """Why an object is not a candidate; None where it is one."""
    if nucleus_radius > LARGEST_RADIUS * red_radius:
        return "too large"
    if cut_by_border(box, field_size, nucleus_box):
        return "cut by the border"
    if nucleus_radius < PLATELET_RADIUS * red_radius:
        return "platelet"
    return None


def cut_by_border(box: BoundingBox, field_size: tuple[int, int], nucleus_box: BoundingBox) -> bool:
    """So little of the cell is in the field that it cannot be judged."""
    x, y, width, height = box
    field_width, field_height = field_size
    at_side = x <= 0 or x + width >= field_width
    at_top = y <= 0 or y + height >= field_height
    return (at_side and width < VISIBLE * height) or (at_top and height < VISIBLE * width)
