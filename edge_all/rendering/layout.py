"""Where everything lies on the slide, in micrometres.

White cells come first, the largest first; platelets keep off them; red cells fill the rest, some of them in chains,
and may touch a white cell but not lie under its middle.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import UsageError
from edge_all.rendering.cell_shapes import WhiteKind, draw_radius
from edge_all.rendering.outlines import Cut, direction
from edge_all.rendering.red_cells import RED_CELL_RADIUS
from edge_all.rendering.spec import SmearSpec

__all__ = ["Layout", "Place", "WhiteCellPlace", "lay_out"]

_GAP = 1.2
"""Free slide between white cells that are not to touch, in micrometres."""
_REACH = 1.25
"""How far an irregular outline reaches, relative to its mean radius."""
_FRAYED_REACH = 1.8
"""The same for a smudge with its strands."""
_TRIES = 1200
_TOUCH = 0.93
"""Distance of touching cells relative to the sum of their radii."""


@dataclass(frozen=True, slots=True)
class Place:
    """Centre and mean radius of one object in micrometres."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class WhiteCellPlace(Place):
    """One white cell: where it lies, what it is, and its straight borders with the neighbours that it touches."""

    kind: WhiteKind
    cuts: tuple[Cut, ...] = ()


_AnyPlace = TypeVar("_AnyPlace", Place, WhiteCellPlace)


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything on the slide: white cells, smudges, platelets; and the centres of the red cells."""

    white_cells: tuple[WhiteCellPlace, ...]
    smudges: tuple[Place, ...]
    platelets: tuple[Place, ...]
    red_cells: tuple[tuple[float, float], ...]


class _Slide:
    """The places taken so far."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._taken: list[tuple[float, float, float]] = []

    def occupy(self, x: float, y: float, radius: float) -> None:
        self._taken.append((x, y, radius))

    def free(self, x: NDArray[np.float64], y: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
        """For each candidate centre: does a disc of this radius there keep off everything that is taken?"""
        clear = np.ones(x.shape, np.bool_)
        for taken_x, taken_y, taken_radius in self._taken:
            reach = radius + taken_radius
            clear &= (x - taken_x) ** 2 + (y - taken_y) ** 2 >= reach * reach
        return clear

    def find(self, rng: np.random.Generator, members: list[tuple[float, float, float]]) -> tuple[float, float] | None:
        """A random place inside the field where a group fits; members are offsets and reaches in micrometres."""
        low_x = max(reach - x for x, _, reach in members)
        low_y = max(reach - y for _, y, reach in members)
        high_x = min(self.width - reach - x for x, _, reach in members)
        high_y = min(self.height - reach - y for _, y, reach in members)
        if high_x < low_x or high_y < low_y:
            return None
        draws = rng.random((2, _TRIES))
        x, y = low_x + (high_x - low_x) * draws[0], low_y + (high_y - low_y) * draws[1]
        clear = np.ones(_TRIES, np.bool_)
        for offset_x, offset_y, reach in members:
            clear &= self.free(x + offset_x, y + offset_y, reach)
        hits = np.flatnonzero(clear)
        return (float(x[hits[0]]), float(y[hits[0]])) if hits.size else None


def lay_out(rng: np.random.Generator, spec: SmearSpec, width: float, height: float) -> Layout:
    """Find a place for everything.

    Args:
        rng: source of every choice.
        spec: what is asked for.
        width: width of the field in micrometres.
        height: its height.

    Raises:
        UsageError: the white cells do not fit into the field.
    """
    slide = _Slide(width, height)
    white = [_at_border(rng, slide) for _ in range(spec.cut_blasts)]
    for size in sorted(spec.clumps, reverse=True):
        white.extend(_settle(rng, slide, f"a clump of {size} blasts", _clump(rng, size)))
    kinds: tuple[tuple[WhiteKind, int], ...] = (
        ("monocyte", spec.monocytes),
        ("blast", spec.blasts),
        ("neutrophil", spec.neutrophils),
        ("lymphocyte", spec.lymphocytes),
    )
    for kind, count in kinds:
        for _ in range(count):
            single = WhiteCellPlace(0.0, 0.0, draw_radius(rng, kind), kind)
            white.extend(_settle(rng, slide, f"another {kind}", [single]))
    smudges: list[Place] = []
    for _ in range(spec.smudges):
        burst = Place(0.0, 0.0, 5.5 + 2.0 * float(rng.random()))
        smudges.extend(_settle(rng, slide, "another smudge", [burst], reach=_FRAYED_REACH))
    platelets: list[Place] = []
    for _ in range(spec.platelets):
        small = Place(0.0, 0.0, 0.95 + 0.55 * float(rng.random()))
        platelets.extend(_settle(rng, slide, "another platelet", [small]))
    obstacles = [(place.x, place.y, 0.9 * place.radius + 0.72 * RED_CELL_RADIUS) for place in white]
    obstacles += [(place.x, place.y, 0.3 * place.radius + 0.8 * RED_CELL_RADIUS) for place in platelets]
    red = _red_cells(rng, spec.red_cell_cover, width, height, obstacles)
    return Layout(tuple(white), tuple(smudges), tuple(platelets), red)


def _keep_off(place: Place, reach: float) -> float:
    """Radius of the disc that an object claims for itself."""
    return place.radius * reach + _GAP / 2.0


def _settle(
    rng: np.random.Generator, slide: _Slide, what: str, group: list[_AnyPlace], *, reach: float = _REACH
) -> list[_AnyPlace]:
    """Move a group about the origin to a free place of the slide, and take the place."""
    spot = slide.find(rng, [(place.x, place.y, _keep_off(place, reach)) for place in group])
    if spot is None:
        raise UsageError(
            f"There is no room for {what} in a field of {slide.width:.0f} x {slide.height:.0f} micrometres.",
            "Ask for fewer cells, a larger field or more micrometres per pixel.",
        )
    settled = [dataclasses.replace(place, x=spot[0] + place.x, y=spot[1] + place.y) for place in group]
    for place in settled:
        slide.occupy(place.x, place.y, _keep_off(place, reach))
    return settled


def _at_border(rng: np.random.Generator, slide: _Slide) -> WhiteCellPlace:
    radius = draw_radius(rng, "blast")
    for _ in range(_TRIES):
        along, inward, side = float(rng.random()), (float(rng.random()) - 0.5) * 0.7 * radius, int(rng.integers(0, 4))
        x = (inward, slide.width - inward, along * slide.width, along * slide.width)[side]
        y = (along * slide.height, along * slide.height, inward, slide.height - inward)[side]
        place = WhiteCellPlace(x, y, radius, "blast")
        if slide.free(np.array([x]), np.array([y]), _keep_off(place, _REACH))[0]:
            slide.occupy(x, y, _keep_off(place, _REACH))
            return place
    raise UsageError(
        f"There is no room for another cell at the border of a field of {slide.width:.0f} x {slide.height:.0f} "
        "micrometres.",
        "Ask for fewer cut_blasts or a larger field.",
    )


def _clump(rng: np.random.Generator, size: int) -> list[WhiteCellPlace]:
    """Touching blasts about the origin: each new one leans on one that is there, as close to the middle as it can."""
    radii = [draw_radius(rng, "blast") for _ in range(size)]
    spots: list[tuple[float, float]] = [(0.0, 0.0)]
    for number in range(1, size):
        # Should no try succeed, a chain along x is a clump too.
        best = (math.inf, max(x for x, _ in spots) + 2.0 * _TOUCH * max(radii), 0.0)
        for _ in range(40):
            host = int(rng.integers(0, number))
            step = _TOUCH * (radii[host] + radii[number])
            dx, dy = direction(2.0 * math.pi * float(rng.random()))
            x, y = spots[host][0] + dx * step, spots[host][1] + dy * step
            if any(
                (x - spots[other][0]) ** 2 + (y - spots[other][1]) ** 2
                < (0.999 * _TOUCH * (radii[other] + radii[number])) ** 2
                for other in range(number)
            ):
                continue
            spread = math.sqrt(x * x + y * y) * (0.6 + 0.8 * float(rng.random()))
            if spread < best[0]:
                best = (spread, x, y)
        spots.append((best[1], best[2]))
    return [
        WhiteCellPlace(x, y, radius, "blast", _borders(number, spots, radii))
        for number, ((x, y), radius) in enumerate(zip(spots, radii, strict=True))
    ]


def _borders(number: int, spots: list[tuple[float, float]], radii: list[float]) -> tuple[Cut, ...]:
    """The radical lines with all neighbours that may be touched: both sides agree on them, so nothing overlaps."""
    cuts = []
    for other, (x, y) in enumerate(spots):
        dx, dy = x - spots[number][0], y - spots[number][1]
        distance = math.sqrt(dx * dx + dy * dy)
        if other != number and distance < 1.25 * (radii[number] + radii[other]):
            line = (distance * distance + radii[number] ** 2 - radii[other] ** 2) / (2.0 * distance)
            cuts.append(Cut((dx / distance, dy / distance), line))
    return tuple(cuts)


def _red_cells(
    rng: np.random.Generator, cover: float, width: float, height: float, obstacles: list[tuple[float, float, float]]
) -> tuple[tuple[float, float], ...]:
    # Centres may lie outside the field by a radius, so that cells are cut by its border as on a slide.
    wide, high = width + 2.0 * RED_CELL_RADIUS, height + 2.0 * RED_CELL_RADIUS
    wanted = round(cover * wide * high / (math.pi * RED_CELL_RADIUS**2))
    centres = np.empty((wanted, 2))
    blocked = np.array(obstacles).reshape(-1, 3)
    count = 0
    for _ in range(wanted):
        # A third of the cells lean on an earlier one, which makes doublets and short chains.
        leaning = count > 0 and rng.random() < 0.33
        closest = 2.0 * RED_CELL_RADIUS
        for attempt in range(10):
            if leaning:
                host = centres[int(rng.integers(0, count))]
                dx, dy = direction(2.0 * math.pi * float(rng.random()))
                step = RED_CELL_RADIUS * (0.9 + 1.05 * float(rng.random()))
                x, y = float(host[0]) + dx * step, float(host[1]) + dy * step
                room = 0.85 * RED_CELL_RADIUS
            else:
                x = float(rng.random()) * wide - RED_CELL_RADIUS
                y = float(rng.random()) * high - RED_CELL_RADIUS
                # Where the field is crowded, cells give up keeping their distance.
                room = closest * (1.0 - 0.06 * attempt)
            if np.any((blocked[:, 0] - x) ** 2 + (blocked[:, 1] - y) ** 2 < blocked[:, 2] ** 2):
                continue
            taken = centres[:count]
            if np.any((taken[:, 0] - x) ** 2 + (taken[:, 1] - y) ** 2 < room * room):
                continue
            centres[count] = x, y
            count += 1
            break
    return tuple((float(x), float(y)) for x, y in centres[:count])
