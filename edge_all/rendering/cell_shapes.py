"""The shapes of white cells: whole cell, nucleus and what lies in them, in micrometres.

Sizes follow the haematology text books (diameters on a dried film): small lymphocyte 8 to 11, lymphoblast 10 to 18,
neutrophil 12 to 14, monocyte 15 to 18 micrometres, against 7.2 for a red cell.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_all.rendering.outlines import Cut, Points, cut_outline, direction, indent, rounded_outline

__all__ = ["Blob", "CellShape", "RenderedKind", "WhiteKind", "draw_radius", "draw_shape"]

WhiteKind = Literal["blast", "lymphocyte", "neutrophil", "monocyte"]
RenderedKind = Literal["blast", "lymphocyte", "neutrophil", "monocyte", "smudge", "platelet"]

_RADII: dict[WhiteKind, tuple[float, float]] = {
    "blast": (5.1, 8.2),
    "lymphocyte": (4.2, 5.2),
    "neutrophil": (6.0, 7.0),
    "monocyte": (7.4, 8.8),
}


@dataclass(frozen=True, slots=True)
class Blob:
    """A round thing inside a cell: place and radius in micrometres from the cell's centre."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class CellShape:
    """One white cell before it is stained.

    Attributes:
        outline: the whole cell.
        nucleus: polygons whose union is the nucleus.
        strands: chromatin bridges between lobes: centre lines, `STRAND_WIDTH` wide.
        nucleoli: pale places in the nucleus.
        vacuoles: empty places in the cytoplasm.
    """

    outline: Points
    nucleus: tuple[Points, ...]
    strands: tuple[Points, ...] = ()
    nucleoli: tuple[Blob, ...] = ()
    vacuoles: tuple[Blob, ...] = ()


def draw_radius(rng: np.random.Generator, kind: WhiteKind) -> float:
    """A radius of the whole cell in micrometres; most blasts are medium-sized, some are large."""
    low, high = _RADII[kind]
    skew = rng.random() * rng.random() if kind == "blast" else rng.random()
    return low + (high - low) * float(skew)


def draw_shape(rng: np.random.Generator, kind: WhiteKind, radius: float, cuts: tuple[Cut, ...] = ()) -> CellShape:
    """Draw the shape of one cell, flattened against the neighbours that it touches."""
    if kind == "blast":
        return _blast(rng, radius, cuts)
    if kind == "lymphocyte":
        return _lymphocyte(rng, radius, cuts)
    if kind == "neutrophil":
        return _neutrophil(rng, radius, cuts)
    return _monocyte(rng, radius, cuts)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _angle(rng: np.random.Generator) -> float:
    return _between(rng, 0.0, 2.0 * math.pi)


def _blobs(
    rng: np.random.Generator, count: int, reach: tuple[float, float], size: tuple[float, float]
) -> tuple[Blob, ...]:
    blobs = []
    for _ in range(count):
        x, y = direction(_angle(rng))
        distance = _between(rng, *reach)
        blobs.append(Blob(x * distance, y * distance, _between(rng, *size)))
    return tuple(blobs)


def _blast(rng: np.random.Generator, radius: float, cuts: tuple[Cut, ...]) -> CellShape:
    elongation = 1.0 + 0.4 * float(rng.random() * rng.random())
    angle = _angle(rng)
    # Red cells press flat sides into some blasts, which makes them angular.
    cuts = cuts + tuple(
        Cut(direction(_angle(rng)), radius * _between(rng, 0.82, 0.97)) for _ in range(int(rng.integers(0, 5)))
    )
    outline = rounded_outline(rng, radius, irregularity=0.045, elongation=elongation, angle=angle)
    # The nucleus is 72 to 92 % of the cell's area, and lies to one side: the rim is a crescent.
    size = math.sqrt(_between(rng, 0.72, 0.92))
    nucleus = rounded_outline(
        rng, radius * size, irregularity=0.055, elongation=elongation * _between(rng, 0.96, 1.12), angle=angle
    )
    if rng.random() < 0.45:
        nucleus = indent(nucleus, _angle(rng), depth=_between(rng, 0.06, 0.3), width=_between(rng, 0.2, 0.5))
    x, y = direction(_angle(rng))
    shift = radius * (1.0 - size) * _between(rng, 0.2, 0.9)
    nucleus = nucleus + np.array([x * shift, y * shift])
    nucleoli = _blobs(rng, int(rng.integers(0, 4)), (0.1 * radius, 0.55 * radius), (0.5, 0.95))
    vacuoles = (
        _blobs(rng, int(rng.integers(2, 6)), (0.75 * radius, 0.97 * radius), (0.25, 0.5)) if rng.random() < 0.2 else ()
    )
    return CellShape(
        outline=cut_outline(outline, cuts),
        nucleus=(cut_outline(nucleus, cuts, gap=_between(rng, 0.25, 0.5)),),
        nucleoli=nucleoli,
        vacuoles=vacuoles,
    )


def _lymphocyte(rng: np.random.Generator, radius: float, cuts: tuple[Cut, ...]) -> CellShape:
    outline = rounded_outline(rng, radius, irregularity=0.02, elongation=_between(rng, 1.0, 1.1), angle=_angle(rng))
    size = min(_between(rng, 0.82, 0.92), 4.1 / radius)
    nucleus = rounded_outline(
        rng, radius * size, irregularity=0.02, elongation=_between(rng, 1.0, 1.12), angle=_angle(rng)
    )
    if rng.random() < 0.2:
        nucleus = indent(nucleus, _angle(rng), depth=0.1, width=0.4)
    x, y = direction(_angle(rng))
    shift = radius * (1.0 - size) * _between(rng, 0.3, 0.95)
    return CellShape(
        outline=cut_outline(outline, cuts),
        nucleus=(cut_outline(nucleus + np.array([x * shift, y * shift]), cuts, gap=0.3),),
    )


def _neutrophil(rng: np.random.Generator, radius: float, cuts: tuple[Cut, ...]) -> CellShape:
    outline = rounded_outline(rng, radius, irregularity=0.02, elongation=_between(rng, 1.0, 1.12), angle=_angle(rng))
    count = int(rng.choice([2, 3, 3, 3, 4, 4, 5]))
    # Lobes sit like beads on an open ring, a U or a C.
    span = {2: 2.2, 3: 3.6, 4: 4.4, 5: 4.9}[count] * _between(rng, 0.88, 1.1)
    start = _angle(rng)
    size = {2: 0.37, 3: 0.32, 4: 0.275, 5: 0.245}[count]
    centres = []
    lobes = []
    for number in range(count):
        bearing = start + span * number / (count - 1) + _between(rng, -0.12, 0.12)
        x, y = direction(bearing)
        distance = radius * _between(rng, 0.44, 0.56)
        centre = np.array([x * distance, y * distance])
        lobe = rounded_outline(
            rng,
            radius * size * _between(rng, 0.88, 1.12),
            irregularity=0.1,
            elongation=_between(rng, 1.15, 1.7),
            angle=bearing + math.pi / 2.0 + _between(rng, -0.5, 0.5),
            waves=(2, 3, 4),
        )
        centres.append(centre)
        lobes.append(cut_outline(lobe + centre, cuts, gap=0.6))
    strands = tuple(np.stack(pair) for pair in itertools.pairwise(centres))
    return CellShape(outline=cut_outline(outline, cuts), nucleus=tuple(lobes), strands=strands)


def _monocyte(rng: np.random.Generator, radius: float, cuts: tuple[Cut, ...]) -> CellShape:
    outline = rounded_outline(rng, radius, irregularity=0.05, elongation=_between(rng, 1.0, 1.2), angle=_angle(rng))
    size = math.sqrt(_between(rng, 0.42, 0.55))
    angle = _angle(rng)
    kidney = rounded_outline(
        rng, radius * size, irregularity=0.04, elongation=_between(rng, 1.25, 1.5), angle=angle + math.pi / 2.0
    )
    kidney = indent(kidney, angle % (2.0 * math.pi), depth=_between(rng, 0.35, 0.6), width=_between(rng, 0.7, 1.0))
    x, y = direction(angle + math.pi)
    shift = radius * _between(rng, 0.05, 0.2)
    return CellShape(
        outline=cut_outline(outline, cuts),
        nucleus=(cut_outline(kidney + np.array([x * shift, y * shift]), cuts, gap=0.4),),
        vacuoles=_blobs(rng, int(rng.integers(2, 8)), (0.55 * radius, 0.92 * radius), (0.25, 0.55)),
    )
