"""Any supported image -> RGB uint8. The only place that decodes."""

from __future__ import annotations

from edge_all.imaging.reading import (
    IMAGE_SUFFIXES,
    LARGEST_WORKING_BYTES,
    MAX_PIXELS,
    MIN_SIDE,
    DecodedImage,
    OpenedImage,
    open_image,
    read_image,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "LARGEST_WORKING_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "DecodedImage",
    "OpenedImage",
    "open_image",
    "read_image",
]
