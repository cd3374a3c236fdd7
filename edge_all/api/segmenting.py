"""`segment`: the cells of one image, without a model; and the same with all that a run writes of it."""

from __future__ import annotations

from dataclasses import dataclass

from edge_all.api.arguments import require_pixel_size
from edge_all.api.screener import Source
from edge_all.errors import UsageError
from edge_all.imaging.sources import ReadableImage, hold_image, is_one_image
from edge_all.results import FieldResult, RgbImage, Segmentation, SegmentationWay
from edge_all.screening.seen_field import see_field
from edge_all.segmentation import checked_segmentation

__all__ = ["SegmentedField", "segment", "segment_field"]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedField:
    """A field whose cells were found.

    Attributes:
        result: the cells, none of them classified; also where the quality is poor, which it says.
        segmentation: the same cells with their masks.
        pixels: ``uint8 [height, width, 3]`` RGB that they were found in.
    """

    result: FieldResult
    segmentation: Segmentation
    pixels: RgbImage


def segment(
    image: Source, *, microns_per_pixel: float | None = None, segmentation: SegmentationWay = "learned"
) -> Segmentation:
    """Find the white cells of one image; nothing is classified, and no model package is loaded.

    Args:
        image: as for `edge_all.Screener.screen`: a path, bytes, an open file, a PIL image, or an array ``uint8 [height,
            width, 3]`` in RGB order (BGR is **not detected**).
        microns_per_pixel: where known, sets the size of a red cell; otherwise what the file says of it does where that
            can be right, or the field's own red cells.
        segmentation: what decides where a cell ends: ``learned`` for the network that is embedded for it, ``colour``
            for colours and necks alone, for which no ONNX Runtime is needed.

    Returns:
        Candidates and rejected objects with their ``outlines``, ``cell_masks`` and ``nucleus_masks``, and the label
        images ``cell_labels`` and ``nucleus_labels``.

    Raises:
        ImageError, InputNotFoundError: the image cannot be read, or is not one that can be segmented.
        UsageError: this is no image, or several; there are no pixels of that size; or no such segmentation.
        OnnxRuntimeMissingError: ``learned``, and there is no ONNX Runtime.
    """
    if not is_one_image(image):
        raise UsageError(f"This is a {type(image).__name__}, and one image was expected.", "Segment them one by one.")
    way = checked_segmentation(segmentation)
    return segment_field(hold_image(image), microns_per_pixel=microns_per_pixel, segmentation=way).segmentation


def segment_field(
    source: ReadableImage, *, microns_per_pixel: float | None = None, segmentation: SegmentationWay = "learned"
) -> SegmentedField:
    """`segment` for those who write or show the field: with its result and its pixels.

    Args:
        source: an image that can be read, such as those of `edge_all.inputs.find_images`.
        microns_per_pixel: as for `segment`.
        segmentation: as for `segment`.

    Raises:
        ImageError, InputNotFoundError, UsageError: as for `segment`.
    """
    require_pixel_size(microns_per_pixel)
    seen = see_field(source.image, source.slide, source.opened().decode(), microns_per_pixel)
    found, result = seen.segment(segmentation)
    return SegmentedField(result, found, seen.pixels)
