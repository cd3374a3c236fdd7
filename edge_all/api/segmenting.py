"""`segment`: the cells of one image, without a model."""

from __future__ import annotations

from edge_all.api.screener import Source
from edge_all.errors import UsageError
from edge_all.imaging.sources import hold_image, is_one_image
from edge_all.results import Segmentation
from edge_all.segmentation import segment as segment_pixels

__all__ = ["segment"]


def segment(image: Source, *, microns_per_pixel: float | None = None) -> Segmentation:
    """Find the white cells of one image; nothing is classified, and no model is loaded.

    Args:
        image: as for `edge_all.Screener.screen`: a path, bytes, an open file, a PIL image, or an array ``uint8 [height,
            width, 3]`` in RGB order (BGR **cannot be detected**).
        microns_per_pixel: where known, sets the size of a red cell; otherwise the field's own red cells do.

    Returns:
        Candidates and rejected objects with their ``outlines``, ``cell_masks`` and ``nucleus_masks``, and the label
        images ``cell_labels`` and ``nucleus_labels``.

    Raises:
        ImageError, InputNotFoundError: the image cannot be read, or is not one that can be segmented.
        UsageError: this is no image, or several.
    """
    if not is_one_image(image):
        raise UsageError(f"This is a {type(image).__name__}, and one image was expected.", "Segment them one by one.")
    return segment_pixels(hold_image(image).read(), microns_per_pixel=microns_per_pixel)
