"""One synthetic field with its exact truth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import UsageError
from edge_all.rendering.cell_shapes import RenderedKind, draw_shape
from edge_all.rendering.layout import Place, WhiteCellPlace, lay_out
from edge_all.rendering.optics import photograph
from edge_all.rendering.painting import (
    Brush,
    Density,
    Mask,
    Patch,
    paint_platelet,
    paint_smudge,
    paint_white_cell,
    patch_about,
    white_cell_masks,
)
from edge_all.rendering.red_cells import draw_stamps, lay_red_cells
from edge_all.rendering.spec import SmearSpec
from edge_all.rendering.stain import STAINS
from edge_all.rendering.texture import make_textures
from edge_all.results import BoundingBox, CellLabel, LabelImage, Point, RgbImage

__all__ = ["RenderedCell", "RenderedField", "render_field"]


@dataclass(frozen=True, slots=True)
class RenderedCell:
    """The truth about one rendered object; measures are of the part that lies within the image.

    Attributes:
        id: its number, from 1; white cells come first and carry it in the label images.
        kind: what it is meant to be.
        label: ``ALL`` for a blast, ``non-ALL`` for a normal white cell, None for smudges and platelets.
        centroid: centroid of the whole object in pixels.
        bbox: its box in pixels.
        area: its area in pixels.
        nucleus_area: area of its nucleus in pixels; 0 for smudges and platelets.
        cut: whether the border of the image cuts it.
    """

    id: int
    kind: RenderedKind
    label: CellLabel | None
    centroid: Point
    bbox: BoundingBox
    area: int
    nucleus_area: int
    cut: bool


@dataclass(frozen=True, slots=True)
class RenderedField:
    """A synthetic field and everything that is true of it.

    Attributes:
        pixels: ``uint8 [height, width, 3]`` RGB.
        cell_labels: ``uint16 [height, width]``: whole white cells (blasts, lymphocytes, neutrophils, monocytes).
        nucleus_labels: ``uint16 [height, width]``: their nuclei, same numbers.
        cells: all objects but the red cells, ``cells[i].id == i + 1``.
        microns_per_pixel: scale.
    """

    pixels: RgbImage
    cell_labels: LabelImage
    nucleus_labels: LabelImage
    cells: tuple[RenderedCell, ...]
    microns_per_pixel: float


class _Canvas:
    """The field while it is painted."""

    def __init__(self, density: NDArray[np.uint16], microns_per_pixel: float) -> None:
        self.density = density
        self.height, self.width = density.shape[:2]
        self.microns_per_pixel = microns_per_pixel
        self.cell_labels: LabelImage = np.zeros((self.height, self.width), np.uint16)
        self.nucleus_labels: LabelImage = np.zeros((self.height, self.width), np.uint16)

    def patch(self, place: Place, reach: float) -> Patch:
        return patch_about(
            place.x / self.microns_per_pixel, place.y / self.microns_per_pixel, reach, self.microns_per_pixel
        )

    def windows(self, patch: Patch) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of a patch that lies in the field: as slices of the field, and of the patch."""
        x0, y0 = max(patch.left, 0), max(patch.top, 0)
        x1 = max(x0, min(patch.left + patch.size, self.width))
        y1 = max(y0, min(patch.top + patch.size, self.height))
        outer = (slice(y0, y1), slice(x0, x1))
        inner = (slice(y0 - patch.top, y1 - patch.top), slice(x0 - patch.left, x1 - patch.left))
        return outer, inner

    def absorb(self, patch: Patch, density: Density, *, through: Mask | None = None) -> None:
        """Add optical density; what lies under ``through`` is taken away first."""
        outer, inner = self.windows(patch)
        below = self.density[outer].astype(np.int32)
        if through is not None:
            below = np.where(through[inner][..., None] > 0, 0, below)
        self.density[outer] = np.minimum(below + density[inner], 65535).astype(np.uint16)

    def measure(self, patch: Patch, mask: Mask, *, number: int, kind: RenderedKind) -> RenderedCell:
        """The truth about an object, but for its label and nucleus."""
        outer, inner = self.windows(patch)
        rows, columns = np.nonzero(mask[inner])
        area = int(rows.size)
        if area == 0:
            raise UsageError(f"A {kind} came out smaller than a pixel.", "Give fewer micrometres per pixel.")
        top, left = outer[0].start, outer[1].start
        x0, y0 = left + int(columns.min()), top + int(rows.min())
        return RenderedCell(
            id=number,
            kind=kind,
            label=None,
            # Integer sums divided once: the same centroid on every machine.
            centroid=(left + int(columns.sum()) / area, top + int(rows.sum()) / area),
            bbox=(x0, y0, left + int(columns.max()) + 1 - x0, top + int(rows.max()) + 1 - y0),
            area=area,
            nucleus_area=0,
            cut=area < int(np.count_nonzero(mask)),
        )


def render_field(seed: int, *, width: int, height: int, spec: SmearSpec) -> RenderedField:
    """Render one field of a Romanowsky-stained blood film.

    The same seed, size and spec give the same pixels and the same truth.

    Args:
        seed: number of the field.
        width: width in pixels.
        height: height in pixels.
        spec: what it shows.

    Raises:
        UsageError: the size is not positive, or what is asked for does not fit into the field.
    """
    if width < 1 or height < 1:
        raise UsageError(
            f"A field of {width} x {height} pixels was asked for.", "Give a width and height of 1 or more."
        )
    rng = np.random.default_rng(seed)
    scale = spec.microns_per_pixel
    stain = STAINS[spec.stain]
    layout = lay_out(rng, spec, width * scale, height * scale)
    brush = Brush(rng, stain, round(256 * spec.stain_strength), make_textures(rng, scale))

    stamps = draw_stamps(rng, scale)
    centres = [(round(x / scale), round(y / scale)) for x, y in layout.red_cells]
    thickness = lay_red_cells(rng, stamps, centres, height, width).astype(np.int32)
    density = np.empty((height, width, 3), np.uint16)
    for channel, haemoglobin in enumerate(brush.dye(stain.red_cell).tolist()):
        density[..., channel] = thickness * haemoglobin >> 8
    canvas = _Canvas(density, scale)

    # Smudges and platelets lie among the red cells and let them show through; whole white cells lie on top.
    debris: list[tuple[RenderedKind, Patch, Mask]] = []
    for place in layout.smudges:
        patch = canvas.patch(place, 2.2 * place.radius)
        mask, absorbed = paint_smudge(brush, patch, place.radius)
        canvas.absorb(patch, absorbed)
        debris.append(("smudge", patch, mask))
    for place in layout.platelets:
        patch = canvas.patch(place, 1.8 * place.radius)
        mask, absorbed = paint_platelet(brush, patch, place.radius)
        canvas.absorb(patch, absorbed)
        debris.append(("platelet", patch, mask))
    cells = [_white_cell(brush, canvas, place, number) for number, place in enumerate(layout.white_cells, start=1)]
    for kind, patch, mask in debris:
        cells.append(canvas.measure(patch, mask, number=len(cells) + 1, kind=kind))
    pixels = photograph(rng, canvas.density, stain, spec)
    return RenderedField(pixels, canvas.cell_labels, canvas.nucleus_labels, tuple(cells), scale)


def _white_cell(brush: Brush, canvas: _Canvas, place: WhiteCellPlace, number: int) -> RenderedCell:
    patch = canvas.patch(place, 1.4 * place.radius)
    shape = draw_shape(brush.rng, place.kind, place.radius, place.cuts)
    cell, nucleus = white_cell_masks(patch, shape)
    outer, inner = canvas.windows(patch)
    # Outlines of touching cells share the pixels of their border line: the first one keeps them.
    cell[inner] = np.where(canvas.cell_labels[outer] == 0, cell[inner], 0)
    nucleus = np.asarray(cv2.bitwise_and(nucleus, cell), np.uint8)
    canvas.absorb(patch, paint_white_cell(brush, place.kind, shape, patch, (cell, nucleus)), through=cell)
    canvas.cell_labels[outer][cell[inner] > 0] = number
    canvas.nucleus_labels[outer][nucleus[inner] > 0] = number
    measured = canvas.measure(patch, cell, number=number, kind=place.kind)
    return dataclasses.replace(
        measured,
        label="ALL" if place.kind == "blast" else "non-ALL",
        nucleus_area=int(np.count_nonzero(nucleus[inner])),
    )
