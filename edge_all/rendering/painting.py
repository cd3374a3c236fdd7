"""Painting: shapes become optical density.

A canvas holds the optical density of the field so far, ``uint16 [height, width, 3]``. What is painted
may reach over its border; the part outside is dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.rendering.cell_shapes import Blob, CellShape, WhiteKind
from edge_all.rendering.outlines import Points, direction, rounded_outline
from edge_all.rendering.stain import Rgb, Stain
from edge_all.rendering.texture import Textures, texture_window

__all__ = [
    "Brush",
    "Density",
    "Mask",
    "Patch",
    "paint_platelet",
    "paint_smudge",
    "paint_white_cell",
    "patch_about",
    "white_cell_masks",
]

Density = NDArray[np.int32]
"""``int32 [height, width, 3]``: optical density in units of 1 / `DENSITY_SCALE`."""
Mask = NDArray[np.uint8]
"""``uint8 [height, width]``: 0 or 255."""

_SHIFT = 4
"""Fractional bits of polygon corners, so that outlines are not tied to whole pixels."""
_GRANULE_LEVEL = 88
"""Fine grain above this is a granule: with a standard deviation of 64, a twelfth of the cytoplasm."""
_STRAND_WIDTH = 0.8
"""Width of a chromatin bridge in micrometres."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A square window of the field in which one object is painted.

    Attributes:
        left, top: its corner in pixels of the field; may be negative.
        size: its side in pixels.
        centre: place of the object's origin within the patch, in pixels.
        microns_per_pixel: scale.
    """

    left: int
    top: int
    size: int
    centre: tuple[float, float]
    microns_per_pixel: float

    def pixels(self, points: Points) -> NDArray[np.int32]:
        """Corners of a polygon in fixed-point pixels of the patch, as OpenCV draws them."""
        scaled = points / self.microns_per_pixel + np.array(self.centre)
        corners: NDArray[np.int32] = np.round(scaled * (1 << _SHIFT)).astype(np.int32)
        return corners

    def fill(self, *polygons: Points) -> Mask:
        """The union of polygons."""
        mask: Mask = np.zeros((self.size, self.size), np.uint8)
        for polygon in polygons:
            cv2.fillPoly(mask, [self.pixels(polygon)], 255, lineType=cv2.LINE_8, shift=_SHIFT)
        return mask

    def lines(self, polylines: tuple[Points, ...], width: float) -> Mask:
        """The union of open lines, ``width`` micrometres wide."""
        mask: Mask = np.zeros((self.size, self.size), np.uint8)
        # Lines of one pixel are drawn differently by OpenCV 4 and 5; wider ones alike.
        thickness = max(2, round(width / self.microns_per_pixel))
        for line in polylines:
            cv2.polylines(mask, [self.pixels(line)], False, 255, thickness, cv2.LINE_8, _SHIFT)
        return mask

    def discs(self, blobs: tuple[Blob, ...]) -> Mask:
        """The union of filled discs."""
        mask: Mask = np.zeros((self.size, self.size), np.uint8)
        for blob in blobs:
            (x, y) = self.pixels(np.array([[blob.x, blob.y]]))[0]
            radius = round(blob.radius / self.microns_per_pixel * (1 << _SHIFT))
            cv2.circle(mask, (int(x), int(y)), radius, 255, -1, cv2.LINE_8, _SHIFT)
        return mask


def patch_about(x: float, y: float, reach: float, microns_per_pixel: float) -> Patch:
    """The patch for an object at ``x, y`` (pixels of the field) that reaches ``reach`` micrometres from there."""
    half = int(reach / microns_per_pixel) + 3
    left, top = int(np.floor(x)) - half, int(np.floor(y)) - half
    return Patch(left, top, 2 * half + 1, (x - left, y - top), microns_per_pixel)


@dataclass(frozen=True, slots=True)
class _Look:
    """How one kind of white cell takes the stain; weights are in 1/256 of the stain's colour.

    Attributes:
        nucleus: weight of the chromatin.
        grain: contrast of the chromatin.
        clumped: condensed rather than open chromatin.
        cytoplasm: weight of the cytoplasm.
        rim: additional weight at the border of the cell, where basophilic cytoplasm is darkest.
        pink: cytoplasm of a granulocyte rather than a blue one.
        granules: weight of the granules.
    """

    nucleus: int
    grain: int
    clumped: bool
    cytoplasm: int
    rim: int = 0
    pink: bool = False
    granules: int = 0


# By eye against ALL-IDB1 fields 3, 5, 36 and 53 and the lymphocytes of Acevedo 2020.
_LOOKS: dict[WhiteKind, _Look] = {
    "blast": _Look(nucleus=244, grain=17, clumped=False, cytoplasm=135, rim=120),
    "lymphocyte": _Look(nucleus=272, grain=36, clumped=True, cytoplasm=140, rim=30),
    "neutrophil": _Look(nucleus=246, grain=40, clumped=True, cytoplasm=215, pink=True, granules=80),
    "monocyte": _Look(nucleus=178, grain=26, clumped=False, cytoplasm=112, rim=10),
}


@dataclass(frozen=True, slots=True)
class Brush:
    """What every object of a field is painted with: chance, colours and grain.

    Attributes:
        rng: source of texture and shade.
        stain: the colours.
        strength: strength of the stain, in 1/256.
        textures: the field's grain.
    """

    rng: np.random.Generator
    stain: Stain
    strength: int
    textures: Textures

    def dye(self, colour: Rgb) -> NDArray[np.int32]:
        """Optical density of a full layer of a colour, ``int32 [3]``."""
        return self.stain.density(colour) * self.strength >> 8

    def grain(self, tile: NDArray[np.int16], patch: Patch) -> NDArray[np.int32]:
        """Grain for a patch."""
        return texture_window(tile, self.rng, patch.size, patch.size)


def white_cell_masks(patch: Patch, shape: CellShape) -> tuple[Mask, Mask]:
    """Whole cell and nucleus; the nucleus keeps a pixel of cytoplasm about it wherever the cell has one to spare."""
    cell = patch.fill(shape.outline)
    nucleus = cv2.bitwise_or(patch.fill(*shape.nucleus), patch.lines(shape.strands, _STRAND_WIDTH))
    inner = cv2.erode(cell, np.ones((3, 3), np.uint8))
    return cell, np.asarray(cv2.bitwise_and(nucleus, inner), np.uint8)


def _smooth(mask: Mask, sigma: float) -> NDArray[np.int32]:
    """A mask with a soft edge, 0 to 255; 8-bit smoothing is in fixed point and the same on every machine."""
    soft: NDArray[np.int32] = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(sigma, 0.3))).astype(np.int32)
    return soft


def paint_white_cell(
    brush: Brush, kind: WhiteKind, shape: CellShape, patch: Patch, masks: tuple[Mask, Mask]
) -> Density:
    """Optical density of one white cell within its patch.

    Args:
        brush: colours and grain.
        kind: what it is.
        shape: its inner structures.
        patch: where it lies.
        masks: whole cell, already clipped against its neighbours, and the nucleus inside it.
    """
    cell, nucleus = masks
    textures = brush.textures
    look = _LOOKS[kind]
    micron = 1.0 / patch.microns_per_pixel
    shade = 232 + int(brush.rng.integers(0, 48))
    cloud = brush.grain(textures.cloudy, patch)
    grain = brush.grain(textures.clumped if look.clumped else textures.fine, patch)

    edge = 255 - _smooth(cell, 0.35 * micron)
    mottle = (cloud >> 2) + (brush.grain(textures.fine, patch) >> 3)
    body = look.cytoplasm + (look.rim * edge >> 7) + (mottle * look.cytoplasm >> 6)
    if shape.vacuoles:
        body = body * (255 - (_smooth(patch.discs(shape.vacuoles), 0.08 * micron) * 7 >> 3)) >> 8
    rest = cv2.subtract(cell, nucleus) > 0
    body = np.where(rest, np.clip(body, 0, 512), 0) * shade >> 8

    membrane = 255 - _smooth(nucleus, 0.3 * micron)
    chromatin = look.nucleus + (grain * look.grain >> 6) + (cloud * 20 >> 6) + (membrane * 20 >> 7)
    if shape.nucleoli:
        chromatin = chromatin * (768 - _smooth(patch.discs(shape.nucleoli), 0.25 * micron)) // 768
    chromatin = np.where(nucleus > 0, np.clip(chromatin, 64, 512), 0) * shade >> 8

    dye = brush.dye(brush.stain.neutrophil if look.pink else brush.stain.cytoplasm)
    density: Density = body[..., None] * dye + chromatin[..., None] * brush.dye(brush.stain.nucleus)
    if look.granules:
        specks = np.where(rest & (brush.grain(textures.fine, patch) > _GRANULE_LEVEL), look.granules, 0)
        density += specks[..., None] * brush.dye(brush.stain.granule)
    return density >> 8


def paint_platelet(brush: Brush, patch: Patch, radius: float) -> tuple[Mask, Density]:
    """One platelet: a small violet disc, darker and granular inside.

    Returns:
        Its outline and its optical density.
    """
    rng = brush.rng
    outline = rounded_outline(
        rng,
        radius,
        irregularity=0.1,
        elongation=1.0 + 0.5 * float(rng.random()),
        angle=2.0 * math.pi * float(rng.random()),
    )
    mask = patch.fill(outline)
    micron = 1.0 / patch.microns_per_pixel
    core = _smooth(patch.fill(outline * 0.72), 0.22 * micron)
    grain = brush.grain(brush.textures.fine, patch)
    weight = _smooth(mask, 0.12 * micron) * 72 // 255 + core * np.clip(130 + grain, 0, 300) // 255
    return mask, weight[..., None] * brush.dye(brush.stain.granule) >> 8


def paint_smudge(brush: Brush, patch: Patch, radius: float) -> tuple[Mask, Density]:
    """One smudge: the spread chromatin of a burst cell, with frayed strands about it.

    Returns:
        Its outline, strands included, and its optical density.
    """
    rng = brush.rng
    body = rounded_outline(
        rng,
        radius,
        irregularity=0.14,
        elongation=1.0 + 0.4 * float(rng.random()),
        angle=2.0 * math.pi * float(rng.random()),
        waves=(2, 3, 4, 5, 7, 9, 11, 14, 17),
    )
    mask = patch.fill(body)
    strands = []
    # Frayed chromatin is drawn out to one side, that of the spreading of the film.
    windward = 2.0 * math.pi * float(rng.random())
    for _ in range(int(rng.integers(20, 45))):
        x, y = direction(windward + 2.0 * (float(rng.random()) - float(rng.random())))
        start = radius * (0.6 + 0.3 * float(rng.random()))
        length = radius * (0.3 + 0.6 * float(rng.random()))
        steps = np.arange(7) / 6.0
        sway = np.cumsum(rng.random(7) - 0.5) * 0.09 * radius
        strands.append(
            np.stack([x * (start + length * steps) - y * sway, y * (start + length * steps) + x * sway], axis=1)
        )
    fringe = patch.lines(tuple(strands), 0.12)
    micron = 1.0 / patch.microns_per_pixel
    net = np.abs(brush.grain(brush.textures.clumped, patch))
    fine = brush.grain(brush.textures.fine, patch)
    weight = _smooth(mask, 0.25 * micron) * np.clip(185 + (net * 3 >> 2) + (fine >> 1), 40, 330) // 255
    weight += _smooth(fringe, 0.12 * micron) * 34 // 255
    halo = _smooth(patch.fill(body * 1.3), 0.9 * micron) * 28 // 255
    whole = cv2.bitwise_or(mask, fringe)
    return np.asarray(whole, np.uint8), (weight + halo)[..., None] * brush.dye(brush.stain.smudge) >> 8
