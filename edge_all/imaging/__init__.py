"""Any supported image -> RGB uint8. The only place that decodes."""

from __future__ import annotations

from edge_all.imaging.reading import IMAGE_SUFFIXES, MAX_PIXELS, MIN_SIDE, read_image

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "MIN_SIDE", "read_image"]
