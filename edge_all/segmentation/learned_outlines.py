"""Where one cell ends and the next, or a red cell, begins: what colour cannot decide, decided by what was learned.

Nuclei are cut at every neck, as `separation` does. A network is shown one window for each part (`outline_windows`) and
says which pixels belong to the same cell as that part. Parts that claim one another's nuclei are one cell; a pixel goes
to the cell that claims it most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage, SegmentationWay
from edge_all.segmentation.colour_clustering import GROUND_LEVEL, FloatArray
from edge_all.segmentation.groups import LOBE_GAP, OutlinedGroup
from edge_all.segmentation.outline_windows import (
    CHANNELS,
    RED_CELL_PIXELS,
    WINDOW,
    lay_around,
    scaled_view,
    seed_disc,
)
from edge_all.segmentation.separation import NumberedCells, cut_nuclei, nearest_part, nucleus_parts, separate
from edge_all.segmentation.shapes import fill_holes, likeness_to_ellipse

__all__ = ["OutlineNetwork", "Outlines", "learned_cells"]

CERTAIN = 0.9
"""Likeness to an ellipse (`likeness_to_ellipse`) from which the outline that colour gave a single nucleus stands."""
LIKELY = 0.5
"""Probability from which a pixel belongs to a cell, and two parts whose nuclei claim one another are one; a cell whose
own nucleus is claimed less on average is unknown to the network, and its colours decide."""


class OutlineNetwork(Protocol):
    """Says of each pixel of a window whether it belongs to the cell that is meant."""

    def __call__(self, windows: NDArray[np.uint8], /) -> FloatArray:
        """Probabilities.

        Args:
            windows: ``uint8 [n, WINDOW, WINDOW, CHANNELS]``, see `outline_windows`.

        Returns:
            ``float32 [n, WINDOW, WINDOW]``.
        """


Outlines: TypeAlias = SegmentationWay | OutlineNetwork
"""What decides where one cell ends and the next, or a red cell, begins: a network, ``learned`` for the embedded one,
``colour`` for colours and necks alone."""


@dataclass(frozen=True, slots=True)
class Seed:
    """The deepest point of a part of a nucleus, in pixels of the windows.

    Attributes:
        x: column.
        y: row.
        radius: of the largest disc around it that fits into the nucleus.
    """

    x: int
    y: int
    radius: float


@dataclass(frozen=True, slots=True)
class AskedGroup:
    """A group and what the network is asked about it.

    Attributes:
        group: nuclei, and what colour takes for their cells.
        by_colour: the one cell that these are, where colour is certain of it; None elsewhere.
        labels: ``int32 [height, width]``, the parts of the nuclei from 1.
        seeds: of each part; none where colour is certain.
        red_radius: radius of a red cell.
        field: height and width of the working image.
    """

    group: OutlinedGroup
    by_colour: NumberedCells | None
    labels: NDArray[np.int32]
    seeds: tuple[Seed, ...]
    red_radius: float
    field: tuple[int, int]

    @classmethod
    def of(cls, group: OutlinedGroup, red_radius: float, scale: float, field: tuple[int, int]) -> AskedGroup:
        """Cut the nuclei of a group, and ask about each part unless the outline by colour shows one whole cell.

        Several round cells are asked about, too: two halves of one burst nucleus are each like an ellipse. In composed
        clumps it makes no difference whether the network's outlines or the colours' stand where both count as many
        (panoptic quality 0.809 and 0.812, 0.803 and 0.801, 0.786 and 0.785, 0.794 and 0.789 of ALL-IDB1,
        segmentation_wbc 2, BCCD and Raabin, each by a network that never saw it).
        """
        cut = cut_nuclei(group.nuclei, red_radius, group.depth_limit)
        if likeness_to_ellipse(group.whole) >= CERTAIN:
            by_colour = separate(cut, group.whole, red_radius, group.depth_limit)
            if by_colour.count == 1:
                return cls(group, replace(by_colour, undecided=(0.0,)), by_colour.nuclei, (), red_radius, field)
        labels, count = nucleus_parts(cut, red_radius)
        return cls(group, None, labels, seeds_of(group, cut.depth, labels, count, scale), red_radius, field)

    def numbered(self, claims: list[FloatArray]) -> NumberedCells:
        """The cells: by colour where that is certain, else by what the network says of each part."""
        if self.by_colour is not None:
            return self.by_colour
        return numbered_by(self.group, self.labels, np.array(claims, np.float32), self.red_radius, self.field)


def learned_cells(
    groups: Sequence[OutlinedGroup],
    work: RgbImage,
    balance: NDArray[np.uint8],
    red_radius: float,
    network: OutlineNetwork,
) -> list[NumberedCells]:
    """Number the cells of all groups of a field; the network runs once.

    Args:
        groups: nuclei and what colour takes for their cells.
        work: ``uint8 [height, width, 3]`` RGB, the working image.
        balance: table for `cv2.LUT` that puts its ground at one grey.
        red_radius: radius of a red cell in it.
        network: of outlines.
    """
    scale = RED_CELL_PIXELS / red_radius
    asked = [AskedGroup.of(group, red_radius, scale, (work.shape[0], work.shape[1])) for group in groups]
    seeds = [seed for one in asked for seed in one.seeds]
    # In two of five fields of ALL-IDB1 colour is certain everywhere; to bring one to the windows' size takes 1 ms.
    claims = iter(network(windows_of(seeds, scaled_view(work, balance, red_radius)[0])) if seeds else ())
    return [one.numbered([in_group(next(claims), seed, one.group, scale) for seed in one.seeds]) for one in asked]


def windows_of(seeds: Sequence[Seed], view: RgbImage) -> NDArray[np.uint8]:
    """What the network is shown: ``uint8 [seeds, WINDOW, WINDOW, CHANNELS]``."""
    windows = np.full((len(seeds), WINDOW, WINDOW, CHANNELS), GROUND_LEVEL, np.uint8)
    for window, seed in zip(windows, seeds, strict=True):
        lay_around(view, seed.x, seed.y, window[..., :3])
        window[..., 3] = seed_disc(seed.radius)
    return windows


def seeds_of(
    group: OutlinedGroup, depth: FloatArray, labels: NDArray[np.int32], count: int, scale: float
) -> tuple[Seed, ...]:
    """The seed of each part.

    Args:
        group: the group.
        depth: ``float32 [height, width]``, of its nuclei.
        labels: ``int32 [height, width]``, their parts from 1.
        count: number of parts.
        scale: brings lengths to those of the windows.
    """
    seeds = []
    for number in range(1, count + 1):
        place = int(np.where(labels == number, depth, -1).argmax())
        row, column = divmod(place, labels.shape[1])
        x, y = (round((value + 0.5) * scale - 0.5) for value in (group.left + column, group.top + row))
        seeds.append(Seed(x, y, float(depth[row, column]) * scale))
    return tuple(seeds)


def in_group(claim: FloatArray, seed: Seed, group: OutlinedGroup, scale: float) -> FloatArray:
    """Probabilities of a window in the pixels of a group; 0 where the window does not reach."""
    matrix = np.zeros((2, 3))
    for axis, (corner, middle) in enumerate(((group.left, seed.x), (group.top, seed.y))):
        matrix[axis, axis] = scale
        matrix[axis, 2] = (corner + 0.5) * scale - 0.5 - (middle - WINDOW // 2)
    size = (group.nuclei.shape[1], group.nuclei.shape[0])
    return np.asarray(cv2.warpAffine(claim, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.float32)


def numbered_by(
    group: OutlinedGroup, labels: NDArray[np.int32], claims: FloatArray, red_radius: float, field: tuple[int, int]
) -> NumberedCells:
    """Join the parts of a group that are one cell, and give each pixel to the cell that claims it most.

    Args:
        group: the group.
        labels: ``int32 [height, width]``, the parts of its nuclei from 1.
        claims: ``float32 [parts, height, width]``, the probability of each pixel to belong to the cell of each part.
        red_radius: radius of a red cell.
        field: height and width of the working image.
    """
    owner, areas = joined(labels, claims)
    count = int(owner.max())
    nuclei = labels if count == len(claims) else np.concatenate([[0], owner]).astype(np.int32).take(labels)
    of_cell = claims if count == len(claims) else claims_of_cells(claims, owner, areas)
    inner = inner_sides(group, field)
    known = [
        is_known(claim, nuclei == number, inner, LOBE_GAP * red_radius) for number, claim in enumerate(of_cell, start=1)
    ]
    if not all(known):
        nearest = nearest_part(nuclei, group.whole)
        of_cell = of_cell.copy()
        for index in np.flatnonzero(np.logical_not(known)):
            of_cell[index] = np.where(nearest == index + 1, np.float32(LIKELY + 0.01), np.float32(0))
    numbers = np.zeros(labels.shape, np.int32)
    most = np.full(labels.shape, LIKELY, np.float32)
    for number, claim in enumerate(of_cell, start=1):
        np.copyto(numbers, np.int32(number), where=claim > most)
        np.maximum(most, claim, out=most)
    np.copyto(numbers, nuclei, where=nuclei > 0)
    undecided = []
    for number in range(1, count + 1):
        mask = (numbers == number).view(np.uint8)
        fill_holes(mask, float(np.count_nonzero(mask)))
        numbers[(mask > 0) & (numbers == 0)] = number
        undecided.append(undecided_rim(mask, of_cell[number - 1]) / red_radius if known[number - 1] else math.inf)
    return NumberedCells(nuclei, numbers, count, tuple(undecided))


def claims_of_cells(claims: FloatArray, owner: NDArray[np.int32], areas: NDArray[np.float64]) -> FloatArray:
    """Mean of the claims of the parts of each cell, by their areas: ``float32 [cells, height, width]``.

    Args:
        claims: ``float32 [parts, height, width]``.
        owner: ``int32 [parts]``, the number of the cell of each, from 1.
        areas: ``float64 [parts]``.
    """
    of_cell = np.zeros((int(owner.max()), *claims.shape[1:]), np.float32)
    for part, claim in enumerate(claims):
        share = areas[part] / areas[owner == owner[part]].sum()
        of_cell[owner[part] - 1] += share * claim
    return of_cell


def is_known(claim: FloatArray, nucleus: NDArray[np.bool_], inner: tuple[bool, bool, bool, bool], most: float) -> bool:
    """Whether the network knows a cell; the arguments are those of `runs_over`."""
    return bool(claim[nucleus].mean() >= LIKELY) and not runs_over(claim, nucleus, inner, most)


def inner_sides(group: OutlinedGroup, field: tuple[int, int]) -> tuple[bool, bool, bool, bool]:
    """Whether the field goes on beyond the upper, lower, left and right side of a group's window."""
    height, width = group.nuclei.shape
    return group.top > 0, group.top + height < field[0], group.left > 0, group.left + width < field[1]


def runs_over(claim: FloatArray, nucleus: NDArray[np.bool_], inner: tuple[bool, bool, bool, bool], most: float) -> bool:
    """Whether a cell that the picture's border cuts is claimed over the window's edge, where the field goes on.

    A window reaches half a red cell further than what colour took for whole cells. What runs over it beside the
    picture's border is mostly glass or a red cell that the network took for cytoplasm; no set has truth there, but of
    eight such fields of four sets the colours' outline was the better one in seven by eye. Cells away from the border
    keep the network's claim: of Raabin, judged by a network that never saw it, two of 168 were lost by colour.

    Args:
        claim: ``float32 [height, width]``, the probability of each pixel of the window to belong to the cell.
        nucleus: ``bool [height, width]``, of the cell.
        inner: as of `inner_sides`.
        most: pixels of a side along which it may be claimed.
    """
    sides = [
        (claim[0], nucleus[0]),
        (claim[-1], nucleus[-1]),
        (claim[:, 0], nucleus[:, 0]),
        (claim[:, -1], nucleus[:, -1]),
    ]
    cut = any(touched.any() for (_, touched), goes_on in zip(sides, inner, strict=True) if not goes_on)
    return cut and any(
        np.count_nonzero(claimed > LIKELY) > most for (claimed, _), goes_on in zip(sides, inner, strict=True) if goes_on
    )


def undecided_rim(mask: NDArray[np.uint8], claimed: FloatArray) -> float:
    """How wide a rim around a cell is undecided, in pixels.

    The pixels that are claimed with a probability p, each counted 4 p (1 - p): wholly at one half, not at all at 0 and
    1. Over the circumference of the disc of the cell's area.
    """
    return float((4 * claimed * (1 - claimed)).sum() / (2 * math.sqrt(math.pi * np.count_nonzero(mask))))


def joined(labels: NDArray[np.int32], claims: FloatArray) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Which parts are one cell, by average linkage.

    Returns:
        ``int32 [count]`` the number of the cell of each part, from 1, and ``float64 [count]`` the area of each part.
    """
    count = len(claims)
    if count == 1:
        return np.ones(1, np.int32), np.array([np.count_nonzero(labels)], np.float64)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(np.float64)
    inside = labels > 0
    of_pixel = labels[inside]
    claimed = np.array(
        [np.bincount(of_pixel, claim[inside], minlength=count + 1)[1:] / np.maximum(1, areas) for claim in claims]
    ).reshape(count, count)
    alike = (claimed + claimed.T) / 2
    np.fill_diagonal(alike, 0)
    weights, owner = areas.copy(), np.arange(count)
    while alike.max() > LIKELY:
        keep, drop = divmod(int(alike.argmax()), count)
        both = (weights[keep] * alike[keep] + weights[drop] * alike[drop]) / max(1.0, weights[keep] + weights[drop])
        alike[keep], alike[:, keep] = both, both
        alike[keep, keep] = 0
        alike[drop], alike[:, drop] = 0, 0
        weights[keep] += weights[drop]
        owner[owner == drop] = keep
    _, numbers = np.unique(owner, return_inverse=True)
    return (numbers + 1).astype(np.int32), areas
