"""The whole way from a field to its cells."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import UsageError
from edge_all.imaging.ranks import median_of
from edge_all.imaging.shrinking import Shrinking, shrink
from edge_all.results import Point, RgbImage, Segmentation, SegmentationWay
from edge_all.segmentation.candidates import PLATELET_RADIUS, SPECK_RADIUS
from edge_all.segmentation.colour_clustering import (
    STAINED,
    ColourModel,
    FloatArray,
    cluster_colours,
    ground_colour,
)
from edge_all.segmentation.groups import LOBE_GAP, Group, cells_of_group, group_in, outline_group
from edge_all.segmentation.illumination import EvenLight, light_of
from edge_all.segmentation.learned_outlines import OutlineNetwork, Outlines, learned_cells
from edge_all.segmentation.nuclei import refine_nuclei
from edge_all.segmentation.numbered_cells import Found, assemble, enlarge
from edge_all.segmentation.outline_network import embedded_outlines
from edge_all.segmentation.own_cytoplasm import nuclei_in_cells
from edge_all.segmentation.red_rings import without_red_rings
from edge_all.segmentation.scale import RED_CELL_RADIUS_MICRONS, Scale, red_cell_scale
from edge_all.segmentation.separation import LARGEST_NUCLEUS, cut_nuclei, separate
from edge_all.segmentation.shapes import around, depth_inside, disc, distance_from, extents_of, fill_holes
from edge_all.segmentation.upright import Upright
from edge_all.segmentation.whole_cells import RedCells, cytoplasm_reach, red_cell_colour
from edge_all.specimen import Specimen, find_specimen

__all__ = ["checked_segmentation", "segment"]

SEGMENTATION_WAYS: tuple[SegmentationWay, ...] = get_args(SegmentationWay)

WORK_PIXELS = 1_500_000
"""Outlines are found at this size, or the next whole fraction below it: a 5-megapixel field at half its size."""
COARSE_PIXELS = 350_000
"""Nuclei are found at this size."""
FINE_PIXELS = 8.0
"""Where a red cell's radius has this many pixels at that size, outlines are found at it, too.
Nucleus Dice on every second ALL-IDB2 crop is 0.953 at full size and 0.952 at a quarter of it; fields take half
the time."""
SCALE_PIXELS = 100_000
"""Red cells are measured at this size."""
SMALLEST_RADIUS = 0.2
"""Nuclei below this many red-cell radii are specks and not reported."""


def segment(
    pixels: RgbImage,
    *,
    microns_per_pixel: float | None = None,
    sizes: Shrinking | None = None,
    specimen: Specimen | None = None,
    outlines: Outlines = "learned",
) -> Segmentation:
    """Find the white cells of one field.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB, from a crop of one cell to a whole field.
        microns_per_pixel: where known, sets the size of a red cell; otherwise the field's own red cells do.
        sizes: of the same pixels, where another stage looks at them, too.
        specimen: what of the picture shows the specimen, where another stage has found it.
        outlines: what decides where one cell ends and the next, or a red cell, begins.

    Returns:
        Candidates and rejected objects, numbered from top to bottom, and their label images.
    """
    network = network_of(outlines)
    height, width = pixels.shape[:2]
    factor = max(1, math.ceil(math.sqrt(height * width / WORK_PIXELS)))
    sizes = sizes or Shrinking(pixels)
    specimen = specimen or find_specimen(sizes, width, height)
    as_it_lies = sizes.by(factor)
    step = max(1, math.ceil(math.sqrt(as_it_lies.shape[0] * as_it_lies.shape[1] / COARSE_PIXELS)))
    coarse = sizes.by(factor, step)
    upright = Upright.of(coarse, None if specimen.whole else at_size_of(coarse, specimen.overview))
    # Rows or columns that fill no block are left out at the end, and turning puts others there.
    fills = as_it_lies.shape[0] % step == as_it_lies.shape[1] % step == 0
    coarse = upright.turned(coarse) if fills else shrink(upright.turned(as_it_lies), step)
    even = EvenField.of(coarse, None if specimen.whole else upright.turned(specimen.overview))
    coarse = even.shown(coarse)
    model, keys = cluster_colours(coarse)
    found: list[Found] = []
    red_radius, error = 0.0, 0.0
    if model.has_nuclei:
        nuclei = np.asarray(cv2.medianBlur(model.nucleus_table.take(keys), 3), np.uint8)
        nuclei = without_red_rings(nuclei, keys, model)
        scale, red_cells = red_cells_of(model, keys, nuclei)
        red_radius, error = scale.radius, scale.error
        if microns_per_pixel is not None:
            error = 0.0
            red_radius = RED_CELL_RADIUS_MICRONS / (microns_per_pixel * factor * step)
        if step == 1 or red_radius >= FINE_PIXELS:
            work, factor, step = coarse, factor * step, 1
        else:
            work = even.shown(upright.turned(as_it_lies))
        measures = WorkScale(factor, step, red_radius * step)
        in_work = find_cells(work, nuclei, measures, model, red_cells, network)
        found = [one.turned_back(upright, work.shape[:2]) for one in in_work]
        red_radius = measures.in_field(1.0)

    def glass(place: Point) -> tuple[float, float, float]:
        return glass_at(*upright.place(place, (height, width)), model, even)

    return dataclasses.replace(assemble(found, factor, red_radius, (height, width), glass), red_cell_error=error)


def checked_segmentation(way: str) -> SegmentationWay:
    """A way to segment by its name.

    Raises:
        UsageError: there is no such way.
    """
    for known in SEGMENTATION_WAYS:
        if way == known:
            return known
    raise UsageError(
        f"There is no segmentation {way!r}.", f"Choose {' or '.join(SEGMENTATION_WAYS)}.", settings=("segmentation",)
    )


def network_of(outlines: Outlines) -> OutlineNetwork | None:
    """The network that is meant; None where colour decides all."""
    if outlines == "colour":
        return None
    return embedded_outlines() if outlines == "learned" else outlines


@dataclass(frozen=True, slots=True)
class EvenField:
    """A field under even light, with glass where it shows no specimen.

    Attributes:
        light: what it is evened by; None where it is even.
        specimen: ``uint8 [height, width]``, 1 where it shows specimen; None for everywhere.
        glass: ``float32 [3]`` RGB, the colour that the rest gets.
    """

    light: EvenLight | None
    specimen: NDArray[np.uint8] | None
    glass: FloatArray | None

    @classmethod
    def of(cls, coarse: RgbImage, specimen: NDArray[np.uint8] | None) -> EvenField:
        """What a field has to be evened by, and its glass.

        Args:
            coarse: ``uint8 [height, width, 3]`` RGB.
            specimen: as of the attribute, at any size.
        """
        if specimen is None:
            return cls(light_of(coarse), None, None)
        shown = at_size_of(coarse, specimen)
        light = light_of(coarse, shown)
        lit = coarse if light is None else light.evened(coarse)
        return cls(light, specimen, ground_colour(lit[shown > 0][:, None]))

    def shown(self, image: RgbImage) -> RgbImage:
        """The field at any size, as it is to be looked at."""
        if self.light is not None:
            image = self.light.evened(image)
        if self.specimen is None or self.glass is None:
            return image
        return np.where(at_size_of(image, self.specimen)[..., None] > 0, image, np.rint(self.glass).astype(np.uint8))


def at_size_of(image: RgbImage, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask at the size of an image."""
    return np.asarray(cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def glass_at(place: Point, shape: tuple[int, int], model: ColourModel, even: EvenField) -> tuple[float, float, float]:
    """Red, green and blue of the glass at a place of the field, to a tenth of a level.

    Args:
        place: column and row in pixels of the field.
        shape: height and width of the field.
        model: with the colour of the glass of the evened field.
        even: what the field was evened by.
    """
    share = 1.0 if even.light is None else even.light.at(place, shape)
    red, green, blue = (round(share * level, 1) for level in model.ground.tolist())
    return red, green, blue


@dataclass(frozen=True, slots=True)
class WorkScale:
    """Lengths in red-cell radii, as pixels of the three sizes at which a field is looked at.

    Attributes:
        factor: how much smaller than the field the working image is, on which cells are outlined.
        step: how much smaller than the working image the coarse one is, on which nuclei are found.
        red_radius: radius of a red cell in pixels of the working image.
    """

    factor: int
    step: int
    red_radius: float

    @property
    def grain(self) -> bool:
        """Whether the grain of the camera is still in the working image; shrinking takes it out."""
        return self.factor == 1

    def in_field(self, red_cells: float) -> float:
        """So many red-cell radii in pixels of the field."""
        return red_cells * self.red_radius * self.factor

    def in_work(self, red_cells: float) -> float:
        """So many red-cell radii in pixels of the working image."""
        return red_cells * self.red_radius

    def in_coarse(self, red_cells: float) -> float:
        """So many red-cell radii in pixels of the coarse image."""
        return red_cells * self.red_radius / self.step

    def disc_in_coarse(self, red_cells: float) -> float:
        """Area in pixels of the coarse image of a disc with a radius of so many red-cell radii."""
        return math.pi * self.in_coarse(red_cells) ** 2

    def window(self, work: RgbImage, place: tuple[slice, slice], coarse_shape: tuple[int, int]) -> RgbImage:
        """What of the working image lies at a place of the coarse one.

        The last rows and columns of the working image may not fill a coarse pixel; they belong to the last that is.
        """
        rows, columns = (
            slice(at.start * self.step, at.stop * self.step if at.stop < coarse else whole)
            for at, coarse, whole in zip(place, coarse_shape, work.shape[:2], strict=True)
        )
        return work[rows, columns]


def red_cells_of(
    model: ColourModel, keys: NDArray[np.uint16], nuclei: NDArray[np.uint8]
) -> tuple[Scale, RedCells | None]:
    """Radius, in pixels of these images, and colour of the red cells."""
    stride = max(1, math.ceil(math.sqrt(keys.size / SCALE_PIXELS)))
    few_keys, few_nuclei = keys[::stride, ::stride], np.ascontiguousarray(nuclei[::stride, ::stride])
    from_ground = model.ground_distance_table.take(few_keys)
    scale = red_cell_scale(from_ground, STAINED, few_nuclei, *typical_nucleus(few_nuclei))
    reach = cytoplasm_reach() * scale.radius
    far = distance_from(few_nuclei, reach, 3) > reach
    sample = few_keys[far]
    lab = model.lab_table.take(sample[:: max(1, len(sample) // 6000)], axis=0)
    return Scale(scale.radius * stride, scale.error), red_cell_colour(lab)


def typical_nucleus(nuclei: NDArray[np.uint8]) -> tuple[float, float]:
    """How large the nuclei are.

    The median radius of the discs of their areas, the lobes of one taken together and small ones left out, and that of
    the largest disc that fits into any.
    """
    nuclei = nuclei.copy()
    place = around(nuclei, 1)
    fill_holes(nuclei[place], 0.05 * nuclei.size)
    depths = np.zeros(nuclei.shape, np.float32)
    depths[place] = depth_inside(nuclei[place], max(nuclei.shape) / 2)
    thickest = float(depths.max())
    # Lobes of one nucleus lie nearer than twice their radius.
    closed = cv2.dilate(nuclei, disc(min(thickest, 0.1 * max(nuclei.shape))))
    count, groups = cv2.connectedComponents(closed)
    if count <= 1:
        return 1.0, 1.0
    inside = nuclei > 0
    group_of = np.asarray(groups, np.int32)[inside]
    area = np.bincount(group_of, minlength=count)
    depth = np.zeros(count, np.float32)
    np.maximum.at(depth, group_of, depths[inside])
    radius = np.sqrt(area / math.pi)
    return max(1.0, median_of(radius[depth > thickest / 2])), thickest


def find_cells(
    work: RgbImage,
    nuclei: NDArray[np.uint8],
    measures: WorkScale,
    model: ColourModel,
    red_cells: RedCells | None,
    network: OutlineNetwork | None,
) -> list[Found]:
    """Outline each cell; nuclei that could belong together are looked at together.

    Args:
        work: ``uint8 [height, width, 3]`` RGB, the working image.
        nuclei: ``uint8``, 1 on nuclei, of the coarse image.
        measures: how large both are, and a red cell in them.
        model: colours of the field.
        red_cells: colour of the red cells.
        network: that decides what colour cannot; None where colour decides all.
    """
    groups, found = groups_in(work, nuclei, measures, model)
    refined = refine_nuclei([(group.lab, group.own) for group in groups], measures.in_work(LARGEST_NUCLEUS))
    grown = (
        outline_group(group, outlined, red_cells, measures.red_radius)
        for group, outlined in zip(groups, refined, strict=True)
    )
    grown_groups = [group for group in grown if group is not None]
    if network is None:
        radius = measures.red_radius
        cells = [
            separate(cut_nuclei(one.nuclei, radius, one.depth_limit), one.whole, radius, one.depth_limit)
            for one in grown_groups
        ]
    else:
        cells = learned_cells(grown_groups, work, model.balance, measures.red_radius, network)
    outlined = [one for both in zip(grown_groups, cells, strict=True) for one in cells_of_group(*both)]
    nuclei_told = nuclei_in_cells([colours for _, colours in outlined])
    exact = [dataclasses.replace(one, exact=nucleus) for (one, _), nucleus in zip(outlined, nuclei_told, strict=True)]
    return found + exact


def groups_in(
    work: RgbImage, nuclei: NDArray[np.uint8], measures: WorkScale, model: ColourModel
) -> tuple[list[Group], list[Found]]:
    """The nuclei that could belong together; what is too small to have a cell around it is found as it is.

    The arguments are those of `find_cells`.
    """
    gap = disc(measures.in_coarse(LOBE_GAP))
    joined = cv2.dilate(nuclei, gap)
    # Numbers of 16 bits are enough for `COARSE_PIXELS`.
    count, numbered = cv2.connectedComponents(joined, ltype=cv2.CV_16U)
    group_of = np.asarray(numbered, np.uint16)
    nucleus_area, extents = extents_of(group_of, nuclei > 0, count)
    least = measures.disc_in_coarse(SMALLEST_RADIUS)
    rows, columns = nuclei.shape
    # Platelets and specks have no cytoplasm to be kept from their neighbours.
    rivals = nuclei.copy()
    for small in (np.flatnonzero(nucleus_area[1:] <= measures.disc_in_coarse(PLATELET_RADIUS)) + 1).tolist():
        first_row, last_row, first_column, last_column = extents[:, small].tolist()
        place = (slice(first_row, last_row + 1), slice(first_column, last_column + 1))
        rivals[place] &= (group_of[place] != small).view(np.uint8)
    found: list[Found] = []
    groups: list[Group] = []
    for index in range(1, count):
        if nucleus_area[index] < max(4.0, least):
            continue
        radius = min(math.sqrt(nucleus_area[index] / math.pi), measures.in_coarse(LARGEST_NUCLEUS))
        margin = math.ceil(cytoplasm_reach() * radius + 2) + gap.shape[0] // 2
        first_row, last_row, first_column, last_column = extents[:, index].tolist()
        left, top = max(0, first_column - margin), max(0, first_row - margin)
        right, bottom = min(columns, last_column + 1 + margin), min(rows, last_row + 1 + margin)
        place = (slice(top, bottom), slice(left, right))
        here, seed = group_of[place], nuclei[place]
        mine = (here == index).view(np.uint8)
        own, other = seed & mine, rivals[place] & (1 - mine)
        if nucleus_area[index] < measures.disc_in_coarse(SPECK_RADIUS):
            found.append(speck(own, left, top, measures.step))
            continue
        window = measures.window(work, place, (rows, columns))
        corner = (left * measures.step, top * measures.step)
        groups.append(group_in(window, *corner, own, other, model, grain=measures.grain))
    return groups, found


def speck(own: NDArray[np.uint8], left: int, top: int, step: int) -> Found:
    """An object so small that its outline does not matter: as found, with a rim."""
    whole = cv2.dilate(own, disc(1)).astype(np.uint8, copy=False)
    return Found(enlarge(own, step), enlarge(whole, step), left * step, top * step, None)
