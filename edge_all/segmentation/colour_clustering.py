"""The colours of a field: its ground, and weighted k-means of what lies on it.

Everything is measured relative to the field's own ground (empty glass), so that a yellow, grey or peach tint of another
laboratory drops out. After that division the colours of stained blood are alike from laboratory to laboratory.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import percentile_of_levels
from edge_all.results import RgbImage
from edge_all.segmentation.lab_levels import lab_levels

__all__ = [
    "GROUND",
    "GROUND_LEVEL",
    "STAINED",
    "ColourModel",
    "FloatArray",
    "balance_table",
    "cluster_colours",
    "ground_colour",
    "lab_of",
    "mean_of",
    "nearest_centre",
    "squared_distance",
    "weighted_kmeans",
]

FloatArray = NDArray[np.float32]

GROUND_LEVEL = 235
"""Grey level at which the ground is put; below 255 so that ground brighter than its mode is not clipped."""
BITS = 5
"""Bits per channel of the colour histogram: 32 768 bins, of which a field fills one or two thousand."""
BINS = 1 << (3 * BITS)
LAB_SCALE: FloatArray = np.array([100 / 255, 1, 1], np.float32)
"""From OpenCV's 8-bit Lab to CIE Lab, in which colours are compared."""
LAB_ORIGIN: FloatArray = np.array([0, 128, 128], np.float32)
GROUND: FloatArray = np.array([92.9, 0, 0], np.float32)
"""The ground's own place in that space: L of the grey at `GROUND_LEVEL`."""
LAB_LEVELS: FloatArray = ((np.arange(256, dtype=np.float32)[:, None] - LAB_ORIGIN) * LAB_SCALE)[None]
"""The same as a table for `cv2.LUT`: one pass over the pixels where the arithmetic takes three."""

PROTOTYPES: FloatArray = np.array([[30.0, 48.0, -55.0], [74.3, 14.0, -4.0], [92.9, 0.0, 0.0]], np.float32)
"""Where k-means starts (Lab after balancing): nucleus, red cell, ground, near the medians over the masked
crops of three sets. They order the clusters by colour."""
NUCLEUS_CHROMA = 48.0
"""The absolute test: a nucleus has a - b above this. Every second mask of ALL-IDB2, segmentation_wbc 1 and 2: medians
of the nuclei 114, 86, 97, lowest nucleus 53; what else is stained there has medians of 13, 21, 29, at most 40."""
PALE_SHARE = 0.75
"""Colours above this share of the nuclei's chroma are nuclei, too, however pale. Dice with 0.65, 0.75, 0.85 on every
second mask of ALL-IDB2: 0.952, 0.953, 0.952; of segmentation_wbc 1: 0.942, 0.954, 0.956."""
STAINED = 7.0
"""Distance from the ground's colour above which something lies there. In the median image of those sets 95 % of the
pale pixels lie within 6.7, 6.3 and 4.5."""


@dataclass(frozen=True, slots=True)
class ColourModel:
    """The colours of one field; each table has one entry for each of the 32 768 colours of 5 bits a channel.

    Attributes:
        ground: RGB of the empty glass.
        balance: ``uint8 [1, 256, 3]``, table for `cv2.LUT` that puts the ground at the same grey in every field.
        has_nuclei: whether any colour passes the absolute test.
        nucleus_chroma: a - b of the centre of the nuclei.
        nucleus_table: ``uint8``: 1 where a colour is a nucleus.
        ground_distance_table: ``float32``: distance of a colour from the ground's, above `STAINED` for what lies there.
        lab_table: ``float32 [32768, 3]``: Lab of the colours that occur.
    """

    ground: FloatArray
    balance: NDArray[np.uint8]
    has_nuclei: bool
    nucleus_chroma: float
    nucleus_table: NDArray[np.uint8]
    ground_distance_table: FloatArray
    lab_table: FloatArray


def ground_colour(pixels: RgbImage) -> FloatArray:
    """The colour of the empty glass: the brightest mode of the green channel that holds a real share of the pixels.

    Green, because every stain absorbs it.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.

    Returns:
        ``float32 [3]`` RGB.
    """
    stride = max(1, round((pixels.shape[0] * pixels.shape[1] / GROUND_SAMPLE) ** 0.5))
    channels = [np.ascontiguousarray(pixels[::stride, ::stride, channel]) for channel in range(3)]
    # Stretched, so that glass and red cells lie as far apart in a dark field as in a bright one.
    stretch = STRETCHED / max(1.0, percentile_of_levels(channels[1], 95))
    green = cv2.convertScaleAbs(channels[1], alpha=stretch).astype(np.uint8, copy=False)
    smooth = np.convolve(histogram(green), GROUND_KERNEL, "same")
    share = np.convolve(smooth, np.ones(21), "same") / green.size
    highest = cv2.dilate(smooth[None], np.ones((1, 17), np.uint8))[0]
    modes = np.flatnonzero((smooth == highest) & (smooth > 0) & (share >= GROUND_SHARE))
    mode = int(modes[-1]) if modes.size else int(smooth.argmax())
    reach = 6 * max(1.0, stretch)
    near = (green >= mode - reach) & (green <= mode + reach)
    return np.array([median_level(histogram(channel, near.view(np.uint8))) for channel in channels], np.float32)


def histogram(levels: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
    """How often each of the 256 grey levels is there, where a mask is not 0."""
    return cv2.calcHist([levels], [0], mask, [256], [0, 256]).ravel().astype(np.float64)


def median_level(counts: NDArray[np.float64]) -> float:
    """Median of grey levels of which there are so many each."""
    below = np.cumsum(counts)
    middle = (below[-1] - 1) // 2, below[-1] // 2
    return float(np.searchsorted(below, middle, side="right").mean())


STRETCHED = 200.0
"""Where the brighter pixels are put before the ground is looked for."""
GROUND_SAMPLE = 40_000
"""Pixels that are enough to find the ground."""
GROUND_KERNEL = np.convolve(np.ones(7), np.ones(7)) / 49
"""Smooths the histogram of green; a triangle, so that a single level keeps one peak."""
GROUND_SHARE = 0.05
"""Smallest share of the pixels that can be ground: between crowded red cells little glass is left."""


def balance_table(ground: FloatArray) -> NDArray[np.uint8]:
    """Table for `cv2.LUT` (``uint8 [1, 256, 3]``) that puts the ground at the same grey in every field."""
    gain = GROUND_LEVEL / np.maximum(ground, 1.0)
    levels = np.arange(256, dtype=np.float32)[:, None] * gain[None, :]
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None]


def lab_of(balanced: NDArray[np.uint8]) -> FloatArray:
    """CIE Lab of balanced RGB ``uint8 [height, width, 3]``: the space in which colours are compared."""
    return np.asarray(cv2.LUT(lab_levels(balanced), LAB_LEVELS), np.float32)


def squared_distance(points: FloatArray, centre: FloatArray) -> FloatArray:
    """From each of ``float32 [n, 3]`` points to one colour."""
    # Column by column: NumPy takes three times as long over rows of three.
    first, second, third = (column - value for column, value in zip(points.T, centre, strict=True))
    return np.asarray(first * first + second * second + third * third, np.float32)


def mean_of(points: FloatArray) -> FloatArray:
    """Mean of ``float32 [n, d]`` points, n not 0: what ``points.mean(axis=0)`` gives, in a fifth of the time."""
    return np.asarray(cv2.reduce(points, 0, cv2.REDUCE_SUM)[0] / len(points), np.float32)


def weighted_kmeans(points: FloatArray, weights: FloatArray, centres: FloatArray, rounds: int = 20) -> FloatArray:
    """Plain Lloyd iterations from given centres; deterministic, keeps the order of the centres.

    Several sets of points at once, each as if it were alone: NumPy takes hardly longer over several small sets than
    over one.

    Args:
        points: ``float32 [sets, n, d]``.
        weights: ``float32 [sets, n]``; 0 for what only fills a set up.
        centres: ``float32 [sets, k, d]`` where to start.
        rounds: at most this many iterations.

    Returns:
        ``float32 [sets, k, d]``; a centre that no point is nearest to stays where it is.
    """
    weighted = np.concatenate([points * weights[..., None], weights[..., None]], axis=2)
    channels = np.ascontiguousarray(points.transpose(0, 2, 1))
    numbers = np.arange(centres.shape[1])[:, None]
    result = centres.copy()
    moving = np.arange(len(points))
    for _ in range(rounds):
        distance = power_distance(channels, centres)
        member = distance == distance.min(axis=1, keepdims=True)
        if np.count_nonzero(member) > member[:, 0].size:  # equally near to two: the first
            member = distance.argmin(axis=1)[:, None, :] == numbers
        sums = member.astype(np.float32) @ weighted
        total = sums[..., -1:]
        moved = np.divide(sums[..., :-1], total, out=centres.copy(), where=total > 0)
        result[moving] = moved
        on = np.abs(moved - centres).max(axis=(1, 2)) >= 0.1
        if not on.any():
            break
        if not on.all():
            moving, channels, weighted, moved = moving[on], channels[on], weighted[on], moved[on]
        centres = moved
    return result


def nearest_centre(points: FloatArray, centres: FloatArray) -> NDArray[np.intp]:
    """Index of the nearest centre for each of ``float32 [n, d]`` points."""
    distance = power_distance(points.T, centres)
    best = distance[0].copy()
    nearest = np.zeros(len(points), np.intp)
    # Centre by centre, which is twice as fast as argmin across the centres; of equally near ones the first.
    for number in range(1, len(centres)):
        nearest[distance[number] < best] = number
        np.minimum(best, distance[number], out=best)
    return nearest


def power_distance(channels: FloatArray, centres: FloatArray) -> FloatArray:
    """Squared distance of points from each centre, less the point's own square: ``float32 [..., k, n]``.

    Args:
        channels: ``float32 [..., d, n]``, the points.
        centres: ``float32 [..., k, d]``.
    """
    distance: FloatArray = (-2 * centres) @ channels
    distance += (centres**2).sum(axis=-1)[..., None]
    return distance


def colour_keys(pixels: RgbImage, balance: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Bin number of each pixel in the colour histogram, red in the highest bits: ``uint16 [height, width]``.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
        balance: from `balance_table`; a colour is put on the common grey before it is binned.
    """
    # Channel by channel, balanced and binned by one table: half as long as to balance the picture.
    bins = (balance[0] >> (8 - BITS)).astype(np.uint16)
    red, green, blue = (
        cv2.LUT(levels, bins[:, channel] << shift)
        for channel, (levels, shift) in enumerate(zip(cv2.split(pixels), (2 * BITS, BITS, 0), strict=True))
    )
    return np.asarray(cv2.add(cv2.add(red, green), blue), np.uint16)


def cluster_colours(pixels: RgbImage) -> tuple[ColourModel, NDArray[np.uint16]]:
    """Cluster the colours of a field by k-means over its weighted colour histogram.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.

    Returns:
        The model, and the bin number of each pixel for its tables.
    """
    ground = ground_colour(pixels)
    balance = balance_table(ground)
    # Balanced before colours are binned: the bins are as fine in a dark field as in a bright one.
    keys = colour_keys(pixels, balance)
    counts = cv2.calcHist([keys], [0], None, [BINS], [0, BINS]).ravel().astype(np.float64)
    used = np.flatnonzero(counts)
    levels = np.stack([used >> (2 * BITS), (used >> BITS) & 31, used & 31], axis=1)
    rgb = ((levels << (8 - BITS)) + (1 << (7 - BITS))).astype(np.uint8)[None]
    points = lab_of(rgb)[0]
    # White cells fill 0.1 to 13 % of a field; with plain counts k-means spends its clusters on the ground.
    weights = np.sqrt(counts[used]).astype(np.float32)
    centres = weighted_kmeans(points[None], weights[None], PROTOTYPES[None])[0]
    chroma = points[:, 1] - points[:, 2]
    is_nucleus = nearest_centre(points, centres) == 0
    nucleus_chroma = float(centres[0, 1] - centres[0, 2])
    is_nucleus |= chroma > PALE_SHARE * nucleus_chroma
    is_nucleus &= chroma > NUCLEUS_CHROMA
    from_ground = squared_distance(points, GROUND)
    nucleus_table = np.zeros(BINS, np.uint8)
    nucleus_table[used[is_nucleus]] = 1
    ground_distance_table = np.zeros(BINS, np.float32)
    ground_distance_table[used] = np.sqrt(from_ground)
    lab_table = np.zeros((BINS, 3), np.float32)
    lab_table[used] = points
    has_nuclei = bool(is_nucleus.any())
    model = ColourModel(ground, balance, has_nuclei, nucleus_chroma, nucleus_table, ground_distance_table, lab_table)
    return model, keys
