"""The physical size of a pixel, where a file states one that a microscope can have.

Most files state none, or the resolution of a screen or a printer: 72 dots an inch are 353 micrometres a pixel. Such
figures are passed over. What remains within `PLAUSIBLE` was written by a program that knows the microscope.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["PLAUSIBLE", "PixelSize", "of_description", "per_unit", "plausible"]

PLAUSIBLE = (0.02, 1.5)
"""Micrometres a pixel. A 100x objective with an extra lens and small camera pixels gives 0.024; at 1.5, a 10x objective
and large pixels, a lymphocyte spans 6 pixels, and nothing can be told of it."""
SQUARE = 0.05
"""Relative difference of width and height of a pixel above which the figures are passed over."""
_MICRONS = {
    "nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
"""Micrometres in each unit that ImageJ and OME write."""


@dataclass(frozen=True, slots=True)
class PixelSize:
    """A physical size of a pixel.

    Attributes:
        microns: side of a pixel in micrometres.
        origin: who says so, for example ``ImageJ``.
    """

    microns: float
    origin: str

    def __str__(self) -> str:
        return f"{self.microns:.4g} µm a pixel ({self.origin})"


def plausible(width: float, height: float, origin: str) -> PixelSize | None:
    """The size of a pixel, where a microscope can have it and it is square.

    Args:
        width: of a pixel in micrometres.
        height: the same.
        origin: who says so.
    """
    if not (math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0):
        return None
    if abs(width - height) > SQUARE * max(width, height) or not PLAUSIBLE[0] <= width <= PLAUSIBLE[1]:
        return None
    return PixelSize(math.sqrt(width * height), origin)


def per_unit(across: float, down: float, microns: float, origin: str) -> PixelSize | None:
    """`plausible` of a resolution.

    Args:
        across: pixels in one unit, from left to right.
        down: the same from top to bottom.
        microns: micrometres in one unit.
        origin: who says so.
    """
    return plausible(microns / across, microns / down, origin) if across > 0 and down > 0 else None


def of_description(text: str, across: float, down: float) -> PixelSize | None:
    """What the description in a TIFF says in the manner of OME, Aperio or ImageJ.

    Args:
        text: the description.
        across: the resolution of the TIFF, to which ImageJ adds the unit; 0 where there is none.
        down: the same from top to bottom.
    """
    if "<OME" in text:
        return _of_ome(text)
    if text.startswith("Aperio"):
        found = re.search(r"\|\s*MPP\s*=\s*([0-9.]+)", text)
        size = _number(found[1]) if found else 0.0
        return plausible(size, size, "Aperio")
    if text.startswith("ImageJ="):
        # ImageJ writes the letter micro as an escape where its own writer had no other way.
        found = re.search(r"^unit=(.+?)\s*$", text, re.MULTILINE)
        unit = found[1].replace("\\u00B5", "µ").lower() if found else ""
        return per_unit(across, down, _MICRONS.get(unit, 0.0), "ImageJ")
    return None


def _of_ome(text: str) -> PixelSize | None:
    start = text.find("<Pixels")
    tag = text[start : text.find(">", start)] if start >= 0 else ""

    def side(axis: str) -> float:
        size = re.search(rf'\bPhysicalSize{axis}="([^"]+)"', tag)
        unit = re.search(rf'\bPhysicalSize{axis}Unit="([^"]+)"', tag)
        return _number(size[1]) * _MICRONS.get(unit[1] if unit else "µm", 0.0) if size else 0.0

    return plausible(side("X"), side("Y"), "OME")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
