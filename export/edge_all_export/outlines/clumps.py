"""Fields of composed clumps with exact truth, on which ways to tell touching cells apart are judged.

No one has published such figures for ALL-IDB; the protocol stands in ``docs/segmentation.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage
from edge_all.segmentation.colour_clustering import GROUND_LEVEL
from edge_all_export.outlines.composing import Layer, lay, shift_beside, turned
from edge_all_export.outlines.known_cells import KnownCell, KnownCells

__all__ = ["CLUMP_PATCH", "CLUMP_RED_CELL", "ClumpField", "clump_fields"]

CLUMP_RED_CELL = 20.0
"""Radius of a red cell in these fields, as in a field of ALL-IDB1 at half its size."""
CLUMP_PATCH = 240
"""Side of the pictures that the cells are cut out with: six red cells."""
SIDE = 800
PLACES = ((200, 200), (600, 220), (220, 600), (600, 600))
"""Middles of the clumps; cells of two of them do not touch."""
WHITE_CELLS = (2, 6)
"""White cells of a clump, the last number excluded."""
RED_CELLS = 2
"""Red cells laid against each clump, over or under it."""
STAINED_ALIKE = 12
"""White cells from which those of one field are drawn."""
SCATTERED = 60
"""Red cells tried elsewhere, so that a field has a scale; those that would touch anything are left out."""


@dataclass(frozen=True, slots=True)
class ClumpField:
    """One composed field.

    Attributes:
        pixels: ``uint8 [SIDE, SIDE, 3]`` RGB.
        labels: ``uint16 [SIDE, SIDE]``: 0 or the number of the white cell that is seen there.
    """

    pixels: RgbImage
    labels: NDArray[np.uint16]


def clump_fields(known: KnownCells, count: int, seed: int = 0) -> Iterator[ClumpField]:
    """Compose fields of clumps.

    Args:
        known: cells of one laboratory, read with `CLUMP_RED_CELL` and `CLUMP_PATCH`; red cells of any.
        count: how many fields.
        seed: the same seed gives the same fields.
    """
    for index in range(count):
        yield _clump_field(known, np.random.default_rng((seed, index)))


def _clump_field(known: KnownCells, rng: np.random.Generator) -> ClumpField:
    picture = np.full((SIDE, SIDE, 3), GROUND_LEVEL, np.uint8)
    scene = Layer(picture, np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8))
    likely = _stained_alike(known.white, rng)
    white: list[int] = []
    number = 0
    for x, y in PLACES:
        placed: list[tuple[KnownCell, tuple[int, int]]] = []
        for position in range(int(rng.integers(*WHITE_CELLS)) + RED_CELLS):
            is_white = position == 0 or not known.red or len(placed) < 2 or rng.random() < 0.6
            cells = likely if is_white else known.red
            cell = _turned(cells[rng.integers(len(cells))], rng)
            shift = (x - SIDE // 2, y - SIDE // 2)
            if placed:
                anchor, at = placed[rng.integers(len(placed))]
                beside = shift_beside(anchor, cell, rng)
                shift = (at[0] + beside[0], at[1] + beside[1])
            number += 1
            lay(scene, cell, shift, number, under=bool(rng.integers(2)), transparent=False)
            if is_white:
                placed.append((cell, shift))
                white.append(number)
    _scatter(scene, known, rng)
    table = np.zeros(256, np.uint16)
    for number in white:
        # What has been covered all but wholly cannot be found.
        if np.count_nonzero(scene.owner == number) > np.pi * (0.8 * CLUMP_RED_CELL) ** 2:
            table[number] = number
    noise = rng.normal(0, 1.5, scene.picture.shape)
    pixels = np.clip(np.rint(cv2.GaussianBlur(scene.picture, (0, 0), 0.6) + noise), 0, 255).astype(np.uint8)
    return ClumpField(pixels, table.take(scene.owner))


def _stained_alike(cells: Sequence[KnownCell], rng: np.random.Generator) -> list[KnownCell]:
    """One cell by chance and those whose nuclei are most like its own: a field is stained in one way."""
    colours = np.array([cell.picture[cell.nucleus > 0].mean(axis=0) for cell in cells])
    apart = np.linalg.norm(colours - colours[rng.integers(len(cells))], axis=1)
    return [cells[index] for index in np.argsort(apart)[:STAINED_ALIKE]]


def _turned(cell: KnownCell, rng: np.random.Generator) -> KnownCell:
    return turned(cell, rng.uniform(0, 2 * np.pi), 1.0, mirrored=bool(rng.integers(2)))


def _scatter(scene: Layer, known: KnownCells, rng: np.random.Generator) -> None:
    """Lay red cells where nothing lies yet."""
    half = SIDE // 2
    for _ in range(SCATTERED if known.red else 0):
        cell = _turned(known.red[rng.integers(len(known.red))], rng)
        x, y = (int(place) for place in rng.integers(-half, half, 2))
        reach = round(1.6 * CLUMP_RED_CELL)
        rows = slice(max(0, half + y - reach), half + y + reach)
        columns = slice(max(0, half + x - reach), half + x + reach)
        if not scene.owner[rows, columns].any():
            lay(scene, cell, (x, y), 255, under=False, transparent=False)
