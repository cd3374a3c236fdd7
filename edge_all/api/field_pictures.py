"""The pictures of a screened field, made when they are asked for from the image that was handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge_all.errors import UnreadableImageError
from edge_all.imaging.sources import HeldImage
from edge_all.outputs.overlay import draw_overlay
from edge_all.outputs.pictures import png_bytes
from edge_all.outputs.report.notebook import field_html
from edge_all.preprocessing import PreprocessingSpec, crop_cells
from edge_all.results import Cell, FieldResult, LabelImage, RgbImage, Segmentation
from edge_all.segmentation import segment
from edge_all.segmentation.cut_out import OnGlass, put_on_glass
from edge_all.segmentation.learned_outlines import Outlines

__all__ = ["PicturesFromImage"]


@dataclass(frozen=True, slots=True)
class PicturesFromImage:
    """Implements `edge_all.results.FieldPictures`.

    Pickled, it keeps the path of an image; of one that is held in memory nothing is left, and the result that it
    belongs to comes back without pictures.

    Attributes:
        image: what was judged.
        spec: how the network's crops are cut.
        outlines: what decides where a cell ends.
    """

    image: HeldImage
    spec: PreprocessingSpec
    outlines: Outlines

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave pixels behind."""
        if self.image.file is None:
            return type(None), ()
        return type(self), (self.image, self.spec, self.outlines)

    def overlay(self, field: FieldResult) -> RgbImage:
        """See `FieldResult.overlay`."""
        return draw_overlay(self._laid().pixels, field)

    def crops(self, field: FieldResult, cells: Sequence[Cell]) -> RgbImage:
        """``uint8 [cells, size, size, 3]`` RGB, see `FieldResult.crop`."""
        laid = self._laid()
        labels = self._segmentation(field, laid).cell_labels if self.spec.background == "blank" else None
        return crop_cells(laid.pixels, cells, labels, self.spec)

    def label_image(self, field: FieldResult, of: Literal["cells", "nuclei"]) -> LabelImage:
        """See `FieldResult.label_image`."""
        segmentation = self._segmentation(field, self._laid())
        return segmentation.cell_labels if of == "cells" else segmentation.nucleus_labels

    def html(self, field: FieldResult) -> str:
        """See `edge_all.outputs.report.notebook.field_html`."""
        return field_html(field, None if field.status == "error" else self.overlay(field))

    def png(self, field: FieldResult) -> bytes:
        """The overlay as a PNG file."""
        return png_bytes(self.overlay(field))

    def _laid(self) -> OnGlass:
        """The image that was judged, on glass as it was then.

        Raises:
            ImageError: they cannot be read, or are others now.
        """
        if not self.image.unchanged:
            raise UnreadableImageError(
                f"{self.image.image} is gone, or has changed since it was judged.", "Screen the image again."
            )
        return put_on_glass(self.image.read())

    def _segmentation(self, field: FieldResult, laid: OnGlass) -> Segmentation:
        if field.status != "ok":
            return Segmentation(laid.pixels.shape[:2])
        microns = field.microns_per_pixel
        return segment(laid.pixels, microns_per_pixel=microns, specimen=laid.specimen, outlines=self.outlines)
