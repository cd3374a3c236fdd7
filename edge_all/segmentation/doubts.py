"""What a reader should know of a segmentation before trusting that a field holds no more cells."""

from __future__ import annotations

import math

from edge_all.results import Cell, Segmentation
from edge_all.segmentation.candidates import SPECK_RADIUS

__all__ = ["UNCERTAIN", "doubts", "fault"]

REDDEST_NUCLEI = 0.47
"""Hue of nuclei (`Segmentation.nucleus_hue`) below which no stain makes them so red. Up to 40 images of each of nine
sets: lowest 0.54 (Raabin) and 0.58 (segmentation_wbc 1), of the others 0.74. With red and blue swapped: highest 0.39
(ALL-IDB1), 0.39 (ALL-IDB2), 0.41 (Munich), 0.07 (PBC); medians 0.42 and 0.40 of those two sets of pink stain. Of BCCD
and Taleqani swapped, most fields have no nuclei left. Of 1,125 images of eight sets, drawn anew, none lies below."""
MANY = 100
"""Objects of all kinds from which a field without red cells is no smear. Of 294 fields of ALL-IDB1, BCCD, Raabin and
Taleqani 38 have no measurable red cells, and at most 37 objects; tissue in haematoxylin-eosin as the tests draw it has
419."""
NO_SMEAR = "No red cells, and many small nuclei: this does not look like a blood smear."
CHANNELS_SWAPPED = (
    "The nuclei are redder than any stain makes them: red and blue are swapped. "
    "Export the image with its channels in the order red, green, blue."
)

UNCERTAIN = 0.22
"""Standard error of the logarithm of the red cells' radius from which sizes rest on the nuclei: where
these alone say it, it is 0.25 (`scale.INFERRED_ERROR`) and more."""
FIELD_IN_RADII = 12.0
"""Longer side over the red cells' radius below which a picture is a crop, in which red cells need not be seen."""


def fault(found: Segmentation) -> str | None:
    """Why a field cannot be judged, as its cells tell; None where it can."""
    if channels_are_swapped(found):
        return CHANNELS_SWAPPED
    return NO_SMEAR if is_no_smear(found) else None


def doubts(found: Segmentation) -> tuple[str, ...]:
    """Sentences for the reader of the results; none where nothing is doubtful."""
    notes = []
    if is_field(found) and found.red_cell_error >= UNCERTAIN:
        notes.append("Red cells could not be measured: what is a cell and what a platelet rests on the nuclei alone.")
    large = [cell for cell in found.cells if nearly_a_cell(cell, found.red_cell_radius)]
    if is_field(found) and large and all(cell.kind == "rejected" for cell in found.cells):
        notes.append(
            f"All nuclei of this field were rejected, {len(large)} of them nearly as large as cells: look at them."
        )
    return tuple(notes)


def is_field(found: Segmentation) -> bool:
    """Whether the picture shows more than a cell and what is beside it."""
    return found.red_cell_radius > 0 and max(found.shape) > FIELD_IN_RADII * found.red_cell_radius


def is_no_smear(found: Segmentation) -> bool:
    """Whether the picture shows something else that is stained, such as tissue."""
    return is_field(found) and found.red_cell_error >= UNCERTAIN and len(found.cells) >= MANY


def channels_are_swapped(found: Segmentation) -> bool:
    """Whether the image came with red and blue in each other's place, as programs that use OpenCV may write them."""
    return found.nucleus_hue is not None and found.nucleus_hue < REDDEST_NUCLEI


def nearly_a_cell(cell: Cell, red_cell_radius: float) -> bool:
    """Whether the nucleus could be that of a white cell."""
    return math.sqrt(cell.nucleus_area / math.pi) >= SPECK_RADIUS * red_cell_radius
