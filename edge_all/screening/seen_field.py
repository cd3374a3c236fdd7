"""One field before its cells are looked for: on glass, with quality and scale, and what of it shows the specimen."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edge_all.imaging import DecodedImage
from edge_all.imaging.display import whole_reduction
from edge_all.imaging.fingerprints import fingerprint_of_green, to_text
from edge_all.imaging.shrinking import Shrinking
from edge_all.quality import assess_quality
from edge_all.results import FieldResult, RgbImage, Segmentation
from edge_all.screening.pixel_scale import pixel_scale, segment_at_scale
from edge_all.segmentation.cut_out import put_on_glass
from edge_all.segmentation.learned_outlines import Outlines
from edge_all.specimen import Specimen, find_specimen

__all__ = ["SeenField", "see_field"]


@dataclass(frozen=True, slots=True, eq=False)
class SeenField:
    """A field whose cells can be looked for.

    Attributes:
        pixels: ``uint8 [height, width, 3]`` RGB; what was painted over around cut-out cells is glass.
        picture: ``uint8 [h, w, 3]`` RGB, them shrunk by their `whole_reduction`, which is all that people are shown.
        result: what is known of it so far: size, quality, the size of a pixel, the fingerprint; its status is ``ok``.
    """

    pixels: RgbImage
    picture: RgbImage
    result: FieldResult
    _sizes: Shrinking
    _specimen: Specimen

    def segment(self, outlines: Outlines) -> tuple[Segmentation, FieldResult]:
        """Look for its cells, see `segment_at_scale`.

        Args:
            outlines: as for `edge_all.segmentation.segment`.

        Returns:
            The segmentation, and the result with its cells and the size of a pixel that was used.
        """
        return segment_at_scale(self.pixels, self._sizes, self._specimen, self.result, outlines)


def see_field(name: str, slide: str, image: DecodedImage, microns_per_pixel: float | None) -> SeenField:
    """Put a field on glass, assess it, and find its scale and specimen.

    Args:
        name: of the image.
        slide: that it belongs to.
        image: its pixels, and what its file says of them.
        microns_per_pixel: physical size of a pixel, where the user says so.
    """
    laid = put_on_glass(image.pixels)
    height, width = laid.pixels.shape[:2]
    sizes = Shrinking(laid.pixels)
    # Segmentation looks at the same size of a 5-megapixel field, and until its turn to be drawn it takes 4 MB, not 15.
    reduction = whole_reduction(width, height)
    picture = sizes.by(reduction)
    specimen = laid.specimen or find_specimen(sizes, width, height)
    if laid.note is None:
        quality = assess_quality(laid.pixels, sizes=sizes, specimen=specimen)
    else:
        quality = assess_quality(laid.smear, specimen=specimen)
    scale = pixel_scale(image, microns_per_pixel)
    on_glass = () if laid.note is None else (laid.note,)
    result = FieldResult(
        name,
        slide,
        "ok",
        width=width,
        height=height,
        quality=dataclasses.replace(quality, warnings=(*image.notes, *scale.notes, *quality.warnings, *on_glass)),
        microns_per_pixel=scale.microns,
        microns_per_pixel_from=scale.origin,
        fingerprint=to_text(fingerprint_of_green(sizes.green_by(reduction))),
    )
    return SeenField(laid.pixels, picture, result, sizes, specimen)
