"""How large a pixel is: what the user says, else what the file says where that fits the field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edge_all.imaging import DecodedImage
from edge_all.imaging.shrinking import Shrinking
from edge_all.quality import SOFT_FOCUS, edge_width_in_pixels
from edge_all.results import FieldResult, Quality, RgbImage, Segmentation
from edge_all.segmentation import doubts, segment
from edge_all.segmentation.doubts import UNCERTAIN, fault, is_field
from edge_all.segmentation.learned_outlines import Outlines
from edge_all.specimen import Specimen

__all__ = ["PixelScale", "pixel_scale", "segment_at_scale"]

GIVEN = "given"
SOFT_EDGE = 0.35
"""Width of the main edges in red-cell radii above which a field is soft. Over every second field 0.10 to 0.23 in
ALL-IDB1, 0.09 to 0.26 in BCCD, 0.04 to 0.40 in Raabin (two of 74 above); with a blur of 4 in 1000 of the side, which
loses a third of the cells, 0.42 to 0.69 in the ALL-IDB1 fields of which their pixels alone say nothing."""
AGREEMENT = 0.1
"""Relative difference between the size that is given and that of the file above which it is said."""


@dataclass(frozen=True, slots=True)
class PixelScale:
    """The physical size of a pixel and where it is from.

    Attributes:
        microns: side of a pixel in micrometres; None where it is not known.
        origin: ``given``, or what in the file says so; None where it is not known.
        notes: sentences for the reader of the results.
    """

    microns: float | None = None
    origin: str | None = None
    notes: tuple[str, ...] = ()


def pixel_scale(image: DecodedImage, given: float | None) -> PixelScale:
    """The size of a pixel to begin with.

    Args:
        image: the field.
        given: what the user says, which goes before what the file says.
    """
    own = image.pixel_size
    if given is None:
        return PixelScale() if own is None else PixelScale(own.microns, own.origin)
    if own is not None and abs(own.microns - given) > AGREEMENT * given:
        return PixelScale(given, GIVEN, (f"The file says {own}, but {given:g} was given, which was used.",))
    return PixelScale(given, GIVEN)


def segment_at_scale(
    pixels: RgbImage, sizes: Shrinking, specimen: Specimen, field: FieldResult, outlines: Outlines
) -> tuple[Segmentation, FieldResult]:
    """Segment a field with its pixel size, or without where the file's own cannot be right.

    A size that a program wrote for another objective makes nuclei too large or too small for white cells, or red cells
    wider than half the picture. Where the file is not believed, the cells without its size are more.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
        sizes: of the same pixels.
        specimen: what of them shows the specimen.
        field: what is known of it so far.
        outlines: as for `edge_all.segmentation.segment`.

    Returns:
        The segmentation, and the field with its cells and the size that was used.
    """
    found = segment(
        pixels, microns_per_pixel=field.microns_per_pixel, sizes=sizes, specimen=specimen, outlines=outlines
    )
    result = with_doubts(field, found)
    if field.microns_per_pixel_from in (None, GIVEN) or not found.cells or fits(result, found):
        return found, result
    without = segment(pixels, sizes=sizes, specimen=specimen, outlines=outlines)
    other = with_doubts(dataclasses.replace(field, microns_per_pixel=None, microns_per_pixel_from=None), without)
    if len(other.candidates) <= len(result.candidates) or other.quality is None:
        return found, result
    note = (
        f"The file says {field.microns_per_pixel:.4g} \u00b5m a pixel ({field.microns_per_pixel_from}), which does not "
        "fit the cells in the picture; it was not used."
    )
    quality = dataclasses.replace(other.quality, warnings=(*other.quality.warnings, note))
    return without, dataclasses.replace(other, quality=quality)


def fits(field: FieldResult, found: Segmentation) -> bool:
    """Whether more cells have the size of a white cell than not, and red cells are no wider than half the picture."""
    of_another_size = sum(cell.reason in ("platelet", "too large") for cell in field.cells)
    return len(field.candidates) > of_another_size and 4 * found.red_cell_radius <= min(found.shape)


def with_doubts(field: FieldResult, found: Segmentation) -> FieldResult:
    """The field with its cells and their scale, and doubts among its warnings; unusable if its colours are wrong."""
    reason = fault(found)
    if reason is not None:
        return dataclasses.replace(field, status="unusable", error=reason)
    quality = field.quality
    if quality is not None:
        soft = (SOFT_FOCUS,) if is_soft_for_its_cells(quality, found) else ()
        quality = dataclasses.replace(quality, warnings=(*quality.warnings, *soft, *doubts(found)))
    measured = found.red_cell_radius > 0
    return dataclasses.replace(
        field,
        cells=found.cells,
        quality=quality,
        red_cell_radius=round(found.red_cell_radius, 2) if measured else None,
        red_cell_error=round(found.red_cell_error, 3) if measured else None,
    )


def is_soft_for_its_cells(quality: Quality, found: Segmentation) -> bool:
    """Whether edges are wide for the size of the red cells, which is not said yet.

    In pixels alone a laboratory whose cells are small looks sharp when it is not.
    """
    width = edge_width_in_pixels(quality, max(found.shape))
    if width is None or SOFT_FOCUS in quality.warnings or not 0 < found.red_cell_error < UNCERTAIN:
        return False
    return is_field(found) and width > SOFT_EDGE * found.red_cell_radius
