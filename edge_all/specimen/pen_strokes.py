"""Strokes of a pen on the slide, and lines and arrows that a program drew into a picture.

A stroke is long, equally thick and of one colour, and that colour ends on both sides. What is stained is not: a chain
of nuclei has necks, the colour of a nucleus is uneven, and a rim passes gradually into what lies within. Besides, some
hues (green, yellow, bright red) are never those of blood.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import percentile_of_levels
from edge_all.results import Mask, RgbImage

__all__ = ["pen_strokes"]

FloatArray = NDArray[np.float32]
Place = tuple[slice, slice]

BITS = 5
"""Bits a channel of the histogram of colours."""
BINS, WIDTH = 1 << BITS, 1 << (8 - BITS)
# Chosen on strokes painted into fields of ALL-IDB1, BCCD and Raabin: nine colours, opaque and of ink, five shapes, 0.4
# to 3 % of the width thick. On 36 fields drawn anew 174 of 180 opaque strokes are found, 158 of 180 of ink; of 429 and
# 405 cells that they leave in view, 2 and 15 are lost. Of all 3,058 pictures of nine sets, most of which took no part,
# one is said to bear a stroke, and that has a dark rim of two pixels (segmentation_wbc 2, 045); with `ENDS` 0.7 there
# are three more, with `OTHER` 32 besides two dozen.
STRONG = 0.55
"""Share of the glass's level below which some channel has to be for a colour to be a pen's."""
GLASS_SHARE = 90
"""Percentile of each channel that stands for the glass."""
COLOURS, COMMON, PLAIN = 6, 0.0015, 0.4
"""So many colours are looked at, the commonest, of which each covers this share of the picture at least, and makes up
this share of the colours within three bins of it: 0.5 and more for opaque strokes, a median of 0.14 to 0.31 for the
commonest colours of the nine sets."""
TOLERANCE = 14
"""Levels by which a channel may differ within a stroke."""
NEAR, BEYOND, OTHER, ENDS, DARKER = 2, 4, 45, 0.8, 0.35
"""Pixels between which a stroke's surroundings are looked at, levels from which a colour is another one, and the share
of the surroundings in which it has to be one, and at most be further from glass."""
SLENDER = 8.0
"""Length over thickness of a stroke, at least."""
SHORTEST, THICKEST = 0.1, 0.06
"""Extent of a stroke, at least, and its thickness, at most, as shares of the picture's longer side. The nucleus of a
band cell in a picture of one cell is as slender as a stroke, and thicker."""
SOFT_EDGE: Mask = np.ones((5, 5), np.uint8)
"""By what strokes are widened: their edges are mixed with what lies beside them."""
SMALLEST = 0.0004
"""Share of the picture, at least."""
HUES_OF_BLOOD, VIVID, SLENDER_AND_VIVID = (150.0, 305.0), 0.25, 5.0
"""Hues outside this range (degrees in the plane of the differences of optical density) with at least so much colour are
no blood's, and a stroke of them is known by less length. Of the pixels of 225 pictures of the nine sets with that much
colour, less than one in a thousand lies outside."""


def pen_strokes(overview: RgbImage, shown: Mask) -> Mask | None:
    """Find what a pen covers.

    Args:
        overview: ``uint8 [h, w, 3]`` RGB, a picture in which the thinnest strokes have two pixels.
        shown: ``uint8 [h, w]``, 1 where it shows no surround.

    Returns:
        ``uint8 [h, w]``, 1 on strokes and their soft edges; None where there are none.
    """
    of_specimen = np.ascontiguousarray(shown[::2, ::2])
    # Rows first, then channels, then columns: half as long as to copy every second colour of three levels.
    channels = cv2.split(np.ascontiguousarray(overview[::2]))
    some = [np.ascontiguousarray(levels[:, ::2], np.uint8) for levels in channels]
    glass = np.array([percentile_of_levels(levels, GLASS_SHARE, of_specimen) for levels in some], np.float32)
    # 0 where a colour is strong, else 255: below 1 only where it is.
    pale = cv2.inRange(overview, STRONG * glass, np.full_like(glass, 255))
    candidates = np.less(pale, shown).view(np.uint8)
    if cv2.countNonZero(candidates) < SMALLEST * candidates.size:
        return None
    histogram = cv2.calcHist([overview], [0, 1, 2], candidates, [BINS] * 3, [0, 256] * 3)
    counts = np.asarray(histogram, np.float32)
    strokes: Mask = np.zeros_like(candidates)
    vivid = of_vivid_colours(overview, candidates, counts, glass)
    if vivid is not None:
        for place, stroke in slender_pieces(vivid, SLENDER_AND_VIVID):
            strokes[place] |= stroke
    for plain in plain_colours(counts, COMMON * candidates.size):
        colour, alike = alike_to(overview, plain, candidates)
        for place, stroke in slender_pieces(alike, SLENDER):
            if is_a_stroke(overview, colour, glass, place, stroke):
                strokes[place] |= with_what_lies_under_it(overview[place], colour, stroke)
    return np.asarray(cv2.dilate(strokes, SOFT_EDGE), np.uint8) if strokes.any() else None


def plain_colours(counts: FloatArray, least: float) -> Iterator[FloatArray]:
    """The commonest colours that have few like them, ``float32 [3]`` RGB each.

    Args:
        counts: ``float32 [32, 32, 32]``, how often each colour of 5 bits a channel is there.
        least: pixels of a colour and its next neighbours.
    """
    near = with_neighbours(counts, 1)
    if near.max() < least:
        return
    near[(near < least) | (near < PLAIN * with_neighbours(counts, 3))] = 0
    for _ in range(COLOURS):
        red, green, blue = np.unravel_index(int(near.argmax()), near.shape)
        if not near[red, green, blue]:
            return
        yield (np.array([red, green, blue], np.float32) + 0.5) * WIDTH
        near[tuple(slice(max(0, at - 2), at + 3) for at in (red, green, blue))] = 0


def with_neighbours(counts: FloatArray, reach: int) -> FloatArray:
    """``float32 [32, 32, 32]``, how often each colour is there, and those so few bins from it in each channel."""
    side = 2 * reach + 1
    # OpenCV sums over two axes of as many channels at a time; the counts are whole numbers, whose sums are exact.
    planes = np.ascontiguousarray(counts.transpose(1, 2, 0))
    over_two = cv2.boxFilter(planes, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    rows = over_two.reshape(BINS * BINS, BINS)
    over_all = cv2.boxFilter(rows, -1, (side, 1), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.ascontiguousarray(over_all.reshape(counts.shape).transpose(2, 0, 1), np.float32)


def alike_to(overview: RgbImage, colour: FloatArray, candidates: Mask) -> tuple[FloatArray, Mask]:
    """The mean of the colours like this one, and a 0/1 mask of what is like that, without gaps of one pixel."""
    for _ in range(2):
        near = cv2.inRange(overview, colour - TOLERANCE, colour + TOLERANCE)
        alike = cv2.bitwise_and(near, candidates)
        if cv2.countNonZero(alike):
            colour = np.array(cv2.mean(overview, alike)[:3], np.float32)
    return colour, closed_by(np.asarray(alike, np.uint8), 1)


def of_vivid_colours(overview: RgbImage, candidates: Mask, counts: FloatArray, glass: FloatArray) -> Mask | None:
    """0/1 mask of colours that blood never has; None where there are next to none."""
    used = np.flatnonzero(counts)
    # Channel by channel in memory, too: three times as fast as colour by colour.
    levels = np.stack([used >> (2 * BITS), (used >> BITS) & (BINS - 1), used & (BINS - 1)]).T
    density = np.log10((glass + 4) / ((levels + 0.5) * WIDTH + 4))
    across = density[:, 0] - density[:, 1]
    along = (2 * density[:, 2] - density[:, 0] - density[:, 1]) / np.sqrt(3)
    hue = np.degrees(np.arctan2(along, across)) % 360
    lowest, highest = HUES_OF_BLOOD
    vivid = (np.hypot(across, along) > VIVID) & ((hue < lowest) | (hue > highest))
    if counts.ravel().take(used)[vivid].sum() < SMALLEST * candidates.size:
        return None
    table = np.zeros(counts.shape, np.uint8)
    table[tuple(levels[vivid].T)] = 1
    red, green, blue = (overview[..., channel] >> (8 - BITS) for channel in range(3))
    return np.asarray(table[red, green, blue] & candidates, np.uint8)


def slender_pieces(mask: Mask, slender: float) -> Iterator[tuple[Place, Mask]]:
    """The pieces of a 0/1 mask that are long for their thickness, each as rows and columns, and a 0/1 mask there."""
    # Most masks have many small pieces and no long one, which their outlines tell in a twentieth of the time in which
    # all pixels are numbered.
    outlines, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    side = max(mask.shape)
    for outline, within in zip(outlines, () if hierarchy is None else hierarchy[0, :, 3].tolist(), strict=True):
        x, y, width, height = cv2.boundingRect(outline)
        if within >= 0 or math.hypot(width, height) < SHORTEST * side:
            continue
        # Wide enough for what `is_a_stroke` looks at.
        place = (slice(max(0, y - BEYOND), y + height + BEYOND), slice(max(0, x - BEYOND), x + width + BEYOND))
        first_x, first_y = outline[0, 0].tolist()
        piece = piece_at(mask[place], first_x - place[1].start, first_y - place[0].start)
        if cv2.countNonZero(piece) >= SMALLEST * mask.size and is_slender(piece, slender, side):
            yield place, piece


def piece_at(mask: Mask, x: int, y: int) -> Mask:
    """The piece of a 0/1 mask that has a pixel at this column and row, as a 0/1 mask."""
    flooded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    cv2.floodFill(mask, flooded, (x, y), 1, flags=8 | cv2.FLOODFILL_MASK_ONLY | 2 << 8)
    return np.asarray(flooded[1:-1, 1:-1] == 2, np.uint8)


def is_slender(piece: Mask, slender: float, side: int) -> bool:
    """Whether a piece is so many times as long as it is thick, and not too thick for a picture of this longer side."""
    thickness = thickness_of(piece)
    return thickness < THICKEST * side and cv2.countNonZero(piece) > slender * thickness**2


def thickness_of(piece: Mask) -> float:
    """Thickness of a stroke in pixels: in a strip, four times the mean depth of its pixels."""
    framed = cv2.copyMakeBorder(piece, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3), np.float32)
    return float(4 * depth[framed > 0].mean())


def is_a_stroke(overview: RgbImage, colour: FloatArray, glass: FloatArray, place: Place, stroke: Mask) -> bool:
    """Whether what lies around a slender piece has another colour, and one nearer to that of glass.

    A rim is neither: on one side it passes into what is darker.
    """
    near, far = (cv2.dilate(stroke, disc_of(radius)) for radius in (NEAR, BEYOND))
    around = overview[place][(far > 0) & (near == 0)].astype(np.float32) - colour
    if not len(around):
        return False
    if (np.abs(around).max(axis=1) > OTHER).mean() < ENDS or (around @ (glass - colour) < 0).mean() > DARKER:
        return False
    # The threads between the grains of a nucleus are slender, too, but not what they enclose.
    return is_slender(closed_by(stroke, thickness_of(stroke)), SLENDER, max(overview.shape[:2]))


def closed_by(mask: Mask, radius: float) -> Mask:
    """A 0/1 mask with gaps filled that are narrower than twice a radius."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc_of(max(1, round(radius)))), np.uint8)


def with_what_lies_under_it(pixels: RgbImage, colour: FloatArray, stroke: Mask) -> Mask:
    """A stroke of ink with the cells that it runs over: between its parts, and darker than it is on glass."""
    closed = closed_by(stroke, 1.5 * thickness_of(stroke))
    darker = (pixels <= colour + TOLERANCE).all(axis=2)
    return np.asarray(stroke | (closed & darker), np.uint8)


def disc_of(radius: int) -> Mask:
    """Disc-shaped structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.uint8)
