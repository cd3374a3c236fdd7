"""Which objects are cells to be judged, and why the others are not.

Nothing here asks a cell to be round: blasts are irregular.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_all.imaging.ranks import median_of, percentile_of
from edge_all.results import BoundingBox

__all__ = [
    "PLATELET_RADIUS",
    "SMUDGE_ROUGHNESS",
    "SPECK_RADIUS",
    "more_magenta",
    "reaches_border",
    "rejection_reason",
    "too_large_for_platelets",
]

PLATELET_RADIUS = 0.6
"""Nuclei below so many red-cell radii (2.2 micrometres) are platelets. The smallest of 189 blasts in every second
ALL-IDB1 field has 0.77."""
SPECK_RADIUS = 0.45
"""Nuclei below this many red-cell radii are no white cell's even where the red cells were measured wrongly."""
PLATELET_SHARE = 0.5
"""Share of the median nucleus of a field's candidates above which no nucleus is a platelet, whatever the red cells say:
where few of them lie apart, their size may be taken too large.
The largest of 36 platelets in 108 fields of ALL-IDB1, BCCD and Raabin has 0.28, nuclei of rendered fields that a wrong
size had made platelets 0.7 and more."""
LARGEST_RADIUS = 5.0
"""Nuclei above this many red-cell radii are clumps or smears that could not be separated. The largest of those blasts
has 2.0, but in a crop with few red cells these may be taken too small: at 3.5 three cells of 360 masked crops were
lost, at 5 none (measured on all of them)."""
VISIBLE = 0.4
"""Depth over width, along the border, below which a cell at the border is not judged. The shallowest of 37 boxes at the
border in every second BCCD annotation has 0.49; the segmented cells are a little shallower than the boxes."""
SMUDGE_HUE = 0.07
SMUDGE_ROUGHNESS = 1.4
"""A burst nucleus is more magenta than the nuclei around it, by so many radians of hue, and frayed. When it was chosen
on every second ALL-IDB1 field, 0.06 and 0.08 held for none of 192 blasts, for 80 and 62 % of 40 objects without a mark
and for 12 and 9 % of 68 other marked cells. With the hue of the mean colour it holds, in even and odd fields, for none
of 150 and 1 of 196 blasts with a candidate of their own, and for 29 of 47 and 37 of 52 objects without a mark."""
FEWEST_NEIGHBOURS = 3
"""Fewer nuclei do not tell what hue is common in a field."""


def rejection_reason(
    nucleus_radius: float, box: BoundingBox, field_size: tuple[int, int], tolerance: int
) -> str | None:
    """Why an object by itself is not a candidate; None where it is one.

    Args:
        nucleus_radius: radius of the disc of the nucleus's area, in red-cell radii.
        box: box of the whole cell.
        field_size: width and height of the field.
        tolerance: pixels from the border within which a cell counts as touching it.
    """
    if nucleus_radius > LARGEST_RADIUS:
        return "too large"
    if cut_by_border(box, field_size, tolerance):
        return "cut by the border"
    if nucleus_radius < PLATELET_RADIUS:
        return "platelet"
    return None


def too_large_for_platelets(nucleus_areas: Sequence[int], kinds: Sequence[str | None]) -> list[int]:
    """Which objects were called platelets, and have a nucleus like those of the field's candidates.

    Args:
        nucleus_areas: of each object.
        kinds: why each is not a candidate, from `rejection_reason`; None where it is one.
    """
    accepted = [area for area, reason in zip(nucleus_areas, kinds, strict=True) if reason is None]
    if not accepted:
        return []
    least = PLATELET_SHARE * median_of(np.array(accepted, np.float64))
    return [
        index
        for index, (area, reason) in enumerate(zip(nucleus_areas, kinds, strict=True))
        if reason == "platelet" and area > least
    ]


def cut_by_border(box: BoundingBox, field_size: tuple[int, int], tolerance: int) -> bool:
    """So little of the cell is in the field that it cannot be judged."""
    _, _, width, height = box
    at_side, at_top = borders_at(box, field_size, tolerance)
    return (at_side and width < VISIBLE * height) or (at_top and height < VISIBLE * width)


def reaches_border(box: BoundingBox, field_size: tuple[int, int], tolerance: int) -> bool:
    """Whether some of a cell may lie beyond the field, so that its outline there is only where the field ends."""
    return any(borders_at(box, field_size, tolerance))


def borders_at(box: BoundingBox, field_size: tuple[int, int], tolerance: int) -> tuple[bool, bool]:
    """Whether a box reaches the left or right border, and whether the upper or lower one, but for so many pixels."""
    x, y, width, height = box
    field_width, field_height = field_size
    at_side = x < tolerance or x + width > field_width - tolerance
    return at_side, y < tolerance or y + height > field_height - tolerance


def more_magenta(hues: Sequence[float | None]) -> list[int]:
    """Which nuclei are more magenta than is common in their field; None stands for objects that are left out."""
    known = [hue for hue in hues if hue is not None]
    if len(known) < FEWEST_NEIGHBOURS:
        return []
    common = percentile_of(np.array(known, np.float64), 75)
    return [index for index, hue in enumerate(hues) if hue is not None and common - hue > SMUDGE_HUE]
