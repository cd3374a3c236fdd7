"""Windows and clumps composed of single cells, so that every outline is known where real clumps have none.

A cell stays in its own surroundings; red cells and white cells of its laboratory are laid beside, over or under it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import Mask, RgbImage
from edge_all.segmentation.colour_clustering import GROUND_LEVEL
from edge_all.segmentation.outline_windows import RED_CELL_PIXELS, WINDOW, seed_disc
from edge_all_export.outlines.known_cells import PATCH_RED_CELL, KnownCell, KnownCells

__all__ = ["Composer", "Layer", "lay", "turned", "with_eosin"]

COMPOSED = 0.7
"""Share of windows in which something is laid beside the cell."""
MOST_BESIDE = 4
WHITE = 0.5
"""Share of white cells among what is laid beside it."""
OVERLAP = (-0.1, 0.35)
"""How far two outlines run into one another, in radii of the smaller; below 0 they stand apart."""
UNDER = 0.5
"""Share of what lies under the cell rather than over it."""
TRANSPARENT = 0.3
"""Share of red cells through which what lies below is seen."""
LEAST_LEFT = 0.65
"""Share of a cell that has to stay visible, or the object is not laid."""
ZOOM = (0.7, 1.4)
"""Sizes that a cell is shown at: the radius of a red cell may be measured wrongly by as much."""
LIKE_RED_CELLS = 0.2
"""Share of cells whose cytoplasm is stained like a red cell, as an eosinophil's is; few of these are known."""
GRANULES = 0.4
"""Standard deviation of the optical density of such cytoplasm at most, before it is smoothed to granules."""
CUT_BY_BORDER = 0.15
"""Share of windows that a border of the picture cuts."""
SEED_SHARE = (0.5, 1.05)
"""Radius of the seed over the depth of the nucleus there."""
PEAK = 0.7
"""Share of a nucleus's greatest depth from which a place may be its seed."""


@dataclass(slots=True)
class Layer:
    """A scene in the making.

    Attributes:
        picture: ``uint8 [side, side, 3]`` RGB.
        owner: ``uint8 [side, side]``: 0 for nothing known, n for the n-th cell that was laid, red cells included.
        nuclei: ``uint8 [side, side]`` mask of visible nuclei.
    """

    picture: RgbImage
    owner: NDArray[np.uint8]
    nuclei: Mask


def lay(scene: Layer, cell: KnownCell, shift: tuple[int, int], number: int, *, under: bool, transparent: bool) -> None:
    """Lay a cell onto a scene, over all that is there or under what is known.

    Args:
        scene: changed in place.
        cell: its picture may have another size than the scene.
        shift: from the middle of the scene to that of the cell, x and y.
        number: of the cell in ``scene.owner``.
        under: only where no known cell lies.
        transparent: what lies below is seen through it, and stays what it was.
    """
    place, own = overlapping(scene.owner.shape[0], cell.cell.shape[0], shift)
    mask = cell.cell[own] > 0
    if not mask.any():
        return
    free = scene.owner[place] == 0
    soft = np.asarray(cv2.GaussianBlur(cell.cell[own].astype(np.float32), (0, 0), 0.8), np.float32)[..., None]
    if under:
        soft *= cv2.GaussianBlur(free.astype(np.float32), (0, 0), 0.6)[..., None]
        mask = mask & free
    below = scene.picture[place].astype(np.float32)
    above = cell.picture[own].astype(np.float32)
    if transparent:
        above *= np.minimum(below, GROUND_LEVEL) / GROUND_LEVEL
        mask = mask & free
    scene.picture[place] = np.rint(below + soft * (above - below)).astype(np.uint8)
    scene.owner[place][mask] = number
    scene.nuclei[place][mask] = cell.nucleus[own][mask]


def overlapping(side: int, own_side: int, shift: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Which rows and columns of a square and of another one, so shifted from its middle, lie on one another."""
    pairs = []
    for offset in reversed(shift):
        first = side // 2 - own_side // 2 + offset
        start, stop = min(max(0, first), side), max(0, min(side, first + own_side))
        pairs.append((slice(start, max(start, stop)), slice(start - first, max(start, stop) - first)))
    return (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1])


def reach_of(mask: Mask, direction: tuple[float, float]) -> float:
    """How far a mask reaches from its middle in a direction."""
    rows, columns = np.nonzero(mask)
    middle = mask.shape[0] // 2
    return float(((columns - middle) * direction[0] + (rows - middle) * direction[1]).max())


def turned(cell: KnownCell, angle: float, zoom: float, *, mirrored: bool) -> KnownCell:
    """A cell turned about its middle, enlarged and mirrored."""
    side = cell.cell.shape[0]
    matrix = turning(side, side, angle, zoom, mirrored=mirrored)
    glass = (float(GROUND_LEVEL),) * 3
    picture = cv2.warpAffine(cell.picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=glass)
    cell_mask, nucleus = (
        cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_NEAREST) for mask in (cell.cell, cell.nucleus)
    )
    return KnownCell(
        cell.laboratory,
        cell.image,
        np.asarray(picture, np.uint8),
        np.asarray(cell_mask, np.uint8),
        np.asarray(nucleus, np.uint8),
    )


def turning(
    side: int, target: int, angle: float, zoom: float, *, mirrored: bool, about: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """Matrix for `cv2.warpAffine` that turns about a point, by default the middle, and brings it to the target's."""
    x, y = about or (side // 2, side // 2)
    cos, sin, flip = zoom * np.cos(angle), zoom * np.sin(angle), -1.0 if mirrored else 1.0
    matrix = np.array([[flip * cos, -sin, 0.0], [flip * sin, cos, 0.0]])
    matrix[:, 2] = target // 2 - matrix[:, :2] @ (x, y)
    return matrix


class Composer:
    """Makes windows with known outlines by chance.

    Args:
        known: cells of one or more laboratories, of which each is drawn as often as the others.
    """

    def __init__(self, known: KnownCells) -> None:
        self._white: dict[str, list[KnownCell]] = defaultdict(list)
        self._red: dict[str, list[KnownCell]] = defaultdict(list)
        for cell in known.white:
            self._white[cell.laboratory].append(cell)
        for cell in known.red:
            self._red[cell.laboratory].append(cell)
        self._laboratories = sorted(self._white)

    def window(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Mask]:
        """One window and its truth.

        Returns:
            ``uint8 [WINDOW, WINDOW, 4]`` as `edge_all.segmentation.outline_windows` cuts them, and ``uint8 [WINDOW,
            WINDOW]``, 1 on the whole cell that is meant.
        """
        laboratory = self._laboratories[rng.integers(len(self._laboratories))]
        cell = _any(self._white[laboratory], rng)
        if self._red[laboratory] and rng.random() < LIKE_RED_CELLS:
            cell = with_eosin(cell, _any(self._red[laboratory], rng), rng)
        scene = Layer(cell.picture.copy(), cell.cell.copy(), cell.nucleus.copy())
        if rng.random() < COMPOSED:
            for number in range(2, 2 + int(rng.integers(1, MOST_BESIDE + 1))):
                scene = self._beside(scene, cell, number, rng)
        nucleus = np.where(scene.owner == 1, scene.nuclei, np.uint8(0))
        seed = seed_in(nucleus if nucleus.any() else cell.nucleus, rng)
        return _photographed(scene, seed, rng)

    def _beside(self, scene: Layer, cell: KnownCell, number: int, rng: np.random.Generator) -> Layer:
        """The scene with one object more; the scene as it was where that would hide too much."""
        reds = self._red[cell.laboratory]
        white = rng.random() < WHITE or not reds
        other = _any(self._white[cell.laboratory] if white else reds, rng)
        other = turned(other, rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 1.1), mirrored=bool(rng.integers(2)))
        shift = shift_beside(cell, other, rng)
        tried = Layer(scene.picture.copy(), scene.owner.copy(), scene.nuclei.copy())
        transparent = not white and rng.random() < TRANSPARENT
        lay(tried, other, shift, number, under=rng.random() < UNDER, transparent=transparent)
        left = np.count_nonzero(tried.owner == 1)
        return tried if left >= LEAST_LEFT * np.count_nonzero(cell.cell) else scene


def with_eosin(cell: KnownCell, red: KnownCell, rng: np.random.Generator) -> KnownCell:
    """A cell whose cytoplasm has the stain of a red cell, more or less, and granules."""
    cytoplasm = cell.cell & ~cell.nucleus & 1
    if not cytoplasm.any():
        return cell
    density, stain = (density_of(picture) for picture in (cell.picture, red.picture))
    change = rng.uniform(0.4, 1.2) * (stain[red.cell > 0].mean(axis=0) - density[cytoplasm > 0].mean(axis=0))
    granules = cv2.GaussianBlur(rng.normal(0, 1, cytoplasm.shape), (0, 0), 1.0) * rng.uniform(0, GRANULES)
    share = cv2.GaussianBlur(cytoplasm.astype(np.float64), (0, 0), 0.8)[..., None]
    changed = density + share * (change + np.asarray(granules)[..., None])
    return replace(cell, picture=np.clip(np.rint(light_through(changed)), 0, 255).astype(np.uint8))


def shift_beside(cell: KnownCell, other: KnownCell, rng: np.random.Generator) -> tuple[int, int]:
    """Where the middle of another cell comes to lie for the two to touch or overlap a little, in any direction."""
    angle = rng.uniform(0, 2 * np.pi)
    direction = float(np.cos(angle)), float(np.sin(angle))
    back = -direction[0], -direction[1]
    reaches = reach_of(cell.cell, direction), reach_of(other.cell, back)
    distance = sum(reaches) - rng.uniform(*OVERLAP) * min(reaches)
    return round(distance * direction[0]), round(distance * direction[1])


def seed_in(nucleus: Mask, rng: np.random.Generator) -> tuple[int, int, float]:
    """A place in one of the lobes of a nucleus, x and y, and the radius of a disc around it that fits in."""
    depth = cv2.distanceTransform(nucleus, cv2.DIST_L2, 5)
    count, lobes = cv2.connectedComponents(nucleus)
    deepest = np.array([depth[lobes == number].max() if number else 0.0 for number in range(count)])
    chosen = rng.choice(np.flatnonzero(deepest > 0.4 * deepest.max()))
    rows, columns = np.nonzero((lobes == chosen) & (depth >= PEAK * deepest[chosen]))
    place = rng.integers(len(rows))
    y, x = int(rows[place]), int(columns[place])
    return x, y, float(depth[y, x]) * rng.uniform(*SEED_SHARE)


def _any(cells: Sequence[KnownCell], rng: np.random.Generator) -> KnownCell:
    return cells[int(rng.integers(len(cells)))]


def _photographed(
    scene: Layer, seed: tuple[int, int, float], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Mask]:
    """The scene turned, brought to the size of the windows, and stained and photographed elsewhere."""
    zoom = RED_CELL_PIXELS / PATCH_RED_CELL * np.exp(rng.uniform(*np.log(ZOOM)))
    x, y, radius = seed
    matrix = turning(
        scene.owner.shape[0], WINDOW, rng.uniform(0, 2 * np.pi), zoom, mirrored=bool(rng.integers(2)), about=(x, y)
    )
    # Linear interpolation skips pixels where it shrinks; a blur of half the step does not.
    picture = cv2.GaussianBlur(scene.picture, (0, 0), 0.4 / zoom) if zoom < 0.8 else scene.picture
    glass = (float(GROUND_LEVEL),) * 3
    picture = cv2.warpAffine(picture, matrix, (WINDOW, WINDOW), flags=cv2.INTER_LINEAR, borderValue=glass)
    inside = np.where(scene.owner == 1, np.uint8(255), np.uint8(0))
    truth = cv2.warpAffine(inside, matrix, (WINDOW, WINDOW), flags=cv2.INTER_LINEAR)
    varied = elsewhere(np.asarray(picture, np.uint8), rng)
    window = np.concatenate([varied, seed_disc(radius * zoom)[..., None]], axis=2)
    inside = np.where(np.asarray(truth) > 127, np.uint8(1), np.uint8(0))
    if rng.random() < CUT_BY_BORDER:
        beyond = beyond_border(rng)
        window[..., :3][beyond] = GROUND_LEVEL
        inside[beyond] = 0
    return window, inside


def beyond_border(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where a window, whose middle the picture holds, lies beyond the picture's border; the runtime shows glass."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    beyond = np.broadcast_to(offsets > rng.integers(2, WINDOW // 2), (WINDOW, WINDOW))
    return np.rot90(beyond, int(rng.integers(4)))


DENSITY = 0.15
"""Standard deviation of what each channel of optical density takes from each other one, and of their gains' logarithm
twice as much: the dyes of another laboratory. Glass stays glass, since the runtime puts it at one grey."""
BLURRED, NOISY, COMPRESSED, GREY = 0.35, 0.3, 0.2, 0.05
"""Shares of windows that are blurred, noisy, compressed, and nearly without colour."""


def density_of(picture: RgbImage) -> NDArray[np.float32]:
    """Optical density of each channel; 0 on glass."""
    return np.asarray(np.log((GROUND_LEVEL + 1.0) / (picture.astype(np.float32) + 1.0)), np.float32)


def light_through(density: NDArray[np.floating]) -> NDArray[np.float64]:
    """Levels of each channel behind that optical density."""
    return np.asarray((GROUND_LEVEL + 1.0) * np.exp(-np.clip(density, -0.1, 5.0)) - 1.0, np.float64)


def elsewhere(picture: RgbImage, rng: np.random.Generator) -> RgbImage:
    """A window as another laboratory and camera would show it; glass keeps its grey."""
    density = density_of(picture)
    mixing = np.eye(3) + rng.normal(0, DENSITY, (3, 3)) / 2
    if rng.random() < GREY:
        mixing = 0.3 * mixing + 0.7 / 3
    gains = np.exp(rng.normal(0, DENSITY, 3) + rng.normal(0, 2 * DENSITY))
    stained = cv2.transform(density, (mixing * gains[:, None]).astype(np.float32))
    changed = light_through(np.asarray(stained, np.float32))
    if rng.random() < BLURRED:
        changed = np.asarray(cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.3, 1.3)), np.float64)
    if rng.random() < NOISY:
        changed += rng.normal(0, rng.uniform(0, 6), changed.shape)
    result = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    if rng.random() < COMPRESSED:
        _, code = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        result = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return result
