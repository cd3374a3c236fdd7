"""The few fields of an Exif block that matter here. Source: Exif 2.32."""

from __future__ import annotations

import struct

from edge_all.imaging.pixel_size import PixelSize, per_unit
from edge_all.imaging.tiff_structure import BytesStore, Ifd

__all__ = ["orientation_of", "resolution_of", "valid_orientation"]


def orientation_of(block: bytes) -> int:
    """Orientation from 1 to 8, 1 where there is none that can be read."""
    try:
        return valid_orientation(Ifd(BytesStore(block)).value(274, 1))
    except (struct.error, IndexError):
        return 1


def valid_orientation(orientation: int) -> int:
    """The orientation itself, or 1 for a number that has no meaning."""
    return orientation if 1 <= orientation <= 8 else 1


def resolution_of(block: bytes) -> PixelSize | None:
    """Physical size of a pixel, where the block states a plausible one."""
    try:
        ifd = Ifd(BytesStore(block))
        unit = {2: 25400.0, 3: 10000.0}.get(ifd.value(296, 2), 0.0)
        return per_unit(ifd.rational(282), ifd.rational(283), unit, "Exif resolution")
    except (struct.error, IndexError):
        return None
