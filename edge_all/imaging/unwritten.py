"""Did the copying of an uncompressed image break off?

Space that a copy has not reached holds zeros, in a file of full length. Compressed data tell by themselves; zeros among
plain pixels are black ones, and a dark frame around the field is black as well. What tells them apart is where they
begin: a frame begins where a row does, or below other black, a copy breaks off anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_all.wording.percentages import percent

__all__ = ["BLACK_END", "Segment", "black_end", "broke_off", "trailing_zeros"]

BLACK_END = 0.02
"""Share of the picture that ends it in black, from which it is said."""

Segment = tuple[int, int]
"""Offset and length in bytes of a part of the pixels in the file."""
_CHUNK = 1 << 20
_DARK_BEFORE = 0.5
"""Share of zeros, in the same places a row above, from which the black begins below other black."""


def black_end(share: float) -> str:
    """The sentence on a picture that ends in black, which may be a frame around the field."""
    lost = percent(share, 0)
    return f"The last {lost} of the stored picture are black; if it shows more on the microscope, copy it again."


def trailing_zeros(data: bytes, segments: Sequence[Segment]) -> int:
    """Number of bytes at the end of the pixels that are zero.

    Args:
        data: the file.
        segments: where its pixels lie, in the order of the file.
    """
    zeros = 0
    for start, count in reversed(segments):
        end = start + count
        while end > start:
            piece = np.frombuffer(data, np.uint8, min(_CHUNK, end - start), max(start, end - _CHUNK))
            filled = np.flatnonzero(piece)
            if filled.size:
                return zeros + len(piece) - 1 - int(filled[-1])
            zeros += len(piece)
            end -= len(piece)
    return zeros


def broke_off(data: bytes, segments: Sequence[Segment], row_bytes: int) -> tuple[bool, float]:
    """Whether the pixels end in zeros that begin in the middle of a row, and what share of them the zeros are.

    Args:
        data: the file.
        segments: where its pixels lie, in the order of the file.
        row_bytes: bytes of a row, or of a row of a tile; segments consist of whole rows.

    Returns:
        Whether a copy surely broke off, and the share of zeros at the end of the pixels.
    """
    total = sum(count for _, count in segments)
    zeros = trailing_zeros(data, segments)
    if not 2 * row_bytes <= zeros < total:
        return False, 1.0 if total and zeros >= total else 0.0
    first = total - zeros
    row, column = divmod(first, row_bytes)
    share = zeros / total
    # A pixel's own last channels may be zero, so that a few bytes beside the edge are none.
    if row == 0 or min(column, row_bytes - column) < 8:
        return False, share
    above = _bytes_at(data, segments, (row - 1) * row_bytes + column, row_bytes - column)
    return float(np.mean(above == 0)) < _DARK_BEFORE, share


def _bytes_at(
    data: bytes, segments: Sequence[Segment], position: int, count: int
) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Bytes of the pixels as if the segments lay end to end."""
    for start, length in segments:
        if position < length:
            return np.frombuffer(data, np.uint8, min(count, length - position), start + position)
        position -= length
    return np.zeros(0, np.uint8)
