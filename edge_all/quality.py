"""Can this field be judged at all? Focus, exposure, clipping and stain of an image.

A field that cannot be judged must not end as "nothing found". The limits are absolute, so that an image is judged by
what it is and not by its neighbours, and wide: real images of five laboratories pass, and what is turned away is what a
technician would not count either.

Focus is measured as the width of the steepest edges, block by block and relative to the contrast of the block, so that
neither the stain, the light nor the number of cells matters. Squared gradient over variance, usual for one microscope,
differs twentyfold among sharp images of different laboratories, as does one figure over the whole field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import median_of, percentile_of
from edge_all.imaging.shrinking import Shrinking, shrink
from edge_all.results import Quality, RgbImage
from edge_all.specimen import Specimen, find_specimen
from edge_all.wording.percentages import percent

__all__ = ["SOFT_FOCUS", "assess_quality", "edge_width_in_pixels", "quality_words"]

SOFT_FOCUS = "The focus is soft."

# Where the limits come from. REAL: 75 ALL-IDB1 fields, 167 ALL-IDB2 crops, 242 BCCD fields, 200 crops of
# segmentation_wbc and 607 PBC lymphocytes, 1291 images, all of which were judged by people; "range" is over them. All
# 1291 are usable, and 17 are warned of for their focus. WORSENED: about ten to 25 of each set, changed step by step.

_BLURRED, _SOFT, _CRISP = 13.0, 10.0, 7.2
"""Edge width: unusable and warned above, and called sharp below the last, the median of BCCD. Range 3.2 to 12.5,
medians of the sets 3.6 to 7.2 (BCCD, the softest).
Gaussian blur of sigma 4 pixels of the working image, 8 of a 2592 x 1944 field: 77 % warned or unusable; of sigma 6, all
(84 % unusable); of sigma 8, all unusable, and 97 % with noise of 4 grey levels on top."""
_DARK, _DIM, _DULL = 0.20, 0.35, 0.5
"""Exposure: unusable and warned below, and called a little dark below the last. Range 0.41 (ALL-IDB, grey-green and dim
by nature) to 1.0. At half the light all ALL-IDB fields but one are warned of and none is unusable, at a quarter all are
unusable."""
_WHITE, _BRIGHT = 0.95, 0.85
"""Clipped white: unusable and warned above. Range 0 to 0.77, in crops whose ground is saturated and the cell is not."""
_BLACK, _SHADED = 0.60, 0.05
"""Clipped black: unusable and warned above. Real images have none; a round field of view in its square has 0.21."""
_EMPTY, _PALE = 0.04, 0.08
"""Stain: unusable and warned below. Range 0.10 to 2.4; at a tenth of the contrast all ALL-IDB fields of healthy people
and all BCCD fields are unusable. Empty glass with the noise of a camera has less than 0.01."""
_GREY, _FAINT = 0.02, 0.03
"""Colour: unusable and warned below. Range 0.25 to 1.6; 0.035 in the palest of 360 parts of fields, one without any
white cell. Grey images have 0, and 0.01 with the chroma noise of JPEG."""
_ONE_COLOUR, _TINTED = 0.80, 0.35
"""Cast: unusable and warned above. Range 0 to 0.48 (yellow ground of a rapid stain); of fields, at most 0.33
(Raabin). At 25 % to the warm (0.4) 33 of 75 labels on 12 real fields change."""
_BLOCKS = 3.8
"""JPEG: warned of above. Range 1.0 to 2.7 over up to 150 images of each of nine sets; on 24 fields 2.1 to 5.6 at
quality 30, which changes next to nothing, and 3.97 to 23 at quality 10, which loses 13 of 93 cells."""
_SATURATED, _SATURATED_STAIN = 0.85, 0.4
"""Share of all pixels, and of the stained, in which some channel is saturated: warned of above either. Range 0 to 0.83
and 0 to 0.33 (Taleqani, whose red cells are blue) over the same; with the light doubled, which loses 10 of 93 cells,
it is said of 20 of 24 fields, and two of the others are dark enough to bear it."""
_NOISE, _GRAIN = 0.18, 0.08
"""Noise: unusable and warned above. Range 0.002 to 0.030; about 0.1 with 20 grey levels of Gaussian noise."""

_WORK_SIDE = 1300
"""Pixels of the longer side on which focus and noise are measured: the field of view then matters, and not how finely
the camera samples it."""
_OVERVIEW_SIDE = 325
"""Pixels of the longer side on which brightness, colour and the size of structures are measured, free of noise."""
_BLOCKS_TOGETHER = 64
"""Blocks whose gradients are computed at once: they stay in the processor's cache."""
_BLOCK = 32
"""Side in pixels of the blocks in which edges are sought, a little less than a nucleus in the working image."""
_STRUCTURES = (25.0, 130.0)
"""Width, in pixels of the working image, of what is darker than the ground. Range 25 to 131 but for a few crops. Beyond
it the magnification is another, and edges are measured in proportion."""
_NOISE_STEEPNESS, _NOISE_RANGE = 0.8, 3.2
"""Steepest gradient of a block (median) and its range (98th percentile) in pure noise, over what smoothing takes away
of it; the same from 3 to 20 grey levels of Gaussian noise."""
_ROUNDING = 0.2
"""Grey levels a pixel that rounding to whole levels may hide."""
_AROUND = 0.004
"""Share that a surround has at least; less is the rounding of shares."""
_BLOCK_ROWS, _FAINTEST_STEP = 240, 0.05
"""Rows that are enough to see the borders of blocks, and grey levels below which there is nothing to compare with."""
_SATURATED_LEVEL, _STAINED = 253, 0.85
"""Level from which a channel of the overview is saturated, and share of the ground's green below which something is
stained."""
_BLACK_LEVEL, _WHITE_LEVEL = 6, 254
"""The brightest channel at most, the darkest at least this: nothing left to see. JPEG wavers by a few levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metrics:
    """The figures behind the judgement, as ``Quality.metrics`` gives them.

    Attributes:
        edge_width: focus: median width of the main edges in pixels of the working image; more is less sharp.
        exposure: brightness of the ground, 0 to 1.
        clipped_white: share of the pixels in which all channels are saturated.
        clipped_black: share of the pixels in which all channels are black.
        stain: optical density, in green, by which the darkest structures differ from what is beside them.
        colour: difference of optical density between the channels in the most coloured 0.1 %; 0 in a grey image.
        cast: how far the ground is from neutral, 0 to 1.
        saturated: share of the pixels in which some channel is.
        saturated_stain: the same of what is stained.
        blocks: how much more neighbours differ across the borders of the blocks of JPEG than within them.
        noise: what a slight smoothing takes away, over the contrast.
        specimen: share of the picture that shows the specimen; the rest is a surround, a frame, a bar, or under a pen.
        pen: share of the picture that strokes of a pen cover.
    """

    edge_width: float = 0.0
    exposure: float = 0.0
    clipped_white: float
    clipped_black: float
    stain: float = 0.0
    colour: float = 0.0
    cast: float = 0.0
    saturated: float = 0.0
    saturated_stain: float = 0.0
    blocks: float = 1.0
    noise: float = 0.0
    specimen: float
    pen: float


def assess_quality(pixels: RgbImage, *, sizes: Shrinking | None = None, specimen: Specimen | None = None) -> Quality:
    """Finds out whether a field can be judged; takes less than 10 ms on 2592 x 1944 pixels.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
        sizes: of the same pixels, where another stage looks at them, too.
        specimen: what of the picture shows the specimen, where another stage has found it. The rest does not count.

    Returns:
        ``usable``, with the reason for the technician where it is False, warnings where the field is poor but can be
        judged, and the figures ``edge_width``, ``exposure``, ``clipped_white``, ``clipped_black``, ``stain``,
        ``colour``, ``cast``, ``saturated``, ``saturated_stain``, ``blocks``, ``noise``, ``specimen`` and ``pen``.
    """
    sizes = sizes or Shrinking(pixels)
    specimen = specimen or find_specimen(sizes, pixels.shape[1], pixels.shape[0])
    metrics = _measure(sizes, max(pixels.shape[:2]), specimen)
    reason = _reason(metrics)
    return Quality(
        usable=reason is None,
        reasons=() if reason is None else (reason,),
        warnings=_warnings(metrics) if reason is None else (),
        metrics={name: round(value, 4) for name, value in asdict(metrics).items()},
    )


def edge_width_in_pixels(quality: Quality, longer_side: int) -> float | None:
    """Width of the main edges in pixels of the field; None where none was measured.

    Args:
        quality: of the field.
        longer_side: of the field in pixels.
    """
    width = quality.metrics.get("edge_width")
    return None if width is None else width * -(-longer_side // _WORK_SIDE)


def _reason(metrics: _Metrics) -> str | None:
    """The one fault that explains the others, in the order in which they hide each other."""
    faults = (
        (metrics.clipped_black > _BLACK, "The image is black. Check the lamp, the shutter and the exposure."),
        (metrics.clipped_white > _WHITE, "The image is white: overexposed, or empty glass. Check exposure and slide."),
        (metrics.exposure < _DARK, "The image is too dark. Raise the exposure; export 12-bit images with 8 bits."),
        (metrics.cast > _ONE_COLOUR, "The image has one colour only. Check the camera and the white balance."),
        (metrics.stain < _EMPTY, "No stained smear is seen: empty glass, no stain, or grossly out of focus."),
        (metrics.noise > _NOISE, "The image is mostly noise. Check the camera and its gain."),
        (metrics.colour < _GREY, "The image is grey, and cells are found by their colour. Take a colour image."),
        (metrics.edge_width > _BLURRED, "The image is out of focus. Focus on the cells and take it again."),
    )
    return next((text for found, text in faults if found), None)


def _warnings(metrics: _Metrics) -> tuple[str, ...]:
    around = 1 - metrics.specimen - metrics.pen
    findings = (
        (metrics.edge_width > _SOFT, SOFT_FOCUS),
        (metrics.exposure < _DIM, "The image is dark."),
        (metrics.clipped_white > _BRIGHT, "Most of the image is saturated white."),
        (metrics.clipped_black > _SHADED, "A part of the image is black."),
        (metrics.stain < _PALE, "The stain is very pale."),
        (metrics.colour < _FAINT, "There is hardly any colour."),
        (metrics.cast > _TINTED, "The ground has a strong colour cast."),
        (
            metrics.saturated > _SATURATED or metrics.saturated_stain > _SATURATED_STAIN,
            "Much of the image is saturated in one colour at least: cells may be missed. Lower the exposure.",
        ),
        (
            metrics.blocks > _BLOCKS,
            "Compression (JPEG) left blocks: cells may be missed. Save with a quality of 75 at least.",
        ),
        (metrics.noise > _GRAIN, "The image is noisy."),
        (
            around >= _AROUND,
            f"{percent(around, 0)} of the image is no specimen (surround, frame, bar) and is left out.",
        ),
        (
            metrics.pen > 0,
            f"Lines of a pen or a program cover {percent(metrics.pen)} of the image: look at what lies under them.",
        ),
    )
    return tuple(text for found, text in findings if found)


def quality_words(metrics: Mapping[str, float]) -> tuple[str, ...]:
    """Focus, light, stain and what else stands out, in words for people, by the limits of the judgement.

    Args:
        metrics: of a `Quality`; words are found for those that are there.
    """
    scales: tuple[tuple[str, tuple[tuple[float, str], ...], str], ...] = (
        ("edge_width", ((_CRISP, "sharp"), (_SOFT, "sharp enough"), (_BLURRED, "soft")), "out of focus"),
        ("exposure", ((_DARK, "too dark"), (_DIM, "dark"), (_DULL, "a little dark")), "bright enough"),
        ("clipped_white", ((_BRIGHT, ""),), "overexposed"),
        ("stain", ((_EMPTY, "no stain"), (_PALE, "pale stain")), "well stained"),
        ("cast", ((_TINTED, ""),), "colour cast"),
        ("noise", ((_GRAIN, ""),), "noisy"),
    )
    words = (
        next((word for limit, word in steps if metrics[name] <= limit), beyond)
        for name, steps, beyond in scales
        if name in metrics
    )
    return tuple(word for word in words if word)


def _measure(sizes: Shrinking, longer_side: int, specimen: Specimen) -> _Metrics:
    factor = -(-longer_side // _WORK_SIDE)
    work, work_green = sizes.by(factor), sizes.green_by(factor)
    smaller = -(-max(work.shape[:2]) // _OVERVIEW_SIDE)
    # By way of a size that other stages look at, too.
    overview = sizes.by(factor, 2, smaller // 2) if smaller % 2 == 0 else sizes.by(factor, smaller)
    red, green, blue = (cv2.extractChannel(overview, channel) for channel in range(3))
    brightest = cv2.max(cv2.max(red, green), blue)
    black = np.less_equal(brightest, _BLACK_LEVEL)
    white = np.greater_equal(cv2.min(cv2.min(red, green), blue), _WHITE_LEVEL)
    shown = specimen.at(overview.shape[1], overview.shape[0]).view(np.bool_)
    clipped_black, clipped_white = _share(black, shown), _share(white, shown)
    # A hole in the light has a rim that is no edge of the smear.
    lit = ~cv2.dilate(black.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & shown
    if not lit.any():
        return _Metrics(
            clipped_white=clipped_white, clipped_black=clipped_black, specimen=specimen.share, pen=specimen.pen
        )

    channels = (red, green, blue)
    ground = [_percentile(channel, lit, 0.9) for channel in channels]
    surround_lit = np.where(lit, green, np.uint8(ground[1]))
    structures = _structure_width(surround_lit) * work.shape[1] / overview.shape[1]
    oversampling = int(structures / _STRUCTURES[1])
    if oversampling > 1:
        work_green = np.asarray(cv2.extractChannel(shrink(work, oversampling), 1), np.uint8)
        structures /= oversampling
    usual = min(max(structures, _STRUCTURES[0]), _STRUCTURES[1])
    saturated = np.greater_equal(brightest, _SATURATED_LEVEL)
    stained = np.less(green, _STAINED * ground[1]) & shown
    contrast, edge_width, noise = _edges(work_green, lit)
    return _Metrics(
        edge_width=edge_width * usual / max(1.0, structures),
        exposure=sum(ground) / 3 / 255,
        clipped_white=clipped_white,
        clipped_black=clipped_black,
        stain=float(np.log10((ground[1] + 1) / max(1.0, ground[1] + 1 - contrast))),
        colour=_colour(channels, lit, ground),
        cast=(max(ground) - min(ground)) / max(1.0, *ground),
        saturated=_share(saturated, shown),
        saturated_stain=_share(saturated, stained) if stained.any() else 0.0,
        blocks=_block_borders(sizes.by(1)),
        noise=noise,
        specimen=specimen.share,
        pen=specimen.pen,
    )


def _share(mask: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    """Share of the pixels of the second mask that the first has, too."""
    return int(np.count_nonzero(mask & where)) / max(1, int(np.count_nonzero(where)))


def _percentile(channel: NDArray[Any], lit: NDArray[np.bool_], share: float) -> float:
    counts = np.cumsum(cv2.calcHist([channel], [0], lit.view(np.uint8), [256], [0, 256]).astype(np.int64))
    return float(np.searchsorted(counts, share * counts[-1]))


def _structure_width(green: NDArray[Any]) -> float:
    """Mean width of what is darker than the ground: 4 x area / perimeter, the diameter if it were discs.

    In a crowded field it is the ground that lies between, so that the smaller area of the two counts.
    """
    smooth = cv2.GaussianBlur(green, (0, 0), 1.5)
    _, dark = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    perimeter = np.count_nonzero(dark[1:] != dark[:-1]) + np.count_nonzero(dark[:, 1:] != dark[:, :-1])
    area = min(np.count_nonzero(dark), dark.size - np.count_nonzero(dark))
    # The steps of a raster outline are 4 / pi times as long as the outline itself.
    return float(4 * area / max(1.0, perimeter * np.pi / 4))


def _edges(green: NDArray[Any], lit: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Contrast of the main edges in grey levels, their width in pixels, and the noise as a share of the contrast.

    The width of an edge is the range of grey levels in its block over the steepest gradient there: 2.5 sigma of what
    blurs it, for an edge that lies within the block.
    """
    smooth = cv2.GaussianBlur(green, (5, 5), 1.0)  # or noise would pass for sharpness
    block = min(_BLOCK, *green.shape)
    lowest, highest = _of_blocks(np.min, smooth, block), _of_blocks(np.max, smooth, block)
    contrasts = highest.astype(np.float64) - lowest
    inside = np.ones(contrasts.shape, bool)
    if not lit.all():
        dark = cv2.resize((~lit).astype(np.uint8), green.shape[::-1], interpolation=cv2.INTER_NEAREST)
        inside = _of_blocks(np.max, dark, block) == 0
        if not inside.any():
            return 0.0, 0.0, 0.0
    contrast = percentile_of(contrasts[inside], 98)
    main = inside & (contrasts >= 0.6 * contrast)
    # A blurred image with noise on it would pass for a sharp one, so that what the noise alone would give is taken off.
    grain = float(cv2.norm(green, smooth, cv2.NORM_L1)) / green.size
    steepness = _steepest(smooth, main, block)
    steepest = np.sqrt(np.maximum(steepness**2 - (_NOISE_STEEPNESS * grain) ** 2, _ROUNDING**2))
    width = median_of(contrasts[main] / steepest)
    return max(0.0, contrast - _NOISE_RANGE * grain), width, grain / max(1.0, contrast)


def _steepest(smooth: NDArray[Any], chosen: NDArray[np.bool_], block: int) -> NDArray[np.float32]:
    """Steepest gradient of each chosen block, in grey levels a pixel.

    Only these are looked at: of 20 ALL-IDB1 fields a median 0.24 of the blocks, 0.9 of the most crowded.
    """
    # Side by side, each with the pixels around it that its own gradients need.
    side = block + 2
    framed = cv2.copyMakeBorder(smooth, 1, 1, 1, 1, cv2.BORDER_REFLECT_101)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (side, side))[::block, ::block]
    rows, columns = np.nonzero(chosen)
    highest = np.empty(len(rows), np.float32)
    for first in range(0, len(rows), _BLOCKS_TOGETHER):
        some = slice(first, first + _BLOCKS_TOGETHER)
        row = np.ascontiguousarray(windows[rows[some], columns[some]].transpose(1, 0, 2)).reshape(side, -1)
        across, down = (gradient[1:-1].astype(np.float32) for gradient in cv2.spatialGradient(row))
        across *= across
        down *= down
        across += down
        highest[some] = cv2.reduce(across, 0, cv2.REDUCE_MAX).reshape(-1, side)[:, 1:-1].max(axis=1)
    # Roots of the few highest squares instead of a root for each pixel.
    return np.asarray(np.sqrt(highest) / 8, np.float32)  # Sobel's weights sum to 8


def _of_blocks(reduce: Callable[..., NDArray[Any]], values: NDArray[Any], block: int) -> NDArray[Any]:
    """Maximum or minimum of each whole block, ``[height // block, width // block]``."""
    rows, columns = values.shape[0] // block, values.shape[1] // block
    whole = values[: rows * block, : columns * block].reshape(rows, block, columns * block)
    return reduce(reduce(whole, axis=1).reshape(rows, columns, block), axis=2)


def _block_borders(pixels: RgbImage) -> float:
    """Mean step between neighbours across the borders of blocks of 8 pixels, over the median of other steps; 1 without.

    Of green. The blocks may begin anywhere; they have borders in both directions, and the fainter counts.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < 9:
        return 1.0
    rows = cv2.extractChannel(pixels[:: max(1, height // _BLOCK_ROWS)], 1)
    columns = np.ascontiguousarray(pixels[:, :: max(1, width // _BLOCK_ROWS), 1])
    steps_of = (
        cv2.reduce(cv2.absdiff(rows[:, 1:], rows[:, :-1]), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S) / len(rows),
        cv2.reduce(cv2.absdiff(columns[1:], columns[:-1]), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S) / columns.shape[1],
    )
    ratios = []
    for steps in map(np.ravel, steps_of):
        place = np.arange(len(steps)) % 8
        places = np.bincount(place, steps, minlength=8) / np.bincount(place, minlength=8)
        ratios.append(float(places.max()) / max(_FAINTEST_STEP, median_of(places)))
    return min(ratios)


def _colour(channels: Sequence[NDArray[Any]], lit: NDArray[np.bool_], ground: Sequence[float]) -> float:
    """Difference of optical density between the channels, 99.9th percentile of what is lit."""
    # The 4 keeps the rounding of nearly black pixels from passing for colour.
    tables = [np.log10((level + 4) / (np.arange(256) + 4)).astype(np.float32) for level in ground]
    red, green, blue = (cv2.LUT(channel, table) for channel, table in zip(channels, tables, strict=True))
    spread = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    return percentile_of(spread[lit], 99.9)
