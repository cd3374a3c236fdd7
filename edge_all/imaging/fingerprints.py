"""Is this the same picture? Perceptual hashes that bear the eight orientations, brightness and another encoding.

The picture is shrunk to a small square; what is broad in it, brightness and the shading of the lamp, is taken
away; and each place is 1 where it is lighter than the median of the rest. Turning or mirroring the picture turns
and mirrors this square of bits, so that one hash answers for all orientations; any change of brightness or contrast
that keeps dark below light leaves it nearly as it is.
After the median hash (Krawetz 2011), with the broad parts taken out.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import median_of
from edge_all.results import RgbImage

__all__ = ["SAME", "SIDE", "fingerprint", "fingerprint_of_green", "from_text", "least_distances", "packed", "to_text"]

SIDE = 16
"""Bits a side."""
SAME = 28
"""Bits of 256 in which two hashes of one picture differ at most. Measured on 1,212 real fields and crops of seven sets.
Copies that were turned, mirrored, made 20 levels or 30 % brighter or 40 % darker, with gamma 0.7, at half size or as
JPEG of quality 40, differ in 26 or fewer, but where brightening burns out most of the picture (up to 114). Different
fields of a set differ in 46 or more (46,000 pairs), different cells in 52 or more (64,750 pairs); what lies between are
crops of one cell (ALL-IDB2: 10 to 42)."""
_SHRUNK = 4 * SIDE
_BROAD = 0.12
"""Standard deviation, in sides of the picture, of what is taken for shading."""


def fingerprint(pixels: RgbImage) -> NDArray[np.bool_]:
    """The hash of a picture, ``bool [SIDE, SIDE]``.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB of any shape; other than square ones are squeezed.
    """
    return fingerprint_of_green(np.asarray(cv2.extractChannel(pixels, 1), np.uint8))


def fingerprint_of_green(levels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The same by the green channel of the picture, in which stains differ most: ``uint8 [height, width]``."""
    green = _means(levels, _SHRUNK)
    sharp = green - cv2.GaussianBlur(green, (0, 0), _BROAD * _SHRUNK, borderType=cv2.BORDER_REFLECT)
    cells = cv2.resize(sharp, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cells > median_of(np.asarray(cells, np.float32)))


def _means(levels: NDArray[Any], side: int) -> NDArray[np.float32]:
    """Mean level of each of ``side * side`` equal parts of ``uint8 [height, width]``, rounded.

    From the sums up to their corners, in a third of the time of `cv2.resize`, from which it differs in ties: of 441
    real images, one has a hash that differs, in two bits.
    """
    whole = levels.size * 255 < 2**31  # and then whole numbers of 32 bits hold the sums, in half the time
    sums = np.asarray(cv2.integral(levels, sdepth=cv2.CV_32S if whole else cv2.CV_64F))
    for axis, length in enumerate(levels.shape):
        place = np.arange(side + 1) * (length / side)
        before = np.minimum(place.astype(np.intp), length - 1)
        share = (place - before).reshape((-1, 1) if axis == 0 else (1, -1))
        low, high = (sums.take(at, axis) for at in (before, before + 1))
        sums = low + (high - low) * share
    means = np.diff(np.diff(sums, axis=0), axis=1) * (side * side / levels.size)
    return np.rint(means).astype(np.float32)


def packed(square: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """A hash in 256 bits, ``uint64 [4]``."""
    return np.packbits(square.ravel()).view(np.uint64)


def to_text(square: NDArray[np.bool_]) -> str:
    """A hash as 64 hexadecimal digits."""
    return np.packbits(square.ravel()).tobytes().hex()


def from_text(text: str) -> NDArray[np.bool_]:
    """The inverse of `to_text`.

    Raises:
        ValueError: the text is none that `to_text` gives.
    """
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8)).astype(bool).reshape(SIDE, SIDE)


def least_distances(known: NDArray[np.uint64], square: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Number of bits in which each of some hashes differs from another one, in the orientation that fits best.

    Args:
        known: `packed` hashes, ``uint64 [n, 4]``.
        square: the other one, ``bool [SIDE, SIDE]``.

    Returns:
        ``[n]``.
    """
    turned = np.stack([packed(np.rot90(side, turns)) for side in (square, square.T) for turns in range(4)])
    return np.asarray(np.bitwise_count(known[:, None] ^ turned[None]).sum(axis=2, dtype=np.intp).min(axis=1))
